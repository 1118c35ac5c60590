"""EVALUATE: rows in, scores out, in memory that does not grow with the rows."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.trainer.core.scoring import ScoreCounter, Scores
from thanosql_runtime.errors import Reason, error

LONGEST_TEXT = 100_000


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """One row: what was said and what was heard; `failed` where there is nothing to compare."""

    reference: str
    hypothesis: str
    audio_s: float
    failed: bool = False


class Evaluation:
    """Counts rows."""

    def __init__(self) -> None:
        self._counter = ScoreCounter()

    def add(self, rows: Iterable[ScoredRow]) -> None:
        """Count some rows.

        Raises:
            ThanosqlError: INVALID_ARGUMENT for a text so long that comparing it would take for ever.
        """
        for row in rows:
            if row.failed:
                self._counter.leave_out()
                continue
            if max(len(row.reference), len(row.hypothesis)) > LONGEST_TEXT:
                message = f"a text has more than {LONGEST_TEXT} characters; split its recording first"
                raise error(Reason.INVALID_ARGUMENT, message)
            self._counter.add(row.reference, row.hypothesis, row.audio_s)

    def scores(self) -> Scores:
        """The scores.

        Raises:
            ThanosqlError: NO_USABLE_ROWS where no row could be compared.
        """
        scores = self._counter.scores()
        if scores.rows == 0:
            count = scores.rows_left_out
            why = f"all {count} rows failed or have no text" if count else "there are no rows"
            raise error(Reason.NO_USABLE_ROWS, f"nothing can be scored: {why}", rows_left_out=str(count))
        return scores
