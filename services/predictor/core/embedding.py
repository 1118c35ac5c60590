"""From the frames of a hidden layer to one vector for a recording: their mean, scaled to length 1."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thanosql_runtime.errors import Reason, ThanosqlError, error


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameSum:
    """The sum of some frames of a recording, in float64: whole recordings are added up of these."""

    total_h: npt.NDArray[np.float64]
    frames: int


def sum_frames(frames_fh: npt.NDArray[np.float32], counted: range) -> FrameSum:
    """Add up the frames of a window that count.

    Args:
        frames_fh: What the layer gave for each frame.
        counted: Which of them count; neighbouring windows share the others.
    """
    part = frames_fh[counted.start : counted.stop]
    return FrameSum(total_h=part.sum(axis=0, dtype=np.float64), frames=len(part))


def to_vector(sums: list[FrameSum]) -> npt.NDArray[np.float32]:
    """The mean of all frames, scaled to length 1.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT where the mean has no direction.
    """
    mean_h = np.sum([part.total_h for part in sums], axis=0) / sum(part.frames for part in sums)
    length = float(np.linalg.norm(mean_h))
    if not np.isfinite(length) or length == 0.0:
        raise error(Reason.INVALID_CHECKPOINT, "the model gives the same for every sound: it is damaged")
    vector: npt.NDArray[np.float32] = (mean_h / length).astype(np.float32)
    return vector


def nothing_to_embed() -> ThanosqlError:
    """The failure of a recording in which nothing is heard."""
    return error(Reason.AUDIO_EMPTY, "nothing is heard in the recording: silence has no embedding")


def too_short_to_embed(samples: int, sample_rate_hz: int) -> ThanosqlError:
    """The failure of a recording that is shorter than a sound."""
    duration_ms = 1000 * samples / sample_rate_hz
    return error(
        Reason.AUDIO_TOO_SHORT, f"the recording has {duration_ms:.0f} ms: too short for an embedding"
    )
