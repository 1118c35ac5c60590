"""How a query reads a table: some of its rows, its number of rows, its extracts, or all of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from services.storage.core.extracts.extract_files import Extract
from services.storage.core.extracts.extracts import Extracts, Part
from services.storage.core.extracts.views import extracts_view, show_parts
from services.storage.core.queries import pushdown
from services.storage.core.queries.connections import first_rows, register, rows_of
from services.storage.core.queries.known_tables import KnownTable
from services.storage.core.queries.loose_filters import has_floating
from services.storage.core.sandbox.sandbox import CheckedQuery
from services.storage.core.types import OpenVersion, TableVersion
from services.storage.core.widths import rows_at_once


@dataclass(frozen=True, kw_only=True)
class TableRead:
    """One table of a query.

    Attributes:
        query: The query.
        name: The table's name in it.
        version: Which version of which table that is.
        schema: Its columns.
        rows_at_once: How many of its rows may be read at once.
        single: Whether it is all that the query reads.
        dataset: The version, opened; None where it is read by its extracts, or counted, without.
        counted: The number of its rows, where nothing else is asked for.
        handed_down: What Lance can be told, where only some rows are needed.
        parts: The table in parts, where some have extracts.
        extracts: The extracts that it reads, in order.
    """

    query: CheckedQuery
    name: str
    version: TableVersion
    schema: pa.Schema
    rows_at_once: int
    single: bool
    dataset: Any | None = None  # Any: lance ships no types
    counted: int | None = None
    handed_down: pushdown.Pushdown | None = None
    parts: tuple[Part, ...] = ()
    extracts: tuple[Extract, ...] = ()

    def is_possible(self, opened: Collection[Extract]) -> bool:
        """Tell whether it can be read by a connection that can read these extracts."""
        return self.dataset is not None or all(extract in opened for extract in self.extracts)

    def views(self, opened: Collection[Extract]) -> Mapping[str, str]:
        """Return what the table is, SQL by each of its names, where that needs nothing but these extracts."""
        if self.counted is not None:
            # DuckDB would decode a column to count the rows of the table.
            view = f"FROM range({self.counted})"
        elif self._is_in_extracts(opened):
            view = extracts_view(self.extracts)
        else:
            return {}
        return dict.fromkeys(self.query.spellings(self.name), view)

    def give(self, connection: Any, opened: Collection[Extract]) -> None:
        """Let the query read the table, where `views` do not.

        Args:
            connection: The query's.
            opened: The extracts that the connection can read.
        """
        if self.counted is not None or self._is_in_extracts(opened):
            return
        if self.parts and any(extract in opened for extract in self.extracts):
            rows = rows_of(self.dataset, self.query, single=self.single)
            show_parts(connection, self.query.spellings(self.name), self.parts, opened, rows)
        else:
            register(connection, self.query, self.name, self._source())

    def _is_in_extracts(self, opened: Collection[Extract]) -> bool:
        is_whole = len(self.extracts) >= max(len(self.parts), 1)
        return is_whole and all(extract in opened for extract in self.extracts)

    def _source(self) -> Any:
        rows = first_rows(self.dataset, self.handed_down) if self.handed_down else None
        if rows is None and self.handed_down is None and has_floating(self.schema):
            return rows_of(self.dataset, self.query, single=self.single)
        return self.dataset if rows is None else rows


def plan_read(
    query: CheckedQuery, name: str, opened: OpenVersion, extracts: Extracts | None, *, single: bool
) -> TableRead:
    """Decide how a query reads a table.

    Args:
        query: The query.
        name: The table's name in it.
        opened: The table.
        extracts: What may stand for parts of it; None for nothing.
        single: Whether it is all that the query reads.
    """
    dataset = opened.dataset
    schema: pa.Schema = dataset.schema
    counted: int | None = None
    handed_down: pushdown.Pushdown | None = None
    parts: tuple[Part, ...] = ()
    if single and pushdown.counts_rows(query.tree):
        counted = dataset.count_rows()
    else:
        handed_down = pushdown.plan(query.tree, schema) if single else None
        parts = _parts(opened, extracts, handed_down)
    return TableRead(
        query=query,
        name=name,
        version=TableVersion(table=opened.table, version=dataset.version),
        schema=schema,
        rows_at_once=rows_at_once(dataset),
        single=single,
        dataset=dataset,
        counted=counted,
        handed_down=handed_down,
        parts=parts,
        extracts=tuple(part.extract for part in parts if part.extract is not None),
    )


def plan_known(query: CheckedQuery, name: str, known: KnownTable, *, single: bool) -> TableRead:
    """Read a table without opening it.

    Args:
        query: The query.
        name: The table's name in it.
        known: The table.
        single: Whether it is all that the query reads.
    """
    is_counted = single and pushdown.counts_rows(query.tree)
    return TableRead(
        query=query,
        name=name,
        version=known.version,
        schema=known.schema,
        rows_at_once=known.rows_at_once,
        single=single,
        counted=known.row_count if is_counted else None,
        extracts=() if is_counted else known.extracts,
    )


def _parts(
    opened: OpenVersion, extracts: Extracts | None, handed_down: pushdown.Pushdown | None
) -> tuple[Part, ...]:
    is_scan = handed_down is None or bool(handed_down.condition)
    parts = extracts.parts(opened, is_scan=is_scan) if extracts is not None else ()
    if handed_down is not None and not all(part.extract for part in parts):
        return ()  # Lance finds some rows in less time than it takes to read a whole part.
    return parts
