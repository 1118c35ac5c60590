"""Tables page by page, each looked at once: a bucket takes a while for every look."""

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cache

from services.storage.core.paging import page_length
from services.storage.core.tables.quarantines import Quarantines, quarantine_name, quarantined_name
from services.storage.core.tables.tables import Tables
from services.storage.core.types import TableInfo, TablePage


class TableListing:
    """Lists tables; a quarantine is told with its table, and has no entry of its own.

    Args:
        tables: What is listed.
        quarantines: Their quarantines.
    """

    def __init__(self, tables: Tables, quarantines: Quarantines) -> None:
        self._tables = tables
        self._quarantines = quarantines

    def page(self, *, page_size: int = 100, page_token: str = "") -> TablePage:
        """List tables by name; one that is dropped meanwhile is left out."""
        names = self._tables.folders()
        rest = [name for name in names if name > page_token]
        size = page_length(page_size)
        quarantine_of = cache(self._quarantines.of)
        entries = [self._entry(name, set(names), quarantine_of) for name in rest[:size]]
        return TablePage(
            tables=tuple(entry for entry in entries if entry is not None),
            next_page_token=rest[size - 1] if len(rest) > size else "",
        )

    def _entry(
        self, name: str, names: Collection[str], quarantine_of: Callable[[str], str]
    ) -> TableInfo | None:
        owner = quarantined_name(name)
        if owner in names and quarantine_of(owner) == name and self._tables.exists(owner):
            return None
        table = self._tables.described(name)
        if table is None or quarantine_name(name) not in names:
            return table
        return replace(table, quarantine=quarantine_of(name))
