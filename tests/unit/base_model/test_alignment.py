"""Known text finds its place in a recording, and long recordings are cut where nobody speaks."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given
from hypothesis import strategies as st

from scripts.base_model.align import best_path
from scripts.base_model.cache import Cache, Entry, build
from scripts.base_model.letters import VOCABULARY, encode
from scripts.base_model.pieces import Cut, divide, find_cuts, read_cuts, write_cuts
from scripts.base_model.sources import Utterance
from thanosql_ctc.greedy import frames_needed

RATE_HZ = 16_000


def log_probs_of(labels: list[int], certainty: float = 0.9) -> np.ndarray:
    others = (1 - certainty) / (len(VOCABULARY) - 1)
    probabilities = np.full((len(labels), len(VOCABULARY)), others, np.float32)
    probabilities[range(len(labels)), labels] = certainty
    return np.log(probabilities)


def collapsed(path: list[int]) -> list[int]:
    return [label for label, _run in itertools.groupby(path) if label]


def test_labels_lie_where_the_frames_say() -> None:
    a, b = encode("AB")
    path = best_path(log_probs_of([0, a, a, 0, 0, b, 0]), [a, b])
    assert path is not None
    assert path.first_frames.tolist() == [1, 5]
    assert path.last_frames.tolist() == [2, 5]


def test_equal_letters_keep_a_blank_between_them() -> None:
    (a,) = encode("A")
    path = best_path(log_probs_of([a, a, a]), [a, a])
    assert path is not None
    assert path.last_frames[0] < path.first_frames[1] - 1
    assert best_path(log_probs_of([a, a]), [a, a]) is None


@given(st.lists(st.integers(1, 3), min_size=1, max_size=3), st.integers(0, 10_000))
def test_no_other_path_is_better(labels: list[int], seed: int) -> None:
    log_probs = np.log(np.random.default_rng(seed).dirichlet(np.ones(4), size=5)).astype(np.float32)
    scores = [
        sum(log_probs[frame, label] for frame, label in enumerate(path))
        for path in itertools.product(range(4), repeat=5)
        if collapsed(list(path)) == labels
    ]
    found = best_path(log_probs, labels)
    if not scores:
        assert found is None
    else:
        assert found is not None
        assert found.score * 5 == pytest.approx(max(scores), abs=1e-4)


@given(st.text("ABC '", max_size=12))
def test_frames_needed_are_the_fewest_that_an_alignment_takes(text: str) -> None:
    labels = encode(" ".join(text.split()))
    needed = frames_needed(" ".join(text.split()))
    if labels:
        assert best_path(log_probs_of([0] * needed), labels) is not None
        assert needed == 1 or best_path(log_probs_of([0] * (needed - 1)), labels) is None


def spoken(tmp_path: Path) -> tuple[Cache, Entry]:
    """Two words of noise, half a second of silence between them."""
    noise = np.random.default_rng(1).standard_normal(RATE_HZ) * 0.1
    samples = np.concatenate([noise, np.zeros(RATE_HZ // 2), noise])
    sf.write(tmp_path / "a.wav", samples, RATE_HZ)
    build(
        [Utterance(text="AB CD", source="x", split="train", path=tmp_path / "a.wav")],
        tmp_path / "c",
        workers=1,
    )
    cache = Cache(tmp_path / "c")
    return cache, cache.entries[0]


def test_a_cut_lies_in_the_silence_between_two_words(tmp_path: Path) -> None:
    cache, entry = spoken(tmp_path)
    a, b, space, c, d = encode("AB CD")
    frames = [0] * 25
    frames[2], frames[6], frames[12], frames[17], frames[22] = a, b, space, c, d
    cuts = find_cuts(cache, [entry], lambda _entry: log_probs_of(frames))
    ((cut,),) = cuts.values()
    assert cut.words == 1
    assert 1.0 < cut.sample / RATE_HZ < 1.5
    write_cuts(tmp_path / "cuts.json", cuts)
    assert read_cuts(tmp_path / "cuts.json") == cuts
    assert read_cuts(tmp_path / "none.json") == {}


@given(
    st.lists(st.integers(1, 59), unique=True, max_size=20),
    st.integers(0, 1000),
    st.floats(2, 20),
)
def test_pieces_say_every_word_once_and_hear_every_sample_once(
    places: list[int], seed: int, longest_s: float
) -> None:
    words = [f"W{'ABCDEFGHIJ'[number % 10]}" for number in range(60)]
    entry = Entry(first=500, count=60 * RATE_HZ, text=" ".join(words), source="x", split="train")
    cuts = [Cut(words=place, sample=place * RATE_HZ, level_db=-30.0) for place in sorted(places)]
    made = divide(entry, cuts, longest_s, np.random.default_rng(seed))
    assert " ".join(piece.text for piece in made) == entry.text
    assert made[0].first == entry.first
    assert sum(piece.count for piece in made) == entry.count
    for one, other in itertools.pairwise(made):
        assert one.first + one.count == other.first
    for piece in made:
        assert len(piece.text.split()) == round(piece.seconds)
