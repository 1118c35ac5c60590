"""The bundled recordings are what their README says."""

import csv
import re
import tomllib
from pathlib import Path

import pytest
import soundfile as sf

from scripts.make_tutorial_data import clips
from scripts.tutorial_data import corpus

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
FOLDER = EXAMPLES / "tutorial_data" / "librispeech_data"
PATTERNS = ROOT / "scripts" / "base_model"


def rows(split: str) -> list[dict[str, str]]:
    with (FOLDER / f"librispeech_{split}.csv").open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def durations_s(split: str) -> list[float]:
    return [sf.info(EXAMPLES / row["audio_path"]).duration for row in rows(split)]


def sayable(pattern: str, slots: dict[str, str]) -> re.Pattern[str]:
    """Match every transcript that a pattern of the base model's texts can become."""
    parts = []
    for word in pattern.split():
        choices = [corpus.transcript(choice) for choice in slots.get(word, word).split("|")]
        if any(choices):
            parts.append("(?:" + "|".join(map(re.escape, choices)) + ")")
    return re.compile(" ".join(parts))


@pytest.mark.parametrize(("split", "least"), [("train", 200), ("test", 60)])
def test_table_has_enough_clips_of_short_and_long_speech(split: str, least: int) -> None:
    lengths_s = durations_s(split)
    assert len(lengths_s) >= least
    assert min(lengths_s) >= 1.0
    assert max(lengths_s) <= 10.0
    assert sum(length_s < 2.0 for length_s in lengths_s) >= least // 10
    assert sum(length_s > 8.0 for length_s in lengths_s) >= least // 25


@pytest.mark.parametrize("split", ["train", "test"])
def test_texts_hold_only_what_librispeech_texts_hold(split: str) -> None:
    assert all(re.fullmatch(r"[A-Z']+( [A-Z']+)*", row["text"]) for row in rows(split))


@pytest.mark.parametrize("split", ["train", "test"])
def test_table_is_the_one_that_the_script_plans(split: str) -> None:
    planned = [(clip.audio_path, corpus.transcript(clip.sentence)) for clip in clips(split)]
    assert [(row["audio_path"], row["text"]) for row in rows(split)] == planned


def test_folder_holds_the_recordings_of_the_tables_and_nothing_else() -> None:
    named = {EXAMPLES / row["audio_path"] for split in ("train", "test") for row in rows(split)}
    assert set((FOLDER / "audio").iterdir()) == named


@pytest.mark.parametrize("split", ["train", "test"])
def test_help_desk_news_and_stories_have_about_a_third_each(split: str) -> None:
    subjects = corpus.subjects(split)
    assert len(subjects) == 3
    assert all(0.3 < len(subject) / len(corpus.sentences(split)) < 0.37 for subject in subjects)


def test_no_sentence_is_said_twice() -> None:
    texts = [row["text"] for split in ("train", "test") for row in rows(split)]
    assert len(set(texts)) == len(texts)


def test_no_voice_is_in_both_splits() -> None:
    train, test = (
        {(voice.engine, voice.name) for voice in corpus.voices(split)} for split in ("train", "test")
    )
    assert len(train | test) == len(train) + len(test) >= 8
    assert {engine for engine, _ in train} == {"flite", "espeak-ng", "festival"}
    assert {engine for engine, _ in test} == {"flite", "espeak-ng"}


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_voice_speaks_as_often_as_the_others(split: str) -> None:
    planned = [clip.voice for clip in clips(split)]
    share = len(planned) // len(corpus.voices(split))
    assert all(planned.count(voice) == share for voice in corpus.voices(split))


def test_recordings_come_in_both_formats_and_several_rates_and_stay_small() -> None:
    recordings = list((FOLDER / "audio").iterdir())
    about = [sf.info(path) for path in recordings]
    assert {path.suffix for path in recordings} == {".flac", ".wav"}
    assert {recording.samplerate for recording in about} == {8000, 16000, 22050}
    assert {recording.channels for recording in about} == {1}
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 15_000_000


@pytest.mark.parametrize("collection", ["everyday.toml", "domains.toml"])
def test_base_model_never_reads_a_sentence_of_the_tutorial(collection: str) -> None:
    written = tomllib.loads((PATTERNS / collection).read_text(encoding="utf-8"))
    patterns = [sayable(pattern, written["slots"]) for pattern in written["patterns"]]
    said = {row["text"] for split in ("train", "test") for row in rows(split)}
    assert not [text for text in said for pattern in patterns if pattern.fullmatch(text)]


def test_patterns_of_the_trades_fill_every_slot_with_many_words() -> None:
    written = tomllib.loads((PATTERNS / "domains.toml").read_text(encoding="utf-8"))
    named = {word for pattern in written["patterns"] for word in pattern.split()}
    assert {word for word in named if word.isupper() and len(word) > 1} == set(written["slots"])
    said = [choice for choices in written["slots"].values() for choice in choices.split("|")]
    assert len({word for choice in said for word in corpus.transcript(choice).split()}) > 1500
