"""What a copy tells while it runs: how far it is, and which rows it could not read."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from services.storage.core.rows import Rows
from services.storage.core.types import CopyProgress, RowProblem
from thanosql_runtime.errors import Reason

MOST_KEPT = 100


class CopyReport:
    """Collects what a copy says.

    Args:
        progress: Called now and then from the thread that copies; it raises to stop the copy.
    """

    def __init__(self, progress: Callable[[CopyProgress], None]) -> None:
        self._progress = progress
        self._last = CopyProgress(rows=0, done=0, total=0)
        self._problems: list[RowProblem] = []
        self.rows_quarantined = 0

    def advance(self, *, rows: int, done: int, total: int) -> None:
        """Say how far it is; bytes, or files for a folder."""
        self._last = CopyProgress(rows=rows, done=done, total=total)
        self._progress(self._last)

    def heard(self, rows: Rows) -> Rows:
        """Return the rows, telling how many were handed on, so that the copy can be stopped to its end."""

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rows.reader():
                self._tell(rows.row_count)
                yield batch
            self._tell(rows.row_count)

        return Rows(rows.schema, batches())

    def _tell(self, rows: int) -> None:
        last = self._last
        self._progress(CopyProgress(rows=max(rows, last.rows), done=last.done, total=last.total))

    def quarantine(self, row: int, subject: str, message: str, reason: Reason = Reason.INVALID_DATA) -> None:
        """Leave a row out; the first hundred are kept by name."""
        self.rows_quarantined += 1
        if len(self._problems) < MOST_KEPT:
            self._problems.append(RowProblem(row=row, subject=subject, reason=reason, message=message))

    def count_quarantined(self) -> None:
        """Count a row left out that needs no name, because enough have one."""
        self.rows_quarantined += 1

    @property
    def quarantined(self) -> tuple[RowProblem, ...]:
        """The first rows left out, in order."""
        return tuple(self._problems)
