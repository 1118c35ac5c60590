"""What an epoch hears."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from scripts.base_model import network, syllabus
from scripts.base_model.cache import Cache, Entry, build
from scripts.base_model.pieces import Cut, whole
from scripts.base_model.sources import Utterance
from thanosql_ctc.batch_invariant import output_frames


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    found = []
    for source, seconds in (("librispeech", 12.0), ("fsdd", 0.5), ("synthetic", 3.0)):
        for number in range(10):
            path = tmp_path / f"{source}{number}.wav"
            sf.write(path, np.zeros(int(seconds * 16_000)), 16_000)
            found.append(Utterance(text="ONE TWO", source=source, split="train", path=path))
    build(found, tmp_path / "cache", workers=2)
    return Cache(tmp_path / "cache")


frames = partial(output_frames, network.configuration(network.Shape()))


def stage(mix: syllabus.Mix, longest_s: float = 17.0) -> syllabus.Stage:
    return syllabus.Stage(start=0.0, longest_s=longest_s, hardness=0.5, mix=mix)


def test_each_source_is_heard_as_often_as_the_mix_says(cache: Cache) -> None:
    mix = syllabus.Mix(librispeech=2, fsdd=3, synthetic=0.4, noise=0.5)
    pieces = syllabus.epoch(cache, {}, stage(mix), frames, np.random.default_rng(1))
    sources = [piece.entry.source if piece.entry else "noise" for piece in pieces]
    assert sources.count("librispeech") == 20
    assert sources.count("fsdd") == 30
    assert 0 < sources.count("synthetic") < 10
    assert sources.count("noise") == (len(pieces) - sources.count("noise")) // 2


def test_short_limit_leaves_out_the_long_and_keeps_cut_pieces(cache: Cache) -> None:
    cuts = {
        entry.first: [Cut(words=1, sample=6 * 16_000, level_db=-40.0)]
        for entry in cache.entries
        if entry.source == "librispeech"
    }
    mix = syllabus.Mix(cut=1.0, longest_cut_s=2.0, noise=0.0)
    pieces = syllabus.epoch(cache, cuts, stage(mix, 7.0), frames, np.random.default_rng(1))
    read = [piece for piece in pieces if piece.entry and piece.entry.source == "librispeech"]
    assert {piece.text for piece in read} == {"ONE", "TWO"}
    assert max(piece.seconds for piece in pieces) <= 7.0


@pytest.mark.parametrize(
    ("text", "seconds", "fitting"),
    [("SEVEN", 0.45, True), ("THREE", 0.2, False), ("A LONG SENTENCE", 0.3, False), ("", 1.0, False)],
)
def test_a_piece_needs_frames_for_its_letters(text: str, seconds: float, fitting: bool) -> None:
    entry = Entry(first=0, count=int(seconds * 16_000), text=text, source="x", split="train")
    assert syllabus.fits(whole(entry), frames) is fitting


def test_short_words_always_have_silence_around_them_and_others_sometimes(cache: Cache) -> None:
    mix = syllabus.Mix(fsdd=3, synthetic=3, silence=0.5, noise=0.0)
    pieces = syllabus.epoch(cache, {}, stage(mix), frames, np.random.default_rng(1))
    digits = [piece for piece in pieces if piece.entry and piece.entry.source == "fsdd"]
    assert len(digits) == 30
    assert all(piece.before >= 3200 and piece.after >= 3200 for piece in digits)
    sentences = [piece.before > 0 for piece in pieces if piece.entry and piece.entry.source == "synthetic"]
    assert 5 < sum(sentences) < 25


def test_a_run_is_hard_in_its_middle_and_plainest_at_its_beginning() -> None:
    stages = [syllabus.stage(syllabus.STAGES, share) for share in np.linspace(0, 1, 101)]
    lengths = [stage.longest_s for stage in stages]
    assert lengths == sorted(lengths)
    hardness = [stage.hardness for stage in stages]
    assert hardness[0] < 0.2 < hardness[-1] < 0.5 < max(hardness)
    assert hardness.index(max(hardness)) >= 25
