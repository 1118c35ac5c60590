"""When the labels of a text were said: the most probable way to say exactly these labels over the frames.

Viterbi over the text with a blank around every label, in parts: a long recording is cut between words where
the search had got to them, so that memory follows a part and not the square of the recording; silence around
a part that is longer than one is in none.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from services.predictor.core.decoding.beam.ngrams import Integers
from services.predictor.core.decoding.types import HeardLabel, LogProbabilities

_PART_FRAMES = 1500
_NEVER = -np.inf


def align(
    log_probs_fv: LogProbabilities, labels: Sequence[int], frames: Sequence[int], blank: int
) -> list[HeardLabel]:
    """Place the labels of a text.

    Args:
        log_probs_fv: Of the recording; what writes nothing counts as blank there.
        labels: In order.
        frames: For each a frame by which it can have begun and those before it have ended; they only grow.
        blank: The label for nothing said.
    """
    heard: list[HeardLabel] = []
    for first, last, begin, end in _parts(frames, len(log_probs_fv)):
        path = _best_path(log_probs_fv[begin:end], labels[first:last], blank)
        for place, label in enumerate(labels[first:last]):
            said = np.flatnonzero(path == 2 * place + 1)
            one, other = int(said[0]) + begin, int(said[-1]) + begin
            mean = float(log_probs_fv[one : other + 1, label].mean(dtype=np.float64))
            heard.append(HeardLabel(label=label, first_frame=one, last_frame=other, log_probability=mean))
    return heard


def _parts(frames: Sequence[int], count: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut a text: first label and the one behind the last, first frame and the one behind the last."""
    first, begin = 0, 0
    while first < len(frames):
        late = int(np.searchsorted(frames, begin + _PART_FRAMES))
        if late >= len(frames) or count - begin <= 2 * _PART_FRAMES:
            yield first, len(frames), begin, min(count, int(frames[-1]) + _PART_FRAMES)
            return
        if late == first:  # silence before the next label
            begin = int(frames[first])
            continue
        gaps = np.diff(frames[max(first, late - 60) : late + 1])
        last = max(first, late - 60) + int(np.argmax(gaps)) + 1
        end = int(frames[last])
        yield first, last, begin, min(end, int(frames[last - 1]) + _PART_FRAMES)
        first, begin = last, end


def _best_path(log_probs_fv: LogProbabilities, labels: Sequence[int], blank: int) -> Integers:
    """By frame: twice the place of the label that is said, plus one; even numbers are blanks between."""
    states = np.full(2 * len(labels) + 1, blank, dtype=np.int64)
    states[1::2] = labels
    skips = np.zeros(len(states), dtype=bool)  # two equal labels need a blank between them
    skips[3::2] = states[3::2] != states[1:-2:2]
    came = np.zeros((len(log_probs_fv), len(states)), dtype=np.int8)
    best = np.full(len(states), _NEVER)
    best[:2] = log_probs_fv[0, states[:2]]
    choices = np.full((3, len(states)), _NEVER)
    for frame in range(1, len(log_probs_fv)):
        choices[0] = best
        choices[1, 1:] = best[:-1]
        choices[2, 2:] = np.where(skips[2:], best[:-2], _NEVER)
        came[frame] = choices.argmax(axis=0)
        best = choices.max(axis=0) + log_probs_fv[frame, states]
    return _followed(came, len(states) - 1 - int(best[-2] > best[-1]))


def _followed(came: npt.NDArray[np.int8], state: int) -> Integers:
    path = np.empty(len(came), dtype=np.int64)
    for frame in range(len(came) - 1, -1, -1):
        path[frame] = state
        state -= int(came[frame, state])
    return path
