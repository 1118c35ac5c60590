"""EVALUATE: rows in, scores out, in memory that does not grow with the rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.trainer.core.resampling import Intervals, Sample
from services.trainer.core.scoring import ScoreCounter, Scores, compare
from thanosql_runtime.errors import Reason, error

LONGEST_TEXT = 100_000
MOST_SLICES = 1000
# Rows go to units in turn. A prime number has no common period with tables that repeat every so many rows.
_UNITS = 9973
_UNITS_OF_A_SLICE = 997


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """One row: what was said and what was heard; `failed` where there is nothing to compare.

    Attributes:
        slice: Number of the part of the rows that it belongs to; None where they are not parted.
        group: What it is drawn together with; None where it is drawn alone.
    """

    reference: str
    hypothesis: str
    audio_s: float
    failed: bool = False
    slice: int | None = None
    group: int | None = None


@dataclass(frozen=True, kw_only=True)
class MeasuredScores:
    """Scores, and how sure they are; None where a single row or group says nothing about that."""

    scores: Scores
    intervals: Intervals | None


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The scores of all rows, and of each slice by its number."""

    total: MeasuredScores
    slices: Mapping[int, MeasuredScores]


class Evaluation:
    """Counts rows."""

    def __init__(self) -> None:
        self._total = _Part(_UNITS)
        self._slices: dict[int, _Part] = {}

    def add(self, rows: Iterable[ScoredRow]) -> None:
        """Count some rows.

        Raises:
            ThanosqlError: INVALID_ARGUMENT for a text so long that comparing it would take for ever, and for
                more slices than there may be.
        """
        for row in rows:
            parts = [self._total]
            if row.slice is not None:
                parts.append(self._slice(row.slice))
            comparison = None if row.failed else compare(*_texts(row))
            for part in parts:
                part.counter.count(comparison, row.audio_s)
                if comparison is not None:
                    part.sample.add(comparison, row.group)

    def evaluated(self) -> Evaluated:
        """The scores.

        Raises:
            ThanosqlError: NO_USABLE_ROWS where no row could be compared.
        """
        total = self._total.measured()
        if total.scores.rows == 0:
            count = total.scores.rows_left_out
            why = f"all {count} rows failed or have no text" if count else "there are no rows"
            raise error(Reason.NO_USABLE_ROWS, f"nothing can be scored: {why}", rows_left_out=str(count))
        return Evaluated(total=total, slices={key: part.measured() for key, part in self._slices.items()})

    def _slice(self, number: int) -> "_Part":
        if number not in self._slices:
            if len(self._slices) == MOST_SLICES:
                raise error(Reason.INVALID_ARGUMENT, f"there are more than {MOST_SLICES} slices")
            self._slices[number] = _Part(_UNITS_OF_A_SLICE)
        return self._slices[number]


class _Part:
    def __init__(self, most_units: int) -> None:
        self.counter = ScoreCounter()
        self.sample = Sample(most_units)

    def measured(self) -> MeasuredScores:
        return MeasuredScores(scores=self.counter.scores(), intervals=self.sample.intervals())


def _texts(row: ScoredRow) -> tuple[str, str]:
    if max(len(row.reference), len(row.hypothesis)) > LONGEST_TEXT:
        message = f"a text has more than {LONGEST_TEXT} characters; split its recording first"
        raise error(Reason.INVALID_ARGUMENT, message)
    return row.reference, row.hypothesis
