"""The bundled recordings are what their README says."""

import csv
import re
from pathlib import Path

import pytest
import soundfile as sf

from scripts.make_tutorial_data import clips
from scripts.tutorial_data import corpus

EXAMPLES = Path(__file__).parents[3] / "examples"
FOLDER = EXAMPLES / "tutorial_data" / "librispeech_data"


def rows(split: str) -> list[dict[str, str]]:
    with (FOLDER / f"librispeech_{split}.csv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize(("split", "least"), [("train", 100), ("test", 36)])
def test_table_names_recordings_that_exist_and_last_as_long_as_promised(split: str, least: int) -> None:
    table = rows(split)
    assert len(table) >= least
    for row in table:
        about = sf.info(EXAMPLES / row["audio_path"])
        assert 1.5 <= about.duration <= 7.0
        assert about.channels == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_texts_hold_only_what_librispeech_texts_hold(split: str) -> None:
    assert all(re.fullmatch(r"[A-Z']+( [A-Z']+)*", row["text"]) for row in rows(split))


@pytest.mark.parametrize("split", ["train", "test"])
def test_table_is_the_one_that_the_script_plans(split: str) -> None:
    planned = [(clip.audio_path, corpus.transcript(clip.sentence)) for clip in clips(split)]
    assert [(row["audio_path"], row["text"]) for row in rows(split)] == planned


def test_no_sentence_and_no_voice_is_in_both_splits() -> None:
    assert not {row["text"] for row in rows("train")} & {row["text"] for row in rows("test")}
    train, test = (
        {(voice.engine, voice.name) for voice in corpus.voices(split)} for split in ("train", "test")
    )
    assert len(train | test) == len(train) + len(test) >= 8
    assert {engine for engine, _ in train} == {engine for engine, _ in test} == {"flite", "espeak-ng"}


def test_recordings_come_in_both_formats_and_several_rates_and_stay_small() -> None:
    recordings = list((FOLDER / "audio").iterdir())
    assert {path.suffix for path in recordings} == {".flac", ".wav"}
    assert {sf.info(path).samplerate for path in recordings} == {8000, 16000, 22050}
    assert sum(path.stat().st_size for path in recordings) < 12_000_000
