"""SQL over the tables: one sandboxed DuckDB per query, whose rows stream and are never collected."""

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
import structlog

from services.storage.core import pushdown
from services.storage.core.faults import translate
from services.storage.core.guards import GUARDS
from services.storage.core.names import fold
from services.storage.core.plain import plain_batch, plain_schema
from services.storage.core.sandbox import CheckedQuery, check, rejected
from services.storage.core.searching.ranking import Indexes, Source, rank
from services.storage.core.searching.scanning import ScannedRows
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.spooling import Spool
from services.storage.core.tables import Tables
from services.storage.core.types import OpenVersion, TableVersion
from services.storage.core.watching import LOOK_AGAIN_S, Watch
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("storage")
_BATCH_ROWS = 8192
_SCAN_FAILED = "exporting a stream from the object"

Prepare = Callable[[Any], tuple[str, Sequence[str]]]  # Any: DuckDB ships no types
"""Works in temporary tables of the connection; answers the query to run then, and remarks for the user."""


@dataclass(frozen=True, kw_only=True)
class QueryLimits:
    """What one query may use.

    Attributes:
        compute_s: Seconds of computing; waiting for a slow reader is not counted.
        memory_bytes: Memory of DuckDB.
        spill_bytes: Disk for what does not fit into that memory.
        threads: Threads of DuckDB.
    """

    compute_s: float = 300.0
    memory_bytes: int = 1 << 30
    spill_bytes: int = 8 << 30
    threads: int = 2


