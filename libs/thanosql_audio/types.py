"""What a recording is, before and after it has been decoded."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """What the header of a recording says; nothing was decoded, so none of it is proven.

    Attributes:
        sample_rate_hz: Rate that the header names.
        channels: Number of channels.
        duration_s: Frames that the header promises, over the rate; an estimate for mp3.
        format: Container, as libsndfile calls it: WAV, FLAC, OGG, MP3, ...
        subtype: Encoding inside: PCM_16, VORBIS, ...
    """

    sample_rate_hz: int
    channels: int
    duration_s: float
    format: str
    subtype: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Audio:
    """A decoded recording: one channel at the rate that was asked for.

    Attributes:
        samples: float32, shape [T], full scale at 1.0.
        sample_rate_hz: Rate of `samples`.
        duration_s: Seconds of audio in the source, counted while decoding.
        source_rate_hz: Rate of the source.
        channels: Channels of the source.
    """

    samples: Samples
    sample_rate_hz: int
    duration_s: float
    source_rate_hz: int
    channels: int
