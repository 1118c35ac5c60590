"""SQL over the tables: every query is checked, opens what it reads, and has a DuckDB for itself."""

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial

import pyarrow.dataset as pads

from services.storage.core.extracts.extracts import Extracts
from services.storage.core.names import fold
from services.storage.core.queries.connections import QueryLimits, register
from services.storage.core.queries.databases import Databases
from services.storage.core.queries.known_tables import KnownTables
from services.storage.core.queries.running import Prepare, RunningQuery
from services.storage.core.queries.table_reads import TableRead, plan_known, plan_read
from services.storage.core.sandbox.checks import Checks
from services.storage.core.sandbox.sandbox import CheckedQuery
from services.storage.core.searching.nearest import VectorSearch, VectorSources, rank_nearest
from services.storage.core.searching.ranking import Indexes, Source, rank
from services.storage.core.searching.scanning import ScannedRows
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.spooling import Spool
from services.storage.core.tables.tables import Tables
from services.storage.core.types import OpenVersion


class QueryEngine:
    """Runs queries over tables and over relations that came with them.

    Args:
        tables: The tables.
        limits: What each query may use.
        indexes: What SEARCH KEYWORD may read instead of tables.
        vectors: What SEARCH AUDIO may.
        extracts: What other queries may.
    """

    def __init__(
        self,
        tables: Tables,
        limits: QueryLimits | None = None,
        indexes: Indexes | None = None,
        vectors: VectorSources | None = None,
        extracts: Extracts | None = None,
    ) -> None:
        self._tables = tables
        self._limits = limits or QueryLimits()
        self._databases = Databases(self._limits, extracts)
        self._indexes = indexes
        self._vectors = vectors
        self._extracts = extracts
        self._checks = Checks()
        self._known = KnownTables(tables, extracts)

    def run(
        self,
        sql: str,
        tables: tuple[str, ...] = (),
        relations: Mapping[str, Spool] | None = None,
        search: KeywordSearch | VectorSearch | None = None,
        versions: Mapping[str, OpenVersion] | None = None,
        *,
        by_extracts: bool = True,
    ) -> RunningQuery:
        """Check a query and make it ready; it computes when its schema or rows are asked for.

        Args:
            sql: DuckDB SQL, one SELECT.
            tables: The stored tables that it may read.
            relations: Rows that stand in it under a name; the caller closes them after the query.
            search: Answers the best of its rows with their scores, in place of all of them.
            versions: Versions of tables that were opened before, by the names that they have in it; in place
                of the newest where that is the name of a table.
            by_extracts: Whether extracts may stand for parts of tables.

        Raises:
            ThanosqlError: QUERY_REJECTED, SYNTAX_ERROR, TABLE_NOT_FOUND.
        """
        attached = {fold(name): spool for name, spool in (relations or {}).items()}
        query = self._checks.check(sql, [*tables, *attached, *(versions or ())])
        extracts = self._extracts if by_extracts and search is None else None
        return self._run_checked(query, attached, versions or {}, search, extracts)

    def _run_checked(
        self,
        query: CheckedQuery,
        relations: Mapping[str, Spool],
        versions: Mapping[str, OpenVersion],
        search: KeywordSearch | VectorSearch | None,
        extracts: Extracts | None,
    ) -> RunningQuery:
        names = [name for name in query.tables if name not in relations]
        single = len(names) + len(relations) == 1
        reads = [self._plan(query, name, versions.get(name), extracts, single=single) for name in names]
        is_newest = not versions and not relations
        prepare = self._prepare(query, reads, search, is_newest=is_newest) if search else None
        columns = [name for read in reads for name in read.schema.names]
        columns += [name for spool in relations.values() for name in spool.schema.names]
        loan = self._databases.lend({extract for read in reads for extract in read.extracts})
        if not all(read.is_possible(loan.opened) for read in reads):  # An extract went this moment.
            loan.is_clean = True
            loan.close()
            for read in reads:
                self._known.forget(read.version.table)
            return self._run_checked(query, relations, versions, search, extracts)
        running = RunningQuery(loan, query, reads, columns=columns, limits=self._limits, prepare=prepare)
        with contextlib.ExitStack() as failing:
            failing.callback(running.close)
            loan.show({name: view for read in reads for name, view in read.views(loan.opened).items()})
            for read in reads:
                read.give(loan.connection, loan.opened)
            for name, spool in relations.items():
                register(loan.connection, query, name, pads.dataset(str(spool.path), format="ipc"))
            failing.pop_all()
        return running

    def close(self) -> None:
        """Give back what queries share; no query runs any more."""
        self._databases.close()

    def _plan(
        self,
        query: CheckedQuery,
        name: str,
        version: OpenVersion | None,
        extracts: Extracts | None,
        *,
        single: bool,
    ) -> TableRead:
        if version is not None or extracts is None:
            return plan_read(query, name, version or self._newest(name), extracts, single=single)
        known = self._known.find(name)
        if known is not None:
            return plan_known(query, name, known, single=single)
        newest, opened = self._known.newest(name), self._newest(name)
        read = plan_read(query, name, opened, extracts, single=single)
        self._known.note(newest, opened, read.parts)
        return read

    def _newest(self, name: str) -> OpenVersion:
        return OpenVersion(table=name, dataset=self._tables.dataset(name))

    def _prepare(
        self,
        query: CheckedQuery,
        reads: Sequence[TableRead],
        search: KeywordSearch | VectorSearch,
        *,
        is_newest: bool,
    ) -> Prepare:
        version: OpenVersion | None = None
        if is_newest and len(reads) == 1:
            version = OpenVersion(table=reads[0].version.table, dataset=reads[0].dataset)
        if isinstance(search, VectorSearch):
            near = self._vectors.source(query.tree, version, search) if self._vectors and version else None
            memory_bytes = self._limits.memory_bytes // 2
            return partial(rank_nearest, sql=query.sql, search=search, memory_bytes=memory_bytes, source=near)
        found: Source | None = None
        if self._indexes is not None and version is not None:
            found = self._indexes.source(query.tree, version, search)
        return partial(rank, search=search, source=found or ScannedRows(query.sql, search))
