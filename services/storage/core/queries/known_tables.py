"""Tables that queries need not open: extracts hold all rows of their newest version, which is known already.

What is known counts for as long as the version is the newest and its extracts are there, and nothing of the
table is held open for it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import pyarrow as pa

from services.storage.core.extracts.extract_files import Extract
from services.storage.core.extracts.extracts import Extracts, Part
from services.storage.core.tables.tables import Tables
from services.storage.core.types import OpenVersion, TableVersion
from services.storage.core.widths import rows_at_once

_MOST_KNOWN = 256


@dataclass(frozen=True, kw_only=True)
class KnownTable:
    """The newest version of a table, as far as queries ask.

    Attributes:
        newest: What `Tables.newest` said of it.
        version: Which it is.
        schema: Its columns.
        row_count: Its rows.
        rows_at_once: How many of them may be read at once.
        extracts: All rows, in the order of the table.
    """

    newest: str
    version: TableVersion
    schema: pa.Schema
    row_count: int
    rows_at_once: int
    extracts: tuple[Extract, ...]


class KnownTables:
    """Remembers the tables that were read last; safe to use from many threads.

    Args:
        tables: The tables.
        extracts: Their extracts; None where there are none, and nothing is known.
    """

    def __init__(self, tables: Tables, extracts: Extracts | None) -> None:
        self._tables = tables
        self._extracts = extracts
        self._guard = Lock()
        self._known: OrderedDict[str, KnownTable] = OrderedDict()

    def find(self, table: str) -> KnownTable | None:
        """Return what is known of the newest version of a table, if that is everything."""
        with self._guard:
            known = self._known.get(table)
        if known is None or self._extracts is None or self._tables.newest(table) != known.newest:
            return None
        return known if all(self._extracts.shelf.has(extract) for extract in known.extracts) else None

    def newest(self, table: str) -> str:
        """Tell the newest version of a table, for `note`; empty where there is nothing to note."""
        has_extracts = self._extracts is not None and self._extracts.shelf.has_any(table)
        return self._tables.newest(table) if has_extracts else ""

    def note(self, newest: str, opened: OpenVersion, parts: Sequence[Part]) -> None:
        """Remember a table, if extracts hold all of it.

        Args:
            newest: What `newest` said before it was opened.
            opened: The table.
            parts: Its parts.
        """
        extracts = tuple(part.extract for part in parts if part.extract is not None)
        if not newest or not extracts or len(extracts) < len(parts):
            return
        dataset = opened.dataset
        known = KnownTable(
            newest=newest,
            version=TableVersion(table=opened.table, version=dataset.version),
            schema=dataset.schema,
            row_count=dataset.count_rows(),
            rows_at_once=rows_at_once(dataset),
            extracts=extracts,
        )
        with self._guard:
            self._known[opened.table] = known
            self._known.move_to_end(opened.table)
            if len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def forget(self, table: str) -> None:
        """Open the table for the next query."""
        with self._guard:
            self._known.pop(table, None)
