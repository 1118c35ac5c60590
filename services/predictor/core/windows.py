"""Long recordings in windows: attention sees one window, and the labels are put together on frames.

Windows start on frame boundaries, so a frame of a window is a frame of the recording. Neighbours overlap; the
cut between them lies in the middle of the longest stretch of the overlap where both hear nothing.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from services.predictor.core.decoding.types import LogProbabilities
from thanosql_ctc.waveform import Samples


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Sizes of windows.

    Attributes:
        receptive_field: Samples that one frame needs.
        samples_per_frame: Samples between two frames.
        window_frames: Frames of a window.
        overlap_frames: Frames that neighbours share.
    """

    receptive_field: int
    samples_per_frame: int
    window_frames: int
    overlap_frames: int

    def __post_init__(self) -> None:
        if not 0 < self.overlap_frames < self.window_frames:
            raise ValueError(f"windows of {self.window_frames} frames cannot share {self.overlap_frames}")

    @property
    def window_samples(self) -> int:
        """Samples of a window."""
        return (self.window_frames - 1) * self.samples_per_frame + self.receptive_field

    def frames(self, samples: int) -> int:
        """Frames of a recording."""
        return max(0, (samples - self.receptive_field) // self.samples_per_frame + 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """A part of a recording; a view, not a copy. What is not audible is not computed."""

    first_frame: int
    samples: Samples
    audible: bool = True


def split(samples: Samples, geometry: Geometry) -> list[Window]:
    """Cut a recording into windows of equal length; a short one stays whole."""
    if len(samples) <= geometry.window_samples:
        return [Window(first_frame=0, samples=samples)]
    last = geometry.frames(len(samples)) - geometry.window_frames
    step = geometry.window_frames - geometry.overlap_frames
    firsts = [*range(0, last, step), last]
    return [Window(first_frame=first, samples=_cut(samples, first, geometry)) for first in firsts]


def frames_once(windows: Sequence[Window], geometry: Geometry) -> list[range]:
    """Share the frames of a recording out: those of each window that count, so that each counts once.

    Neighbours are cut in the middle of what they share. What is shorter than a frame is filled up to one.
    """
    begins = [window.first_frame for window in windows]
    ends = [window.first_frame + max(1, geometry.frames(len(window.samples))) for window in windows]
    cuts = [(begin + end) // 2 for begin, end in zip(begins[1:], ends, strict=False)]
    firsts, lasts = [begins[0], *cuts], [*cuts, ends[-1]]
    return [
        range(first - begin, last - begin) for first, last, begin in zip(firsts, lasts, begins, strict=True)
    ]


def stitch(pieces: list[tuple[int, list[int]]], silent_ids: Set[int]) -> list[int]:
    """Put the labels of overlapping windows together.

    Args:
        pieces: First frame and labels of each window, in order.
        silent_ids: Labels that stand for nothing heard: the blank and the delimiter.
    """
    labels: list[int] = []
    for first_frame, piece in pieces:
        cut = _seam(labels, first_frame, piece, silent_ids)
        labels[first_frame + cut :] = piece[cut:]
    return labels


def stitch_scores(pieces: list[tuple[int, LogProbabilities]], silent_ids: Set[int]) -> LogProbabilities:
    """Put the scores of overlapping windows together, cut where `stitch` cuts their best labels.

    Args:
        pieces: First frame and scores of each window, in order; at least one.
        silent_ids: As for `stitch`.
    """
    if len(pieces) == 1:
        return pieces[0][1]
    labels: list[int] = []
    first_frame, last = pieces[-1]
    log_probs_fv = np.empty((first_frame + len(last), last.shape[-1]), dtype=np.float32)
    for first_frame, piece in pieces:
        best = piece.argmax(axis=-1).tolist()
        cut = _seam(labels, first_frame, best, silent_ids)
        labels[first_frame + cut :] = best[cut:]
        log_probs_fv[first_frame + cut : first_frame + len(piece)] = piece[cut:]
    return log_probs_fv


def _seam(labels: list[int], first_frame: int, piece: list[int], silent_ids: Set[int]) -> int:
    """The first frame of a window that counts; what the windows before it say of later frames does not."""
    overlap = len(labels) - first_frame
    if overlap <= 0:
        return 0
    return _cut_frame(labels[first_frame:], piece[:overlap], silent_ids)


def _cut(samples: Samples, first_frame: int, geometry: Geometry) -> Samples:
    begin = first_frame * geometry.samples_per_frame
    return samples[begin : begin + geometry.window_samples]


def _cut_frame(before: list[int], after: list[int], silent_ids: Set[int]) -> int:
    best_begin, best_length, begin = len(before) // 2, 0, 0
    pairs = list(zip(before, after, strict=True))
    for frame in range(len(pairs) + 1):
        if frame < len(pairs) and pairs[frame][0] in silent_ids and pairs[frame][1] in silent_ids:
            continue
        if frame - begin > best_length:
            best_begin, best_length = begin, frame - begin
        begin = frame + 1
    return best_begin + best_length // 2
