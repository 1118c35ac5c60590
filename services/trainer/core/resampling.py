"""Confidence intervals of error rates: a percentile bootstrap over rows, or over groups of them.

M. Bisani and H. Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation",
ICASSP 2004: draw as many units as there are, with replacement, and take the rate of all errors over all
words each time; the middle 95 % of these rates is the interval.
"""

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.trainer.core.scoring import Comparison

RESAMPLES = 2000
CONFIDENCE = 0.95
_SEED = 20041
_DRAWN_AT_ONCE = 1 << 18
_COUNTS = 4
_TAIL = (1 - CONFIDENCE) / 2


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a rate lies, with a confidence of 95 %."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Those of both rates."""

    wer: Interval
    cer: Interval


class Sample:
    """The counts of what is drawn, in memory that is bounded.

    Up to `most_units`, every row is a unit of its own, or every group of rows that must be drawn together.
    Those beyond share the units that are there, row after row: a unit then holds rows that stood far apart,
    which leaves the interval as it was and the memory too.

    Args:
        most_units: Units that are kept apart.
    """

    def __init__(self, most_units: int) -> None:
        self._most_units = most_units
        self._rows = 0
        self._units: dict[int, int] = {}
        # Word errors, words, character errors and characters of each unit, one unit after the other.
        self._counts = array("q")

    def add(self, comparison: Comparison, group: int | None = None) -> None:
        """Add a row; those with the same `group` are drawn together."""
        start = _COUNTS * (self._unit_of_row() if group is None else self._unit_of(group))
        if start == len(self._counts):
            self._counts.extend([0] * _COUNTS)
        words, characters = comparison.words, comparison.characters
        for place, count in enumerate(
            (words.errors, words.reference, characters.errors, characters.reference)
        ):
            self._counts[start + place] += count

    def intervals(self) -> Intervals | None:
        """Both intervals, the same for the same units; None where there is nothing to vary."""
        counts = np.array(self._counts, np.int64).reshape(-1, _COUNTS)
        if len(counts) < 2:
            return None
        # Sorted, so that the order in which rows come says nothing.
        rates = _resampled_rates(counts[np.lexsort(counts.T)])
        (wer_low, cer_low), (wer_high, cer_high) = np.quantile(rates, (_TAIL, 1 - _TAIL), axis=0)
        return Intervals(
            wer=Interval(low=float(wer_low), high=float(wer_high)),
            cer=Interval(low=float(cer_low), high=float(cer_high)),
        )

    def _unit_of_row(self) -> int:
        self._rows += 1
        return (self._rows - 1) % self._most_units

    def _unit_of(self, group: int) -> int:
        if group not in self._units and len(self._units) == self._most_units:
            return group % self._most_units
        return self._units.setdefault(group, len(self._units))


def _resampled_rates(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Word and character error rates of `RESAMPLES` samples of the units; every unit holds a word."""
    units = len(counts)
    random = np.random.default_rng(_SEED)
    at_once = max(1, _DRAWN_AT_ONCE // units)
    rates = []
    for begun in range(0, RESAMPLES, at_once):
        drawn = random.integers(0, units, (min(at_once, RESAMPLES - begun), units))
        sums = np.stack([column[drawn].sum(axis=1) for column in counts.T], axis=1)
        rates.append(sums[:, [0, 2]] / sums[:, [1, 3]])
    return np.concatenate(rates)
