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


@dataclass(frozen=True, kw_only=True, slots=True)
class SpokenWord:
    """A word and where it was said.

    Attributes:
        text: As it is written.
        start_s: Where it begins in the recording.
        end_s: Where it ends.
        confidence: How probable it is that this word was said, 0 to 1.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A hypothesis as it is told.

    Attributes:
        text: What was heard.
        words: Its words, in order.
    """

    text: str
    words: Sequence[SpokenWord]

    @property
    def confidence(self) -> float | None:
        """The share of its words that are probably right; None where there are none."""
        return sum(word.confidence for word in self.words) / len(self.words) if self.words else None
