"""What decoders take and give: the scores of frames, and hypotheses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LogProbabilities = npt.NDArray[np.float32]
"""The logarithm of how probable each label is in each frame: [frames, labels], `_fv`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeardLabel:
    """A label and where it was heard, in frames from the start of what was decoded.

    Attributes:
        label: Position in the vocabulary; never the blank.
        first_frame: Where the run of frames that say it begins.
        last_frame: Where that run ends; the same for a run of one frame.
        log_probability: Mean over those frames of the label's logarithm of probability.
    """

    label: int
    first_frame: int
    last_frame: int
    log_probability: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Hypothesis:
    """One way to read the frames.

    Attributes:
        labels: In order, the delimiter between words among them; empty where nothing is heard.
        score: Natural logarithm; the larger the better, comparable between hypotheses of one recording alone.
    """

    labels: Sequence[HeardLabel]
    score: float
