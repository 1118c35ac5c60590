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
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_ctc.waveform import Samples

RATE_HZ = 16_000
TIMELINE = Timeline(sample_rate_hz=RATE_HZ, samples_per_frame=320, receptive_field=400)
NEAR_S = 0.025


def sounds(*stretches: tuple[float, float], seconds: int = 3, rate_hz: int = RATE_HZ) -> Samples:
    """Some seconds with noise in these stretches and next to nothing elsewhere."""
    generator = np.random.default_rng(0)
    samples = generator.normal(size=seconds * rate_hz).astype(np.float32) * 1e-4
    for begin_s, end_s in stretches:
        part = slice(round(begin_s * rate_hz), round(end_s * rate_hz))
        samples[part] += generator.normal(size=len(samples[part])).astype(np.float32) * 0.1
    return samples


def word(
    text: str, first_s: float, last_s: float, log_probability: float = -0.01, rate_hz: int = RATE_HZ
) -> WordLetters:
    """A word whose first and last letter are heard at these times."""
    vocabulary = tiny_vocabulary()
    frames = [round((second * rate_hz - 200) / 320) for second in (first_s, last_s)]
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


def test_a_word_does_not_take_in_what_sounds_beside_it_without_words() -> None:
    noise = sounds((0.5, 20.0), seconds=30)
    heard = places(noise, word("ON", 0.6, 0.8), word("TO", 19.0, 19.2))
    assert heard[0] == pytest.approx((0.5, 0.8), abs=0.05)
    assert heard[1] == pytest.approx((19.0, 19.2), abs=0.1)


@pytest.mark.parametrize("silence_s", [5, 40, 120])
def test_long_silence_ends_words_where_they_end(silence_s: int) -> None:
    begin_s = 1.5 + silence_s
    samples = sounds((1.0, 1.5), (begin_s, begin_s + 0.5), seconds=silence_s + 4)
    heard = places(samples, word("ON", 1.1, 1.3), word("TO", begin_s + 0.25, begin_s + 0.4))
    assert np.ravel(heard) == pytest.approx([1.0, 1.5, begin_s, begin_s + 0.5], abs=NEAR_S)


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100])
def test_edges_are_found_at_any_rate_late_in_a_recording(rate_hz: int) -> None:
    samples = sounds((290.5, 291.5), seconds=300, rate_hz=rate_hz)
    timeline = Timeline(sample_rate_hz=rate_hz, samples_per_frame=320, receptive_field=400)
    heard = place_words([word("ON", 290.7, 291.3, rate_hz=rate_hz)], timeline, Pauses(samples, rate_hz))
    assert np.ravel(heard) == pytest.approx([290.5, 291.5], abs=NEAR_S)


def test_a_recording_far_from_zero_has_the_same_edges() -> None:
    samples, words = sounds((0.5, 0.9), (1.4, 2.0)), (word("ON", 0.6, 0.8), word("TO", 1.6, 1.8))
    shifted = places(samples + np.float32(0.3), *words)
    assert np.ravel(shifted) == pytest.approx(np.ravel(places(samples, *words)), abs=0.011)


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
    assert pauses.begin_behind(0.0, 1.0) is None
    assert pauses.end_before(1.0, 0.0) is None
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


def test_a_space_in_the_vocabulary_parts_words_as_the_delimiter_does() -> None:
    vocabulary = Vocabulary(
        tokens=("<pad>", "<unk>", " ", "A", "B"), blank_id=0, special_ids=frozenset({0, 1})
    )
    labels = [
        HeardLabel(label=label, first_frame=frame, last_frame=frame, log_probability=0.0)
        for frame, label in enumerate((3, 2, 4, 2, 3))
    ]
    assert [one.text for one in find_words(labels, vocabulary)] == ["A", "B", "A"]
