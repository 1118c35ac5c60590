"""The parts of the training that can be wrong without anyone noticing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from scripts.base_model import batches, report, training
from scripts.base_model.cache import Cache, Entry, build
from scripts.base_model.sources import Utterance, synthetic_speech
from scripts.tutorial_data import corpus


def entries(count: int) -> list[Entry]:
    lengths = np.random.default_rng(4).integers(8_000, 160_000, size=count)
    return [Entry(first=0, count=int(one), text="A", source="x", split="train") for one in lengths]


def test_rounds_hold_batches_of_like_length_within_the_limit() -> None:
    made = batches.rounds(entries(500), 32.0, 2, np.random.default_rng(1))
    for ranks in made:
        assert len(ranks) == 2
        for group in ranks:
            seconds = [entry.seconds for entry in group]
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


def test_synthetic_speech_never_says_a_sentence_of_the_tutorial_with_its_test_voices() -> None:
    book = Utterance(text="THE SEA WAS CALM AND NOBODY SAW THE SHIP", source="librispeech", split="train")
    planned = synthetic_speech([book], 3000, seed=5)
    assert len(planned) == 3000
    sentences = {corpus.transcript(line) for split in ("train", "test") for line in corpus.sentences(split)}
    assert not sentences & {one.text for one in planned}
    voices = {(voice.engine, voice.name) for voice in corpus.voices("test")}
    variants = {name.partition("+")[2] for engine, name in voices if engine == "espeak-ng"}
    for one in planned:
        assert one.voice is not None
        assert (one.voice.engine, one.voice.name) not in voices
        assert one.voice.engine != "espeak-ng" or one.voice.name.partition("+")[2] not in variants


def test_learning_rate_rises_then_falls_to_almost_nothing() -> None:
    rates = [training.learning_rate(share, 1e-3) for share in np.linspace(0, 1, 101)]
    peak = int(np.argmax(rates))
    assert 3 <= peak <= 5
    assert rates == [*sorted(rates[:peak]), *sorted(rates[peak:], reverse=True)]
    assert rates[-1] < 2e-5


def test_curriculum_goes_from_short_to_long() -> None:
    limits_s = [training.longest_s(share) for share in np.linspace(0, 1, 101)]
    assert limits_s == sorted(limits_s)
    assert limits_s[0] < 3 < 10 < limits_s[-1]


def test_variation_keeps_speech_recognisable_and_is_repeatable() -> None:
    speech = np.sin(np.arange(16_000) * 0.05).astype(np.float32)
    once, again = (batches.vary(speech, np.random.default_rng(seed)) for seed in (7, 7))
    np.testing.assert_array_equal(once, again)
    for seed in range(20):
        varied = batches.vary(speech, np.random.default_rng(seed))
        assert 0.88 < len(varied) / len(speech) < 1.13
        assert np.isfinite(varied).all()


def test_report_fills_the_marked_place_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- scores -->\nold\n<!-- /scores -->\nafter\n")
    report.fill(page, "scores", ["new \\1"])
    report.fill(page, "scores", ["new \\1"])
    assert page.read_text() == "before\n<!-- scores -->\nnew \\1\n<!-- /scores -->\nafter\n"
    with pytest.raises(ValueError, match="'log'"):
        report.fill(page, "log", [])