class RunningQuery:
    """The rows of one query, computed as they are asked for; `tables_read` are those behind it.

    One thread at a time iterates; any thread may `interrupt`. Close it when done: closing stops a step
    that is in progress, and waits for its end.

    Attributes:
        remarks: What the user should know; complete once the schema is.
    """

    def __init__(
        self,
        connection: Any,
        query: CheckedQuery,
        datasets: Mapping[str, Any],
        *,
        tables_read: tuple[TableVersion, ...],
        columns: list[str],
        limits: QueryLimits,
        prepare: Prepare | None = None,
    ) -> None:
        self.remarks: Sequence[str] = ()
        self.tables_read = tables_read
        self._prepare = prepare
        self._connection = connection
        self._query = query
        self._datasets = datasets
        self._columns = columns
        self._limit_s = self._left_s = limits.compute_s
        self._late = False
        self._cancelled = False
        self._cleanup = contextlib.ExitStack()
        self._cleanup.callback(connection.close)
        self._step = threading.Lock()
        self._reader: pa.RecordBatchReader | None = None

    @property
    def schema(self) -> pa.Schema:
        """The columns of the answer."""
        return plain_schema(self._opened().schema)

    def owns(self, resource: contextlib.AbstractContextManager[Any]) -> None:
        """Close the resource together with the query."""
        self._cleanup.enter_context(resource)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        reader, schema = self._opened(), self.schema
        while True:
            batch = self._timed(lambda: next(reader, None))
            if batch is None:
                return
            if batch.num_rows:
                yield plain_batch(batch, schema)

    def interrupt(self) -> None:
        """Stop the computing; the iteration raises CANCELLED."""
        self._cancelled = True
        self._connection.interrupt()

    def close(self) -> None:
        """Stop a step in progress, and give everything back."""
        # An interrupt that comes just before DuckDB starts is lost, so it is repeated.
        while not self._step.acquire(timeout=LOOK_AGAIN_S):
            self.interrupt()
        try:
            self._reader = None
            self._cleanup.close()
        finally:
            self._step.release()

    def __enter__(self) -> "RunningQuery":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self) -> pa.RecordBatchReader:
        if self._reader is None:
            self._reader = self._timed(self._start)
        return self._reader

    def _start(self) -> pa.RecordBatchReader:
        statements = self._connection.extract_statements(self._query.sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise rejected("this is not one SELECT")
        try:
            return self._read()
        except duckdb.Error as problem:
            if _SCAN_FAILED not in str(problem):
                raise
        self._read_apart()
        return self._read()

    def _read(self) -> pa.RecordBatchReader:
        sql = self._query.sql
        if self._prepare is not None:
            sql, self.remarks = self._prepare(self._connection)
        return self._connection.sql(sql).to_arrow_reader(_BATCH_ROWS)

    def _read_apart(self) -> None:
        """Put copies in the place of the tables.

        DuckDB hands every filter down, and Lance has none for times, unsigned numbers, parts of structures.
        """
        for name, dataset in self._datasets.items():
            spool = Spool(dataset.schema)
            self.owns(spool)
            for batch in dataset.to_batches(batch_size=_BATCH_ROWS):
                if self._late or self._cancelled:
                    raise RuntimeError("interrupted")
                spool.write(batch)
            spool.finish()
            _register(self._connection, self._query, name, pads.dataset(str(spool.path), format="ipc"))

    def _timed(self, step: Any) -> Any:  # Any: a step returns a reader or a batch
        with self._step:
            if self._cancelled:
                raise error(Reason.CANCELLED, "the query was cancelled")
            if self._left_s <= 0:
                raise _late(self._limit_s)
            watch = Watch(self._left_s, self._stop_if_due)
            try:
                with watch:
                    return step()
            except (duckdb.Error, pa.ArrowException, OSError, RuntimeError, OverflowError) as problem:
                raise self._translated(problem) from problem
            finally:
                self._left_s -= watch.elapsed_s

    def _stop_if_due(self, *, late: bool) -> None:
        self._late = self._late or late
        if self._late or self._cancelled:
            self._connection.interrupt()

    def _translated(self, problem: Exception) -> ThanosqlError:
        if self._cancelled:
            return error(Reason.CANCELLED, "the query was cancelled")
        if self._late:
            return _late(self._limit_s)
        return translate(problem, tables=self._query.tables, columns=self._columns)


def _late(limit_s: float) -> ThanosqlError:
    advice = "select fewer rows, aggregate earlier, or raise THANOSQL_STORAGE__QUERY_COMPUTE_S"
    message = f"the query computed for {limit_s:g} s, which is the most that one query may; {advice}"
    return error(Reason.QUERY_TOO_LARGE, message, limit_s=f"{limit_s:g}")


class QueryEngine:
    """Runs queries over tables and over relations that came with them."""

    def __init__(
        self, tables: Tables, limits: QueryLimits | None = None, indexes: Indexes | None = None
    ) -> None:
        self._tables = tables
        self._limits = limits or QueryLimits()
        self._indexes = indexes

    def run(
        self,
        sql: str,
        tables: tuple[str, ...] = (),
        relations: Mapping[str, Spool] | None = None,
        search: KeywordSearch | None = None,
        versions: Mapping[str, OpenVersion] | None = None,
    ) -> RunningQuery:
        """Check a query and make it ready; it computes when its schema or rows are asked for.

        Args:
            sql: DuckDB SQL, one SELECT.
            tables: The stored tables that it may read.
            relations: Rows that stand in it under a name; the caller closes them after the query.
            search: Answers the best of its rows with their scores, in place of all of them.
            versions: Versions of tables that were opened before, by the names that they have in it; in place
                of the newest where that is the name of a table.

        Raises:
            ThanosqlError: QUERY_REJECTED, SYNTAX_ERROR, TABLE_NOT_FOUND.
        """
        attached = {fold(name): spool for name, spool in (relations or {}).items()}
        query = check(sql, [*tables, *attached, *(versions or ())])
        return self._run_checked(query, attached, versions or {}, search)

    def _run_checked(
        self,
        query: CheckedQuery,
        relations: Mapping[str, Spool],
        versions: Mapping[str, OpenVersion],
        search: KeywordSearch | None,
    ) -> RunningQuery:
        names = [name for name in query.tables if name not in relations]
        opened = {name: versions.get(name) or self._newest(name) for name in names}
        read = tuple(
            TableVersion(table=version.table, version=version.dataset.version) for version in opened.values()
        )
        datasets = {name: version.dataset for name, version in opened.items()}
        is_newest = not versions and not relations
        prepare = self._prepare(query, opened, search, is_newest=is_newest) if search else None
        columns = [name for dataset in datasets.values() for name in dataset.schema.names]
        columns += [name for spool in relations.values() for name in spool.schema.names]
        spill = tempfile.TemporaryDirectory(prefix="thanosql-query-", ignore_cleanup_errors=True)
        connection = open_connection(self._limits, spill.name)
        running = RunningQuery(
            connection,
            query,
            datasets,
            tables_read=read,
            columns=columns,
            limits=self._limits,
            prepare=prepare,
        )
        running.owns(spill)
        for name, dataset in datasets.items():
            source = _source(dataset, query, single=len(datasets) + len(relations) == 1)
            _register(connection, query, name, source)
        for name, spool in relations.items():
            _register(connection, query, name, pads.dataset(str(spool.path), format="ipc"))
        _lock(connection)
        return running

    def _newest(self, name: str) -> OpenVersion:
        return OpenVersion(table=name, dataset=self._tables.dataset(name))

    def _prepare(
        self,
        query: CheckedQuery,
        opened: Mapping[str, OpenVersion],
        search: KeywordSearch,
        *,
        is_newest: bool,
    ) -> Prepare:
        source: Source | None = None
        if self._indexes is not None and is_newest and len(opened) == 1:
            (version,) = opened.values()
            source = self._indexes.source(query.tree, version, search)
        return partial(rank, search=search, source=source or ScannedRows(query.sql, search))


def open_connection(limits: QueryLimits, spill: str) -> Any:
    """Open a DuckDB that keeps to the limits; what its memory does not hold goes into the folder `spill`."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{limits.memory_bytes // (1 << 20)}MiB",
            "threads": limits.threads,
            "temp_directory": spill,
            "max_temp_directory_size": f"{limits.spill_bytes // (1 << 20)}MiB",
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_unsigned_extensions": False,
        },
    )
    for guard in GUARDS:
        connection.execute(guard)
    return connection


def _register(connection: Any, query: CheckedQuery, name: str, rows: Any) -> None:
    for spelling in query.spellings(name):
        connection.unregister(spelling)
        connection.register(spelling, rows)


def _lock(connection: Any) -> None:
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _source(dataset: Any, query: CheckedQuery, *, single: bool) -> Any:
    """Return what DuckDB reads: the dataset, or just the part of it that a simple query can need."""
    handed_down = pushdown.plan(query.tree, dataset.schema) if single else None
    if handed_down is None:
        return dataset
    try:
        scanner = dataset.scanner(
            columns=list(handed_down.columns),
            filter=handed_down.condition or None,
            limit=handed_down.limit,
        )
        return scanner.to_reader()
    # Lance found something in the filter that it cannot compare; DuckDB reads everything then.
    except (ValueError, OSError) as problem:
        _log.warning("filter_not_taken", error=str(problem)[:200])
        return dataset
