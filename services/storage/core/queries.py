"""SQL over the tables: every query is checked, opens what it reads, and has a DuckDB for itself."""

import contextlib
from collections.abc import Mapping
from functools import partial

import pyarrow.dataset as pads

from services.storage.core.connections import QueryLimits, register, source
from services.storage.core.databases import Databases
from services.storage.core.names import fold
from services.storage.core.running import Prepare, RunningQuery
from services.storage.core.sandbox import CheckedQuery, check
from services.storage.core.searching.nearest import VectorSearch, VectorSources, rank_nearest
from services.storage.core.searching.ranking import Indexes, Source, rank
from services.storage.core.searching.scanning import ScannedRows
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.spooling import Spool
from services.storage.core.tables import Tables
from services.storage.core.types import OpenVersion, TableVersion


class QueryEngine:
    """Runs queries over tables and over relations that came with them."""

    def __init__(
        self,
        tables: Tables,
        limits: QueryLimits | None = None,
        indexes: Indexes | None = None,
        vectors: VectorSources | None = None,
    ) -> None:
        self._tables = tables
        self._limits = limits or QueryLimits()
        self._databases = Databases(self._limits)
        self._indexes = indexes
        self._vectors = vectors

    def run(
        self,
        sql: str,
        tables: tuple[str, ...] = (),
        relations: Mapping[str, Spool] | None = None,
        search: KeywordSearch | VectorSearch | None = None,
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
        search: KeywordSearch | VectorSearch | None,
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
        loan = self._databases.lend()
        running = RunningQuery(
            loan,
            query,
            datasets,
            tables_read=read,
            columns=columns,
            limits=self._limits,
            prepare=prepare,
        )
        with contextlib.ExitStack() as failing:
            failing.callback(running.close)
            for name, dataset in datasets.items():
                single = len(datasets) + len(relations) == 1
                register(loan.connection, query, name, source(dataset, query, single=single))
            for name, spool in relations.items():
                register(loan.connection, query, name, pads.dataset(str(spool.path), format="ipc"))
            failing.pop_all()
        return running

    def close(self) -> None:
        """Give back what queries share; no query runs any more."""
        self._databases.close()

    def _newest(self, name: str) -> OpenVersion:
        return OpenVersion(table=name, dataset=self._tables.dataset(name))

    def _prepare(
        self,
        query: CheckedQuery,
        opened: Mapping[str, OpenVersion],
        search: KeywordSearch | VectorSearch,
        *,
        is_newest: bool,
    ) -> Prepare:
        version = next(iter(opened.values())) if is_newest and len(opened) == 1 else None
        if isinstance(search, VectorSearch):
            near = self._vectors.source(query.tree, version, search) if self._vectors and version else None
            memory_bytes = self._limits.memory_bytes // 2
            return partial(rank_nearest, sql=query.sql, search=search, memory_bytes=memory_bytes, source=near)
        found: Source | None = None
        if self._indexes is not None and version is not None:
            found = self._indexes.source(query.tree, version, search)
        return partial(rank, search=search, source=found or ScannedRows(query.sql, search))
