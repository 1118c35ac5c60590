"""When words were said, from the frames of their letters and from the pauses between them.

A CTC model says a letter somewhere within its sound, so that the frames of a word tell its middle rather
than its edges. Where there is a pause, its edges are the word's; elsewhere the word begins and ends fixed
times before its first letter and behind its last. docs/adr/0032-words-and-confidence.md says how well that
does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from services.predictor.core.decoding.letters import WordLetters
from thanosql_ctc.waveform import Samples

# From the middle of what a word's first frame hears back to its begin, and on from that of its last one.
_LEAD_S = 0.0575
_LAG_S = 0.0125
# Edges of neighbours that are not further apart than this without a pause are one edge, in the middle.
_SAME_EDGE_S = 0.12

_STEP_S = 0.01
_LEVEL_STEPS = 2
# No word goes on for longer than this beside its outermost letter: what sounds behind it is no part of it.
_REACH_S = 0.6
# Closures of consonants are shorter.
_SHORTEST_PAUSE_S = 0.1
_AROUND_S = 2.0
# A pause is below the speech around it by so much, or by this part of how far that is above the background.
_DEPTH_DB = 30.0
_PART_OF_RANGE = 0.7
_LEAST_RANGE_DB = 15.0
_FLOOR_DB = -100.0


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Where frames lie in a recording.

    Attributes:
        sample_rate_hz: Of the samples.
        samples_per_frame: Between two frames.
        receptive_field: Samples that a frame hears.
        margin_samples: Silence put before the recording.
    """

    sample_rate_hz: int
    samples_per_frame: int
    receptive_field: int
    margin_samples: int = 0

    def middle_s(self, frame: int) -> float:
        """The middle of what a frame hears."""
        samples = frame * self.samples_per_frame + self.receptive_field / 2 - self.margin_samples
        return samples / self.sample_rate_hz


class Pauses:
    """Where a recording is quiet.

    Args:
        samples: The recording.
        sample_rate_hz: Its rate.
    """

    def __init__(self, samples: Samples, sample_rate_hz: int) -> None:
        self.duration_s = len(samples) / sample_rate_hz
        step = max(1, round(_STEP_S * sample_rate_hz))
        self._step_s = step / sample_rate_hz
        self._levels = _levels_db(samples, step)
        self._background_db = float(np.percentile(self._levels, 10)) if len(self._levels) else _FLOOR_DB

    def clip(self, moment_s: float) -> float:
        """The nearest moment of the recording: letters may be heard in the silence put around it."""
        return min(max(0.0, moment_s), self.duration_s)

    def begin_behind(self, letter_s: float, until_s: float) -> float | None:
        """Where the first pause behind a letter begins; None where none is near."""
        end_s = min(until_s, letter_s + _REACH_S + _SHORTEST_PAUSE_S)
        pauses = self._within(letter_s, end_s, letter_s)
        return max(letter_s, pauses[0][0]) if pauses else None

    def end_before(self, letter_s: float, from_s: float) -> float | None:
        """Where the last pause before a letter ends; None where none is near."""
        begin_s = max(from_s, letter_s - _REACH_S - _SHORTEST_PAUSE_S)
        pauses = self._within(begin_s, letter_s, letter_s)
        return min(letter_s, pauses[-1][1]) if pauses else None

    def _within(self, begin_s: float, end_s: float, letter_s: float) -> list[tuple[float, float]]:
        """The pauses of a stretch, by the levels around a letter."""
        begin = max(0, int(begin_s / self._step_s))
        end = max(begin, round(end_s / self._step_s))
        quiet = self._levels[begin:end] < self._threshold_db(letter_s)
        shortest, pauses, step = round(_SHORTEST_PAUSE_S / self._step_s), [], begin
        for is_quiet, run in groupby(quiet.tolist()):
            length = sum(1 for _ in run)
            if is_quiet and length >= shortest:
                pauses.append((step * self._step_s, (step + length) * self._step_s))
            step += length
        return pauses

    def _threshold_db(self, letter_s: float) -> float:
        begin, end = (letter_s - _AROUND_S) / self._step_s, (letter_s + _AROUND_S) / self._step_s
        around = self._levels[max(0, int(begin)) : int(end)]
        if not len(around):
            return _FLOOR_DB
        speech_db = float(np.percentile(around, 95))
        depth_db = _PART_OF_RANGE * (speech_db - self._background_db)
        if depth_db < _PART_OF_RANGE * _LEAST_RANGE_DB:
            return _FLOOR_DB  # in such noise a level tells nothing
        return speech_db - min(depth_db, _DEPTH_DB)


def place_words(
    words: Sequence[WordLetters], timeline: Timeline, pauses: Pauses
) -> list[tuple[float, float]]:
    """Tell where each word begins and ends, in seconds; no two overlap."""
    firsts = [pauses.clip(timeline.middle_s(word.first_frame)) for word in words]
    lasts = [pauses.clip(timeline.middle_s(word.last_frame)) for word in words]
    starts, ends = [], []
    for last_s, first_s in zip([0.0, *lasts], [*firsts, pauses.duration_s], strict=True):
        end_s, start_s = _edges(last_s, max(last_s, first_s), pauses)
        ends.append(end_s)
        starts.append(start_s)
    return list(zip(starts[:-1], ends[1:], strict=True))


def _edges(last_s: float, first_s: float, pauses: Pauses) -> tuple[float, float]:
    """Where one word ends and the next begins, between the last letter of the one and the other's first."""
    end_s, start_s = pauses.begin_behind(last_s, first_s), pauses.end_before(first_s, last_s)
    if end_s is not None and start_s is not None:
        return end_s, max(end_s, start_s)
    if end_s is not None:
        return end_s, max(end_s, first_s - _LEAD_S)
    if start_s is not None:
        return min(start_s, last_s + _LAG_S), start_s
    end_s, start_s = min(first_s, last_s + _LAG_S), max(last_s, first_s - _LEAD_S)
    if start_s - end_s < _SAME_EDGE_S:
        end_s = start_s = (start_s + end_s) / 2
    return end_s, start_s


def _levels_db(samples: Samples, step: int) -> Samples:
    """The level of every step, over two of them, from the recording's own zero."""
    whole = samples[: len(samples) // step * step].reshape(-1, step)
    if not len(whole):
        return np.zeros(0, dtype=np.float32)
    means = whole.mean(axis=1, dtype=np.float64)
    squares = np.einsum("ij,ij->i", whole, whole, dtype=np.float64) / step
    zero = means.mean()
    powers = squares - 2 * zero * means + zero * zero
    smooth = np.convolve(powers, np.full(_LEVEL_STEPS, 1 / _LEVEL_STEPS), "same")[: len(powers)]
    levels: Samples = (10 * np.log10(np.maximum(smooth, 1e-10))).astype(np.float32)
    return levels
