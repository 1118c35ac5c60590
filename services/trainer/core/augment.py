"""SpecAugment and layer drop, fitted to the model and to the recordings at hand."""

import contextlib
from collections.abc import Iterator
from typing import Any

from thanosql_ctc.families import CtcConfig

_FEWEST_LAYERS_TO_DROP = 12
_MASKED_SHARE = 10
_FIELDS = ("layerdrop", "mask_time_length", "mask_feature_length", "mask_feature_prob")


@contextlib.contextmanager
def fitted_regularisation(config: CtcConfig) -> Iterator[None]:
    """Change the configuration for the time of training, and put it back.

    A model of few layers cannot spare one, and a mask over features cannot be wider than they are.
    """
    kept = {name: getattr(config, name) for name in _FIELDS}
    changeable: Any = config  # Any: the configuration's fields are declared loosely
    if config.num_hidden_layers < _FEWEST_LAYERS_TO_DROP:
        changeable.layerdrop = 0.0
    changeable.mask_feature_length = min(config.mask_feature_length, config.hidden_size)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(config, name, value)


def mask_length(longest: int, frames: int) -> int:
    """Length of a time mask for a recording of that many frames.

    A mask longer than the recording is an error in the model's code, and the least number of masks
    (two) times the usual length (0.2 s) would hide a short word whole: a tenth is hidden at most by one.
    """
    return max(1, min(longest, frames // _MASKED_SHARE))
