"""What a copy tells while it runs: how far it is, and which rows it could not read."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pyarrow as pa

from services.storage.core.copying.records import RecordSpool
from services.storage.core.copying.sources import shown
from services.storage.core.tables.quarantines import QUARANTINE
from services.storage.core.tables.rows import Rows
from services.storage.core.types import CopyProgress, RowProblem
from thanosql_runtime.errors import Reason, error

_MOST_TOLD = 100
_LONGEST_RAW = 64 << 10


class CopyReport:
    """Collects what a copy says; closing it forgets the rows that it could not read.

    Args:
        progress: Called now and then from the thread that copies; it raises to stop the copy.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, progress: Callable[[CopyProgress], None], clock: Callable[[], float] = time.time
    ) -> None:
        self._progress = progress
        self._last = CopyProgress(rows=0, done=0, total=0)
        self._told: list[RowProblem] = []
        self._spool: RecordSpool | None = None
        self._copy_time = datetime.fromtimestamp(clock(), UTC).replace(tzinfo=None)

    def advance(self, *, rows: int, done: int, total: int, unit: str = "bytes") -> None:
        """Say how far it is."""
        self._last = CopyProgress(rows=rows, done=done, total=total, unit=unit)
        self._progress(self._last)

    def heard(self, rows: Rows) -> Rows:
        """Return the rows, telling how many were handed on, so that the copy can be stopped to its end."""

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in rows.reader():
                self._tell(rows.row_count)
                yield batch
            self._tell(rows.row_count)

        return Rows(rows.schema, batches())

    def quarantine(self, problem: RowProblem) -> None:
        """Leave a row out; all are kept in a file, the first hundred are told with the answer."""
        if self._spool is None:
            self._spool = RecordSpool(QUARANTINE)
        self._spool.add(
            {
                "source": problem.source,
                "line": problem.line,
                "reason": problem.reason.value,
                "message": problem.message,
                "raw": problem.raw and problem.raw[:_LONGEST_RAW],
                "copy_time": self._copy_time,
            }
        )
        if len(self._told) < _MOST_TOLD:
            self._told.append(problem)

    def require_rows(self, readable: int, name: str) -> None:
        """Refuse a copy of which nothing is left: it is a misunderstanding, such as another delimiter.

        Raises:
            ThanosqlError: INVALID_DATA, with the first problem.
        """
        if readable or not self._told:
            return
        first = self._told[0]
        message = (
            f"no row of {shown(name)} can be read ({self.rows_quarantined} tried); "
            f"{first.subject}: {first.message}"
        )
        raise error(Reason.INVALID_DATA, message, path=name)

    @property
    def rows_quarantined(self) -> int:
        """How many rows were left out."""
        return self._spool.row_count if self._spool is not None else 0

    @property
    def quarantined(self) -> tuple[RowProblem, ...]:
        """The first rows left out, in order."""
        return tuple(self._told)

    def left_out(self) -> Rows | None:
        """Return every row that was left out as rows of a quarantine, once all were reported."""
        return None if self._spool is None else Rows(QUARANTINE, self._spool.batches())

    def close(self) -> None:
        """Forget the rows that were left out."""
        if self._spool is not None:
            self._spool.close()

    def __enter__(self) -> "CopyReport":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, rows: int) -> None:
        last = self._last
        self._progress(
            CopyProgress(rows=max(rows, last.rows), done=last.done, total=last.total, unit=last.unit)
        )
