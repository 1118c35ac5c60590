"""How a query reads a table: some of its rows, its number of rows, its extracts, or all of it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from services.storage.core.extracts.extract_files import Extract
from services.storage.core.extracts.extracts import Extracts, Part
from services.storage.core.extracts.views import show_parts
from services.storage.core.names import quoted
from services.storage.core.queries import pushdown
from services.storage.core.queries.connections import first_rows, register, rows_of
from services.storage.core.queries.loose_filters import has_floating
from services.storage.core.sandbox.sandbox import CheckedQuery
from services.storage.core.types import OpenVersion


@dataclass(frozen=True, kw_only=True)
class TableRead:
    """One table of a query.

    Attributes:
        query: The query.
        name: The table's name in it.
        dataset: The table, at its version.
        single: Whether it is all that the query reads.
        counted: Whether nothing but its number of rows is asked for.
        handed_down: What Lance can be told, where only some rows are needed.
        parts: The table in parts, where some have extracts.
    """

    query: CheckedQuery
    name: str
    dataset: Any  # Any: lance ships no types
    single: bool
    counted: bool = False
    handed_down: pushdown.Pushdown | None = None
    parts: tuple[Part, ...] = ()

    @property
    def extracts(self) -> frozenset[Extract]:
        """The extracts that it reads."""
        return frozenset(part.extract for part in self.parts if part.extract)

    def give(self, connection: Any, opened: Collection[Extract]) -> None:
        """Let the query read the table.

        Args:
            connection: The query's.
            opened: The extracts that the connection can read.
        """
        if self.parts and not self.extracts.isdisjoint(opened):
            rows = rows_of(self.dataset, self.query, single=self.single)
            show_parts(connection, self.query.spellings(self.name), self.parts, opened, rows)
        elif self.counted:
            _show_count(connection, self.query.spellings(self.name), self.dataset.count_rows())
        else:
            register(connection, self.query, self.name, self._source())

    def _source(self) -> Any:
        rows = first_rows(self.dataset, self.handed_down) if self.handed_down else None
        if rows is None and self.handed_down is None and has_floating(self.dataset.schema):
            return rows_of(self.dataset, self.query, single=self.single)
        return self.dataset if rows is None else rows


def plan_read(
    query: CheckedQuery, name: str, version: OpenVersion, extracts: Extracts | None, *, single: bool
) -> TableRead:
    """Decide how a query reads a table.

    Args:
        query: The query.
        name: The table's name in it.
        version: The table.
        extracts: What may stand for parts of it; None for nothing.
        single: Whether it is all that the query reads.
    """
    dataset = version.dataset
    if single and pushdown.counts_rows(query.tree):
        return TableRead(query=query, name=name, dataset=dataset, single=single, counted=True)
    handed_down = pushdown.plan(query.tree, dataset.schema) if single else None
    is_scan = handed_down is None or bool(handed_down.condition)
    parts = extracts.parts(version, is_scan=is_scan) if extracts is not None else ()
    if handed_down is not None and not all(part.extract for part in parts):
        parts = ()  # Lance finds some rows in less time than it takes to read a whole part.
    return TableRead(
        query=query, name=name, dataset=dataset, single=single, handed_down=handed_down, parts=parts
    )


def _show_count(connection: Any, spellings: Iterable[str], rows: int) -> None:
    """Let a query count as many rows of nothing: DuckDB would decode a column to count those of the table."""
    for name in spellings:
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS FROM range({rows})")
