"""Nothing heard gives no words: what holds no sound never reaches the model, which would invent some."""

from thanosql_ctc.waveform import Samples


def is_silent(samples: Samples, threshold_dbfs: float) -> bool:
    """Tell whether a recording stays below a level; a constant offset is no sound.

    Args:
        samples: Full scale at 1.0.
        threshold_dbfs: Level of the loudest sample, in decibels below full scale.
    """
    spread = float(samples.max()) - float(samples.min())
    return spread / 2 <= 10 ** (threshold_dbfs / 20)
