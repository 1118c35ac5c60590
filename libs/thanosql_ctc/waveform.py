"""What happens to samples between the decoder and the model."""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
_VARIANCE_FLOOR = 1e-7


def normalise_waveform(samples: Samples) -> Samples:
    """Shift to zero mean and scale to unit variance, as Hugging Face's feature extractor does.

    The statistics are taken in float64: a long recording far from zero loses them in float32.
    """
    if samples.ndim != 1 or len(samples) == 0:
        raise ValueError(f"samples must be one channel with at least one sample, got shape {samples.shape}")
    mean = samples.mean(dtype=np.float64)
    variance = samples.var(dtype=np.float64)
    normalised: Samples = ((samples - mean) / np.sqrt(variance + _VARIANCE_FLOOR)).astype(np.float32)
    return normalised
