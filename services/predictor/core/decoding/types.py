"""What decoders take and give: the scores of frames, and hypotheses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
        confidence: How probable it is that this word was said, 0 to 1; None where nobody asked.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """A hypothesis as it is told.

    Attributes:
        text: What was heard.
        words: Its words, in order; empty where nobody asked.
        confidence: The share of its words that are probably right; None without words or where nobody asked.
    """

    text: str
    words: Sequence[SpokenWord] = ()
    confidence: float | None = None

    def later(self, seconds: float) -> "Reading":
        """The same of a recording that begins so much later."""
        words = [
            replace(word, start_s=word.start_s + seconds, end_s=word.end_s + seconds) for word in self.words
        ]
        return replace(self, words=words)

    def told(self, *, word_times: bool, confidence: bool) -> "Reading":
        """The part of it that was asked for."""
        words = self.words if word_times else ()
        if confidence:
            return replace(self, words=words)
        return Reading(text=self.text, words=[replace(word, confidence=None) for word in words])


@dataclass(frozen=True, kw_only=True)
class Detail:
    """What is told of a recording beside its text.

    Attributes:
        word_times: When each word was said.
        confidence: How sure the text is, and with `word_times` how sure each word.
        n_best: Readings at most; 1 is the text alone.
    """

    word_times: bool = False
    confidence: bool = False
    n_best: int = 1

    @property
    def is_text_alone(self) -> bool:
        """Whether nothing more is told."""
        return self == Detail()
