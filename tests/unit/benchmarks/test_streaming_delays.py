"""What the benchmark of dictation reports of utterances that were heard late or never."""

import numpy as np
import pytest

from benchmarks.streaming import (
    RATE_HZ,
    Heard,
    Talk,
    figures_of,
    final_delays_s,
    interim_delays_s,
    utterances_without_final,
)
from services.predictor.core.live.endpointing import Utterance
from thanosql import LiveTranscript

SILENCE = np.zeros(RATE_HZ, dtype=np.float32)


def talk(*seconds: tuple[float, float]) -> Talk:
    utterances = [
        Utterance(begin=round(begin * RATE_HZ), end=round(end * RATE_HZ), heard_until=round(end * RATE_HZ))
        for begin, end in seconds
    ]
    return Talk(name="0.wav", samples=SILENCE, text="HELLO", utterances=utterances)


def words(begin_s: float, end_s: float, *, is_final: bool) -> LiveTranscript:
    return LiveTranscript(text="hello", stable_text="", is_final=is_final, start_s=begin_s, end_s=end_s)


def test_interim_words_that_come_late_or_never_count_as_the_whole_utterance() -> None:
    heard = Heard(finals=[], interims=[(0.3, words(0.0, 0.3, is_final=False))])
    assert interim_delays_s(talk((0.0, 2.0), (4.0, 7.0)), heard) == [0.3, 3.0]


def test_utterances_without_final_words_are_counted() -> None:
    heard = Heard(finals=[(2.1, words(0.2, 1.4, is_final=True))], interims=[])
    spoken = talk((0.0, 2.0), (4.0, 7.0))
    assert final_delays_s(spoken, heard) == [pytest.approx(0.1)]
    assert utterances_without_final(spoken, heard) == 1


def test_a_run_in_which_nothing_was_heard_ends_with_advice() -> None:
    with pytest.raises(SystemExit, match="ask for more --seconds"):
        figures_of([talk((0.0, 2.0))], [Heard(finals=[], interims=[])], [""])
