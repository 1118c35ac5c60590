"""Cutting long recordings, and putting their labels together."""

from itertools import pairwise

import numpy as np
import pytest

from services.predictor.core.silence import is_silent
from services.predictor.core.windows import Geometry, frames_once, split, stitch

GEOMETRY = Geometry(receptive_field=400, samples_per_frame=320, window_frames=100, overlap_frames=20)
SILENT = frozenset({0, 4})


def recording(frames: int, extra: int = 0) -> np.ndarray:
    return np.arange((frames - 1) * 320 + 400 + extra, dtype=np.float32)


@pytest.mark.parametrize("samples", [1, 399, 400, 32_080])
def test_a_short_recording_stays_whole(samples: int) -> None:
    (window,) = split(np.ones(samples, dtype=np.float32), GEOMETRY)
    assert len(window.samples) == samples
    assert window.first_frame == 0


@pytest.mark.parametrize("frames", [101, 120, 180, 181, 260, 999])
@pytest.mark.parametrize("extra", [0, 1, 319])
def test_windows_are_equally_long_and_cover_every_frame(frames: int, extra: int) -> None:
    samples = recording(frames, extra)
    windows = split(samples, GEOMETRY)
    covered = set()
    for window in windows:
        assert GEOMETRY.frames(len(window.samples)) == 100
        assert window.samples[0] == window.first_frame * 320
        covered |= set(range(window.first_frame, window.first_frame + 100))
    assert covered == set(range(frames))
    overlaps = [a.first_frame + 100 - b.first_frame for a, b in pairwise(windows)]
    assert min(overlaps) >= 20


@pytest.mark.parametrize("frames", [101, 180, 250, 999])
def test_windows_that_hear_alike_are_put_together_without_a_trace(frames: int) -> None:
    truth = np.random.default_rng(frames).integers(0, 30, frames).tolist()
    pieces = [
        (window.first_frame, truth[window.first_frame : window.first_frame + 100])
        for window in split(recording(frames), GEOMETRY)
    ]
    assert stitch(pieces, SILENT) == truth


def test_the_cut_lies_where_both_hear_nothing() -> None:
    # Both hear a word at the edge that the other sees worse: the cut keeps each one's better half.
    before = [9, 9, 0, 0, 0, 0, 8, 7]
    after = [5, 6, 0, 0, 0, 4, 9, 9]
    assert stitch([(0, before), (0, after)], SILENT) == [9, 9, 0, 0, 0, 4, 9, 9]


def test_without_a_common_silence_the_cut_is_in_the_middle() -> None:
    assert stitch([(0, [1, 1, 1, 1]), (0, [2, 2, 2, 2])], SILENT) == [1, 1, 2, 2]


def test_one_window_needs_no_stitching() -> None:
    assert stitch([(0, [1, 0, 2])], SILENT) == [1, 0, 2]
    assert stitch([], SILENT) == []


@pytest.mark.parametrize("overlap", [0, 100])
def test_windows_must_overlap_and_move_on(overlap: int) -> None:
    with pytest.raises(ValueError, match="cannot share"):
        Geometry(receptive_field=400, samples_per_frame=320, window_frames=100, overlap_frames=overlap)


@pytest.mark.parametrize(
    ("peak", "offset", "silent"),
    [(0.0, 0.0, True), (0.0, 0.3, True), (1e-4, 0.0, True), (1e-3, 0.0, False), (1e-3, 0.3, False)],
)
def test_silence_is_what_hardly_moves(peak: float, offset: float, silent: bool) -> None:
    samples = (offset + peak * np.sin(np.arange(1000))).astype(np.float32)
    assert is_silent(samples, -70.0) is silent


@pytest.mark.parametrize("frames", [1, 99, 101, 120, 180, 181, 260, 999])
def test_every_frame_counts_once_whatever_windows_share(frames: int) -> None:
    windows = split(recording(frames), GEOMETRY)
    shares = frames_once(windows, GEOMETRY)
    counted = [
        window.first_frame + frame for window, share in zip(windows, shares, strict=True) for frame in share
    ]
    assert counted == list(range(frames))


def test_a_recording_shorter_than_a_frame_counts_as_one() -> None:
    assert frames_once(split(np.ones(350, dtype=np.float32), GEOMETRY), GEOMETRY) == [range(1)]
