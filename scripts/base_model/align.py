"""Where the words of a known text lie in a recording, by a CTC model's own probabilities.

The best path through the labels with blanks between them (Graves et al. 2006, section 4), found by Viterbi's
algorithm. Shapes: T frames, V labels, S states (a blank, then each label followed by a blank).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float32]

BLANK = 0


@dataclass(frozen=True, kw_only=True)
class Path:
    """The best path.

    Attributes:
        first_frames: For each label, the frame where it begins.
        last_frames: For each label, its last frame.
        score: Mean log probability of a frame on the path.
    """

    first_frames: npt.NDArray[np.int64]
    last_frames: npt.NDArray[np.int64]
    score: float


def best_path(log_probs_tv: Scores, labels: list[int]) -> Path | None:
    """Find the best path; None where there are fewer frames than the labels need."""
    states = _states(labels)
    frames = len(log_probs_tv)
    came_from, scores = _forward(log_probs_tv, states)
    if not labels:
        return None
    end = last = len(states) - 1 if scores[-1] >= scores[-2] else len(states) - 2
    if not np.isfinite(scores[end]):
        return None
    visited = np.empty(frames, np.int64)
    for frame in range(frames - 1, -1, -1):
        visited[frame] = last
        last -= int(came_from[frame, last])
    of_label = np.arange(1, len(states), 2)
    return Path(
        first_frames=np.searchsorted(visited, of_label, side="left"),
        last_frames=np.searchsorted(visited, of_label, side="right") - 1,
        score=float(scores[end] / frames),
    )


def _states(labels: list[int]) -> npt.NDArray[np.int64]:
    states = np.full(2 * len(labels) + 1, BLANK)
    states[1::2] = labels
    return states


def _forward(
    log_probs_tv: Scores, states: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float64]]:
    """Return how many states each step came from behind, and the scores after the last frame."""
    emitted_ts = log_probs_tv[:, states].astype(np.float64)
    may_skip = np.zeros(len(states), bool)
    may_skip[3::2] = states[3::2] != states[1:-2:2]
    scores = np.full(len(states), -np.inf)
    scores[:2] = emitted_ts[0, :2]
    came_from = np.zeros(emitted_ts.shape, np.int8)
    for frame in range(1, len(emitted_ts)):
        stay = scores
        step = np.concatenate(([-np.inf], scores[:-1]))
        skip = np.where(may_skip, np.concatenate(([-np.inf, -np.inf], scores[:-2])), -np.inf)
        choices = np.stack([stay, step, skip])
        came_from[frame] = choices.argmax(axis=0)
        scores = choices.max(axis=0) + emitted_ts[frame]
    return came_from, scores
