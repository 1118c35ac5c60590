"""When words were said, and how sure they are."""

from itertools import pairwise

import numpy as np
import pytest

from services.predictor.core.decoding.confidence import frame_entropies, word_confidences
from services.predictor.core.decoding.letters import WordLetters, find_words
from services.predictor.core.decoding.timing import Pauses, Timeline, place_words
from services.predictor.core.decoding.types import HeardLabel
from services.predictor.core.openvino_scorer import log_softmax
from tests.fakes.predictor_checkpoints import tiny_vocabulary
from thanosql_ctc.waveform import Samples

RATE_HZ = 16_000
TIMELINE = Timeline(sample_rate_hz=RATE_HZ, samples_per_frame=320, receptive_field=400)
NEAR_S = 0.025


def sounds(*stretches: tuple[float, float]) -> Samples:
    """Three seconds with noise in these stretches and next to nothing elsewhere."""
    generator = np.random.default_rng(0)
    samples = generator.normal(size=3 * RATE_HZ).astype(np.float32) * 1e-4
    for begin_s, end_s in stretches:
        part = slice(round(begin_s * RATE_HZ), round(end_s * RATE_HZ))
        samples[part] += generator.normal(size=len(samples[part])).astype(np.float32) * 0.1
    return samples


def word(text: str, first_s: float, last_s: float, log_probability: float = -0.01) -> WordLetters:
    """A word whose first and last letter are heard at these times."""
    vocabulary = tiny_vocabulary()
    frames = [round((second * RATE_HZ - 200) / 320) for second in (first_s, last_s)]
    letters = [
        HeardLabel(
            label=vocabulary.tokens.index(letter),
            first_frame=frame,
            last_frame=frame,
            log_probability=log_probability,
        )
        for letter, frame in zip(text, frames, strict=True)
    ]
    return WordLetters(text=text, letters=letters)


def places(samples: Samples, *words: WordLetters) -> list[tuple[float, float]]:
    return place_words(words, TIMELINE, Pauses(samples, RATE_HZ))


def test_words_between_pauses_are_as_long_as_their_sound() -> None:
    heard = places(sounds((0.5, 0.9), (1.4, 2.0)), word("ON", 0.6, 0.8), word("TO", 1.6, 1.8))
    assert np.ravel(heard) == pytest.approx([0.5, 0.9, 1.4, 2.0], abs=NEAR_S)


def test_words_without_a_pause_share_an_edge() -> None:
    (first, second) = places(sounds((0.5, 2.0)), word("ON", 0.6, 1.0), word("TO", 1.1, 1.8))
    assert first[1] == second[0]
    assert 1.0 < first[1] < 1.1


def test_the_closure_of_a_consonant_is_no_pause() -> None:
    (first, second) = places(sounds((0.5, 1.0), (1.06, 2.0)), word("ON", 0.6, 0.95), word("TO", 1.1, 1.8))
    assert first[1] == second[0]


def test_in_noise_the_letters_tell() -> None:
    noise = np.random.default_rng(1).normal(size=3 * RATE_HZ).astype(np.float32)
    ((start_s, end_s),) = places(noise, word("ON", 1.0, 1.5))
    assert (start_s, end_s) == pytest.approx((0.94, 1.51), abs=0.03)


def test_words_never_overlap_nor_leave_the_recording() -> None:
    samples = sounds((0.5, 0.7))[: round(0.8 * RATE_HZ)]
    heard = places(samples, *(word("ON", second, second) for second in (0.0, 0.02, 0.3, 0.32, 0.79, 0.9)))
    edges = np.ravel(heard)
    assert all(before <= after for before, after in pairwise(edges))
    assert edges[0] >= 0.0
    assert edges[-1] <= 0.8


def test_margins_are_no_part_of_the_recording() -> None:
    with_margin = Timeline(
        sample_rate_hz=RATE_HZ, samples_per_frame=320, receptive_field=400, margin_samples=3200
    )
    assert with_margin.middle_s(20) == pytest.approx(TIMELINE.middle_s(10))


def test_a_recording_of_nothing_has_no_pauses() -> None:
    pauses = Pauses(np.zeros(0, dtype=np.float32), RATE_HZ)
    assert pauses.within(0.0, 1.0) is None
    assert place_words([], TIMELINE, pauses) == []


def test_words_are_what_lies_between_delimiters() -> None:
    vocabulary = tiny_vocabulary()
    labels = [
        HeardLabel(
            label=vocabulary.tokens.index(token), first_frame=frame, last_frame=frame, log_probability=0.0
        )
        for frame, token in enumerate(("|", "A", "<unk>", "B", "|", "|", "<s>", "|", "C"))
    ]
    words = find_words(labels, vocabulary)
    assert [(one.text, one.first_frame, one.last_frame) for one in words] == [("AB", 1, 3), ("C", 8, 8)]


def test_a_doubtful_word_is_less_sure_than_a_certain_one() -> None:
    logits = np.zeros((200, 32), dtype=np.float32)
    logits[:, 0] = 20.0
    logits[49:60, 0] = 2.0  # hardly more probable than the others
    entropies_f = frame_entropies(log_softmax(logits))
    certain, doubtful = word("ON", 0.5, 0.6), word("TO", 1.0, 1.1, log_probability=-1.5)
    sure, unsure = word_confidences([certain, doubtful], entropies_f)
    assert 0.0 < unsure < 0.5 < sure < 1.0
    assert word_confidences([], entropies_f) == []


def test_a_word_that_cannot_be_is_not_sure_at_all() -> None:
    entropies_f = np.zeros(200)
    (confidence,) = word_confidences([word("ON", 0.5, 0.6, log_probability=-1e4)], entropies_f)
    assert confidence == pytest.approx(0.0, abs=1e-9)


def test_entropy_is_nothing_where_a_label_is_certain_and_one_where_none_is() -> None:
    even = np.full((1, 32), -np.log(32), dtype=np.float32)
    certain = np.full((1, 32), -100.0, dtype=np.float32)
    certain[0, 3] = 0.0
    entropies_f = frame_entropies(np.concatenate([even, certain]))
    assert entropies_f == pytest.approx([1.0, 0.0], abs=1e-5)
