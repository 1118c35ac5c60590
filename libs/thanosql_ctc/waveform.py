"""What happens to samples between the decoder and the model."""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
_VARIANCE_FLOOR = 1e-7
_BLOCK_SAMPLES = 1 << 20
_SHORTEST_S = 0.02
SHORT_S = 1.0
MARGIN_S = 0.2


def with_margins(samples: Samples, sample_rate_hz: int) -> Samples:
    """Put a fifth of a second of silence on both sides of a recording shorter than a second.

    A word cut close to its sound gives fewer frames than CTC needs for its letters (THREE in 0.25 s), and the
    convolutions hear its edges with half a field of view. Longer recordings have room enough; what is shorter
    than a fiftieth of a second holds no word.
    """
    margin = margin_samples(len(samples), sample_rate_hz)
    # Silence lies where the recording's own zero is; a step up to it would be a click.
    return np.pad(samples, margin, constant_values=samples.mean()) if margin else samples


def margin_samples(samples: int, sample_rate_hz: int) -> int:
    """How much silence `with_margins` puts on either side of a recording of so many samples."""
    return round(MARGIN_S * sample_rate_hz) if _SHORTEST_S <= samples / sample_rate_hz < SHORT_S else 0


def normalise_waveform(samples: Samples) -> Samples:
    """Shift to zero mean and scale to unit variance, as Hugging Face's feature extractor does.

    The statistics are taken in float64, since a long recording far from zero loses them in float32, and block
    by block, so that an hour of audio has no copy in float64.
    """
    if samples.ndim != 1 or len(samples) == 0:
        raise ValueError(f"samples must be one channel with at least one sample, got shape {samples.shape}")
    blocks = [samples[begin : begin + _BLOCK_SAMPLES] for begin in range(0, len(samples), _BLOCK_SAMPLES)]
    mean = sum(float(block.sum(dtype=np.float64)) for block in blocks) / len(samples)
    squares = (float(np.square(block.astype(np.float64) - mean).sum()) for block in blocks)
    deviation = float(np.sqrt(sum(squares) / len(samples) + _VARIANCE_FLOOR))
    normalised: Samples = samples - np.float32(mean)
    normalised /= np.float32(deviation)
    return normalised
