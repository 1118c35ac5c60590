"""How sure a word is, as a probability that it was said.

What a CTC model says of a frame is nearly always close to certain, so its own probabilities are no such
thing. The Tsallis entropy of frames, of order 1/3, tells more (Laptev and Ginsburg, Fast Entropy-Based
Methods of Word-Level Confidence Estimation, 2022, arXiv 2212.08703). A logistic regression (Platt 1999) of
it, of the letters' own probabilities and of the entropy of the words around turns it into the share of such
words that were right. `scripts/calibrate_confidence.py` makes the numbers below, and measures them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.predictor.core.decoding.letters import WordLetters
from services.predictor.core.decoding.types import LogProbabilities

_ORDER = 1 / 3
_NEIGHBOURS = 4
# Beyond this a probability is 0 or 1 in all its digits.
_SURE = 30.0
Features = npt.NDArray[np.float64]
"""What is known of each word: [words, features]."""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A logistic regression.

    Attributes:
        bias: Its constant.
        weights: Of the worst entropy of a word's frames, of the mean log-probability of its letters, and of
            the mean entropy of the words around.
    """

    bias: float
    weights: tuple[float, float, float]


CALIBRATION = Calibration(bias=7.590, weights=(-13.985, 3.979, -6.873))


def word_confidences(
    words: Sequence[WordLetters], entropies_f: Features, calibration: Calibration = CALIBRATION
) -> list[float]:
    """How probable it is that each word was said.

    Args:
        words: Of one recording, in order.
        entropies_f: As `frame_entropies` gives them.
        calibration: The numbers to use.
    """
    sums = calibration.bias + word_features(words, entropies_f) @ np.array(calibration.weights)
    return [float(confidence) for confidence in 1 / (1 + np.exp(-np.clip(sums, -_SURE, _SURE)))]


def word_features(words: Sequence[WordLetters], entropies_f: Features) -> Features:
    """What a calibration weighs, for each word."""
    spans = [entropies_f[word.first_frame : word.last_frame + 1] for word in words]
    means = [float(span.mean()) for span in spans]
    rows = [
        (
            float(span.max()),
            sum(letter.log_probability for letter in word.letters) / len(word.letters),
            float(np.mean(means[max(0, index - _NEIGHBOURS) : index + _NEIGHBOURS + 1])),
        )
        for index, (word, span) in enumerate(zip(words, spans, strict=True))
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def frame_entropies(log_probs_fv: LogProbabilities) -> Features:
    """The entropy of each frame: 0 where one label is certain, 1 where all are as probable."""
    labels = log_probs_fv.shape[-1]
    sums_f = np.exp(_ORDER * log_probs_fv).sum(axis=-1, dtype=np.float64)
    entropies: Features = (1 - sums_f) / (1 - labels ** (1 - _ORDER))
    return entropies
