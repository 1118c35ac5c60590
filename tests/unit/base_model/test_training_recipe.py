"""The parts of the training that can be wrong without anyone noticing."""

from pathlib import Path
from random import Random

import numpy as np
import pytest
import soundfile as sf

from scripts.base_model import batches, plan, report, syllabus, texts
from scripts.base_model.cache import Cache, Entry, build
from scripts.base_model.pieces import Piece, whole
from scripts.base_model.sources import Utterance, said
from scripts.tutorial_data import corpus


def pieces(count: int) -> list[Piece]:
    lengths = np.random.default_rng(4).integers(8_000, 160_000, size=count)
    return [whole(Entry(first=0, count=int(one), text="A", source="x", split="train")) for one in lengths]


def test_rounds_hold_batches_of_like_length_within_the_limit() -> None:
    made = batches.rounds(pieces(500), 32.0, 2, np.random.default_rng(1))
    for ranks in made:
        assert len(ranks) == 2
        for group in ranks:
            seconds = [piece.seconds for piece in group]
            assert max(seconds) * len(group) <= 32.0
            assert min(seconds) > 0.6 * max(seconds) - 0.5
    heard = sum(len(group) for ranks in made for group in ranks)
    assert heard >= 480


def test_cache_gives_back_what_was_recorded_at_16_khz_and_leaves_out_the_long(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(np.arange(8000) * 0.05)
    sf.write(tmp_path / "short.wav", tone, 8000)
    sf.write(tmp_path / "long.wav", np.zeros(8000 * 18), 8000)
    found = [
        Utterance(text="TONE", source="x", split="train", path=tmp_path / f"{name}.wav")
        for name in ("short", "long")
    ]
    build(found, tmp_path / "cache", workers=2)
    cache = Cache(tmp_path / "cache")
    (entry,) = cache.entries
    assert entry.text == "TONE"
    assert entry.seconds == pytest.approx(1.0, abs=0.01)
    assert np.abs(cache.samples(entry)).max() == pytest.approx(0.5, abs=0.02)


def test_cache_adds_what_is_missing_and_hears_nothing_twice(tmp_path: Path) -> None:
    found = []
    for name, seconds in (("one", 1), ("two", 2), ("three", 3)):
        sf.write(tmp_path / f"{name}.wav", np.full(16_000 * seconds, 0.1 * seconds), 16_000)
        found.append(Utterance(text=name.upper(), source="x", split="train", path=tmp_path / f"{name}.wav"))
    build(found[:1], tmp_path / "cache", workers=2)
    with (tmp_path / "cache" / "samples.int16").open("ab") as interrupted:
        interrupted.write(b"half an utterance")
    with (tmp_path / "cache" / "entries.jsonl").open("a") as interrupted_line:
        interrupted_line.write('{"first": 16000, "cou')
    build(found, tmp_path / "cache", workers=2)
    build(found, tmp_path / "cache", workers=2)
    cache = Cache(tmp_path / "cache")
    assert [entry.text for entry in cache.entries] == ["ONE", "TWO", "THREE"]
    for entry, level in zip(cache.entries, (0.1, 0.2, 0.3), strict=True):
        np.testing.assert_allclose(cache.samples(entry), level, atol=1e-3)


def test_synthetic_speech_never_says_a_sentence_of_the_tutorial_with_its_test_voices() -> None:
    sentences = [line for split in ("train", "test") for line in corpus.sentences(split)]
    planned = said([*sentences, *texts.everyday(1000, Random(1))], Random(5))
    assert 950 <= len(planned) <= 1000
    assert not {corpus.transcript(line) for line in sentences} & {one.text for one in planned}
    voices = {(voice.engine, voice.name) for voice in corpus.voices("test")}
    variants = {name.partition("+")[2] for engine, name in voices if engine == "espeak-ng"}
    for one in planned:
        assert one.voice is not None
        assert (one.voice.engine, one.voice.name) not in voices
        assert one.voice.engine != "espeak-ng" or one.voice.name.partition("+")[2] not in variants


def test_learning_rate_rises_then_falls_to_almost_nothing() -> None:
    rates = [plan.learning_rate(share, 1e-3) for share in np.linspace(0, 1, 101)]
    peak = int(np.argmax(rates))
    assert 3 <= peak <= 5
    assert rates == [*sorted(rates[:peak]), *sorted(rates[peak:], reverse=True)]
    assert rates[-1] < 2e-5


def test_curriculum_goes_from_short_to_long() -> None:
    limits_s = [syllabus.stage(syllabus.STAGES, share).longest_s for share in np.linspace(0, 1, 101)]
    assert limits_s == sorted(limits_s)
    assert limits_s[0] <= 3 < 10 < limits_s[-1]


def test_report_fills_the_marked_place_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- scores -->\nold\n<!-- /scores -->\nafter\n")
    report.fill(page, "scores", ["new \\1"])
    report.fill(page, "scores", ["new \\1"])
    assert page.read_text() == "before\n<!-- scores -->\nnew \\1\n<!-- /scores -->\nafter\n"
    with pytest.raises(ValueError, match="'log'"):
        report.fill(page, "log", [])


def test_what_is_spelled_is_spelled_in_words_and_letters() -> None:
    lines = texts.spelled(400, Random(3))
    assert all(set(corpus.transcript(line)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ' ") for line in lines)
    assert not any(character.isdigit() for line in lines for character in line)
    assert any(set(map(len, line.split())) == {1} for line in lines)
