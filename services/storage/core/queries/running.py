"""The rows of one query, computed step by step as they are asked for and never collected."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads

from services.storage.core.extracts.extract_files import is_damage
from services.storage.core.queries import pushdown
from services.storage.core.queries.connections import QueryLimits, register
from services.storage.core.queries.databases import Loan
from services.storage.core.queries.faults import translate
from services.storage.core.queries.outgoing import FAILURES, FEW_ROWS, OutgoingRows, too_large
from services.storage.core.queries.repeating import repeats_nothing
from services.storage.core.queries.table_reads import TableRead
from services.storage.core.sandbox.sandbox import CheckedQuery, rejected
from services.storage.core.spooling import Spool
from services.storage.core.tables.plain import plain_batch, plain_schema
from services.storage.core.watching import LOOK_AGAIN_S
from services.storage.core.widths import MOST_ROWS
from thanosql_runtime.errors import Reason, ThanosqlError, error

_T = TypeVar("_T")
_SCAN_FAILED = "exporting a stream from the object"

Prepare = Callable[[Any], tuple[str, Sequence[str]]]  # Any: DuckDB ships no types
"""Works in temporary tables of the connection; answers the query to run then, and remarks for the user."""


class RunningQuery:
    """The rows of one query, computed as they are asked for; `tables_read` are those behind it.

    One thread at a time iterates; any thread may `interrupt`. Close it when done: closing stops a step
    that is in progress, and waits for its end.

    Attributes:
        remarks: What the user should know; complete once the schema is.
    """

    def __init__(
        self,
        loan: Loan,
        query: CheckedQuery,
        reads: Sequence[TableRead],
        *,
        columns: list[str],
        limits: QueryLimits,
        prepare: Prepare | None = None,
    ) -> None:
        self.remarks: Sequence[str] = ()
        self.tables_read = tuple(read.version for read in reads)
        self._prepare = prepare
        self._loan = loan
        self._connection = loan.connection
        self._watcher = loan.watcher
        self._query = query
        self._reads = reads
        self._columns = columns
        self._limit_s = self._left_s = limits.compute_s
        self._growth_bytes = limits.growth_bytes
        self._begun_s = time.monotonic()
        self._late = False
        self._heavy = False
        self._cancelled = False
        self._closed = False
        self._cleanup = contextlib.ExitStack()
        self._cleanup.callback(loan.close)
        self._step = threading.Lock()
        self._rows_at_once = min([read.rows_at_once for read in reads], default=MOST_ROWS)
        self._has_given = False
        self._sql = ""
        self._rows: OutgoingRows | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns of the answer."""
        return plain_schema(self._opened().schema)

    def owns(self, resource: contextlib.AbstractContextManager[Any]) -> None:
        """Close the resource together with the query."""
        self._cleanup.enter_context(resource)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        self._opened()
        schema = self.schema
        while True:
            batch = self._timed(self._next)
            if batch is None:
                self._loan.is_clean = not self._cancelled
                return
            if batch.num_rows:
                yield plain_batch(batch, schema)

    @property
    def is_closed(self) -> bool:
        """Whether everything was given back."""
        return self._closed

    def interrupt(self) -> None:
        """Stop the computing; the iteration raises CANCELLED."""
        self._cancelled = True
        with contextlib.suppress(duckdb.ConnectionException):  # It is closed: the query has ended.
            self._connection.interrupt()

    def close(self) -> None:
        """Stop a step in progress, and give everything back."""
        # An interrupt that comes just before DuckDB starts is lost, so it is repeated.
        while not self._step.acquire(timeout=LOOK_AGAIN_S):
            self.interrupt()
        try:
            self._rows = None
            self._cleanup.close()
            self._closed = True
        finally:
            self._step.release()

    def __enter__(self) -> "RunningQuery":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> OutgoingRows:
        return self._rows or self._timed(self._start)

    def _start(self) -> OutgoingRows:
        statements = self._connection.extract_statements(self._query.sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise rejected("this is not one SELECT")
        self._sql = statements[0].query
        return self._in_smaller_steps_if_too_large(self._open)

    def _next(self) -> pa.RecordBatch | None:
        batch = self._in_smaller_steps_if_too_large(lambda: self._open().next())
        self._has_given = True
        return batch

    def _in_smaller_steps_if_too_large(self, step: Callable[[], _T]) -> _T:
        try:
            return step()
        except FAILURES:
            if not self._may_come_in_smaller_steps():
                raise
        self._rows_at_once, self._rows = FEW_ROWS, None
        return step()

    def _may_come_in_smaller_steps(self) -> bool:
        """Whether the rows were too large together, and computing them again gives the same ones."""
        if not self._loan.scale.is_full or self._has_given or self._rows_at_once <= FEW_ROWS:
            return False
        # What was handed down to Lance can be read once.
        return not any(pushdown.plan(self._query.tree, read.schema) for read in self._reads)

    def _open(self) -> OutgoingRows:
        if self._rows is None:
            self._rows = self._read()
        return self._rows

    def _read(self) -> OutgoingRows:
        try:
            return self._outgoing()
        except duckdb.Error as problem:
            if _SCAN_FAILED not in str(problem):
                raise
        self._read_apart()
        return self._outgoing()

    def _outgoing(self) -> OutgoingRows:
        sql = self._sql
        if self._prepare is not None:
            sql, self.remarks = self._prepare(self._connection)
        is_weighed = self._prepare is not None or not repeats_nothing(self._query.tree)
        scale = self._loan.scale if is_weighed else None
        return OutgoingRows(self._connection, sql, scale, self._rows_at_once)

    def _read_apart(self) -> None:
        """Put copies in the place of the tables.

        DuckDB hands every filter down, and Lance has none for times, unsigned numbers, parts of structures.
        """
        for read in self._reads:
            if read.dataset is None:
                continue  # DuckDB reads it from extracts.
            spool = Spool(read.schema)
            self.owns(spool)
            for batch in read.dataset.to_batches(batch_size=self._rows_at_once):
                if self._is_stopped:
                    raise RuntimeError("interrupted")
                spool.write(batch)
            spool.finish()
            rows = pads.dataset(str(spool.path), format="ipc")
            register(self._connection, self._query, read.name, rows, in_place_of_view=True)

    def _timed(self, step: Any) -> Any:  # Any: a step returns a reader or a batch
        with self._step:
            if self._cancelled:
                raise error(Reason.CANCELLED, "the query was cancelled")
            if self._heavy:
                raise _heavy(self._growth_bytes)
            if self._left_s <= 0:
                raise _late(self._limit_s)
            watch = self._watcher.watch(self._left_s, self._stop_if_due, self._begun_s)
            try:
                with watch:
                    return step()
            except (*FAILURES, RuntimeError, OverflowError) as problem:
                raise self._translated(problem) from problem
            finally:
                self._left_s -= watch.elapsed_s

    def _stop_if_due(self, *, late: bool, heavy: bool) -> None:
        self._late = self._late or late
        self._heavy = self._heavy or heavy
        if self._is_stopped:
            self._connection.interrupt()

    @property
    def _is_stopped(self) -> bool:
        return self._late or self._heavy or self._cancelled

    def _translated(self, problem: Exception) -> ThanosqlError:
        if self._cancelled:
            return error(Reason.CANCELLED, "the query was cancelled")
        if self._heavy:
            return _heavy(self._growth_bytes)
        if self._late:
            return _late(self._limit_s)
        if self._loan.scale.is_full:
            return too_large(self._loan.scale)
        if self._loan.opened and is_damage(problem):
            self._loan.report_damage()
            message = (
                "an extract of a table was damaged, and is removed; the table is whole: run the query again"
            )
            return error(Reason.STORE_UNAVAILABLE, message)
        return translate(problem, tables=self._query.tables, columns=self._columns)


def _late(limit_s: float) -> ThanosqlError:
    advice = "select fewer rows, aggregate earlier, or raise THANOSQL_STORAGE__QUERY_COMPUTE_S"
    message = f"the query computed for {limit_s:g} s, which is the most that one query may; {advice}"
    return error(Reason.QUERY_TOO_LARGE, message, limit_s=f"{limit_s:g}")


def _heavy(most_bytes: int) -> ThanosqlError:
    advice = "make fewer or smaller values, run it beside fewer others, or raise"
    message = (
        f"storage's process grew by more than {most_bytes >> 20} MiB while queries ran, and this one, which "
        f"began last, was stopped; {advice} THANOSQL_STORAGE__QUERY_GROWTH_BYTES"
    )
    return error(Reason.QUERY_TOO_LARGE, message)
