"""Where utterances begin and end."""

from collections.abc import Sequence

import pytest

from services.predictor.core.live.endpointing import Endpointer, Endpointing, Utterance

RULES = Endpointing(
    step_samples=100, silence_samples=300, longest_samples=2000, before_samples=150, after_samples=200
)


def utterances(probabilities: Sequence[float], endpointer: Endpointer) -> list[Utterance]:
    ended = [endpointer.step(probability) for probability in probabilities]
    return [utterance for utterance in ended if utterance is not None]


def test_an_utterance_begins_somewhat_before_its_speech_and_ends_with_the_silence_behind_it() -> None:
    found = utterances([0, 0, 0, 0.9, 0.9, 0, 0, 0, 0], Endpointer(RULES))
    assert found == [Utterance(begin=150, end=800, heard_until=700)]


def test_a_pause_that_is_too_short_ends_nothing() -> None:
    endpointer = Endpointer(RULES)
    assert utterances([0.9, 0.9, 0, 0, 0.9, 0, 0], endpointer) == []
    assert endpointer.finish(700) == Utterance(begin=0, end=700, heard_until=700)


def test_utterances_never_overlap_however_near_they_are() -> None:
    first, second = utterances([0.9, 0.9, 0, 0, 0, 0.9, 0.9, 0, 0, 0], Endpointer(RULES))
    assert first.end <= second.begin


@pytest.mark.parametrize("weak", [[0.4], [0.6], [0.4] * 5])
def test_what_is_never_certain_is_a_noise(weak: list[float]) -> None:
    (found,) = utterances([*weak, 0, 0, 0], Endpointer(RULES))
    assert not found.is_speech


def test_a_long_utterance_is_cut_and_its_rest_goes_on_where_it_is_told() -> None:
    endpointer = Endpointer(RULES)
    (cut,) = utterances([0.9] * 20, endpointer)
    assert cut == Utterance(begin=0, end=2000, heard_until=2000, is_cut=True)
    endpointer.go_on_from(1700)
    assert endpointer.finish(2000) == Utterance(begin=1700, end=2000, heard_until=2000)


def test_finishing_in_silence_ends_nothing_and_what_was_before_belongs_to_no_later_utterance() -> None:
    endpointer = Endpointer(RULES)
    assert utterances([0, 0, 0], endpointer) == []
    assert endpointer.finish(300) is None
    assert utterances([0.9, 0.9, 0, 0, 0], endpointer) == [Utterance(begin=300, end=800, heard_until=700)]


def test_an_utterance_is_paused_as_soon_as_what_is_listened_to_behind_it_has_come() -> None:
    endpointer = Endpointer(RULES)
    assert utterances([0.9, 0.9, 0], endpointer) == []
    assert endpointer.paused is None
    assert utterances([0], endpointer) == []
    assert endpointer.paused == Utterance(begin=0, end=400, heard_until=400)
    assert utterances([0.9], endpointer) == []
    assert endpointer.paused is None
