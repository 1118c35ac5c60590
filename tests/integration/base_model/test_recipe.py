"""The recipe's steps one after the other on a handful of clips: from tables to a published model."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from scripts.base_model import network, phonemes, recipe, sources
from scripts.base_model.cache import Cache
from scripts.base_model.courses import TWO_CORES, Course
from scripts.base_model.recipe import Recipe
from scripts.base_model.steps import Steps
from thanosql_ctc.checkpoint import load_checkpoint

RATE_HZ = 16_000
TABLES = ("librispeech_opus.csv", "speechocean_opus.csv", "an4.csv", "fsdd.csv")
TUTORIAL = Path("tutorial_data") / "librispeech_data" / "librispeech_test.csv"


def write_clip(path: Path, hertz: float) -> None:
    tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE_HZ) / RATE_HZ)
    tone[: RATE_HZ // 4] = tone[-RATE_HZ // 4 :] = 0
    sf.write(path, tone + np.random.default_rng(int(hertz)).normal(0, 0.1, RATE_HZ), RATE_HZ)


def write_table(path: Path, splits: tuple[str, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("audio_path", "text", "split"))
        for split in splits:
            for number in range(8 if split == "train" else 2):
                name = f"{path.stem}_{split}{number}.wav"
                root = path.parents[2] if path.match(str(TUTORIAL)) else path.parent
                write_clip(root / name, 300 + 300 * number)
                lines.writerow((name, "AB"[number % 2], split))


def a_course(minutes: float) -> Course:
    shape = network.Shape(hidden=64, layers=2)
    return replace(TWO_CORES, minutes=minutes, batch_s=8.0, report_s=1000.0, shape=shape, synthetic=0)


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Tones of several pitches in the tables that the recipe reads; words sound as they are spelled."""
    monkeypatch.setattr(phonemes, "_espeak", lambda words: ["_".join(word) for word in words])
    monkeypatch.setattr(sources, "NOISES", ())
    for table in TABLES:
        write_table(tmp_path / "shared" / table, ("train", "dev" if "libri" in table else "test"))
    write_table(tmp_path / "shared" / "librispeech_data" / "librispeech_test.csv", ("test",))
    for path in (tmp_path / "shared" / "librispeech_data").glob("*.wav"):
        path.rename(tmp_path / "shared" / path.name)
    (tmp_path / "examples").mkdir()
    write_table(tmp_path / "examples" / TUTORIAL, ("test",))
    return Recipe(
        shared=tmp_path / "shared",
        examples=tmp_path / "examples",
        work=tmp_path / "work",
        model=tmp_path / "model",
        aligner=Path(__file__).parents[3] / "models" / "wav2vec2_en_small",
        page=tmp_path / "log.md",
        card=tmp_path / "card.md",
        course=a_course(minutes=0.04),
    )


@pytest.mark.timeout(300)
def test_every_step_finds_what_the_one_before_it_left(
    wanted: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Path] = []
    monkeypatch.setitem(recipe.STEPS, "measure", lambda one: measured.append(one.model))
    recipe.follow(wanted)
    assert measured == [wanted.model]
    assert {entry.split for entry in Cache(wanted.work / "cache").entries} >= {"train", "librispeech", "an4"}
    assert load_checkpoint(wanted.model).config.hidden_size == 64
    assert "| minutes | steps |" in wanted.page.read_text()

    recipe.follow(wanted)
    assert measured == [wanted.model]
    assert list(Steps(wanted.work)._done()) == list(recipe.STEPS)


def test_a_model_that_reads_better_is_not_published_over(
    wanted: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe.prepare(wanted)
    with pytest.raises(RuntimeError, match="run the step `train` first"):
        recipe.publish(wanted)
    for folder in (wanted.model, wanted.work / "snapshots" / "00000001"):
        recipe.publishing.publish(network.create(wanted.course.shape, seed=1), folder)
    judged = iter((0.5, 0.4))
    monkeypatch.setattr(recipe, "_judge", lambda _recipe: lambda _model: next(judged))
    with pytest.raises(RuntimeError, match=r"reads better \(CER 40\.0%, this one 50\.0%\)"):
        recipe.publish(wanted)
