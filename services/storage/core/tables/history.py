"""The versions of tables: every commit makes one, which can be listed, read, and restored."""

import contextlib
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

from services.storage.core.names import fold
from services.storage.core.paging import comes_after, page_length
from services.storage.core.tables.commits import OPERATION
from services.storage.core.tables.outages import is_outage, store_unreadable
from services.storage.core.tables.tables import Tables
from services.storage.core.types import (
    OpenVersion,
    Operation,
    TableAtVersion,
    TableInfo,
    TableVersion,
    TableVersionPage,
)
from thanosql_runtime.errors import Reason, ThanosqlError, error

_NAMED_IN_ERRORS = 20
_TRIES = 10

# What the operations of Lance are here, for commits that do not say it themselves. Those of other kinds keep
# the rows and columns as they are: compaction, indexes.
_OPERATIONS = {
    "Append": Operation.INSERT,
    "Delete": Operation.DELETE,
    "Merge": Operation.ALTER,
    "Overwrite": Operation.REPLACE,
    "Project": Operation.ALTER,
    "Update": Operation.UPDATE,
}


class TableHistory:
    """Versions of tables; safe to use from many threads.

    Every method raises TABLE_NOT_FOUND for a table that does not exist, and for a version that does not, with
    those that do.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def page(self, name: str, *, page_size: int = 100, page_token: str = "") -> TableVersionPage:
        """List the versions of a table, newest first."""
        entries = sorted(self._entries(name), key=lambda entry: -int(entry["version"]))
        rest = [entry for entry in entries if comes_after(entry["version"], page_token)]
        size = page_length(page_size)
        dataset = self._tables.dataset(name)
        versions = tuple(_version(name, dataset, entry) for entry in rest[:size])
        return TableVersionPage(
            versions=versions, next_page_token=str(versions[-1].version) if len(rest) > size else ""
        )

    def dataset(self, name: str, version: int) -> Any:  # Any: lance ships no types
        """Open one version of a table for reading."""
        newest = self._tables.dataset(name)
        if version == newest.version:
            return newest
        if 0 < version < newest.version:
            with contextlib.suppress(ValueError):
                return self._tables.dataset_at(name, version)
        known = (int(entry["version"]) for entry in self._entries(name))
        raise _version_not_found(fold(name), version, known)

    def moments(self, name: str) -> list[tuple[int, float]]:
        """Return the versions of a table, oldest first, each with the second of its commit."""
        entries = self._entries(name)
        return sorted((int(entry["version"]), entry["timestamp"].timestamp()) for entry in entries)

    def require_rows_of(self, name: str, version: int) -> None:
        """Raise CONFLICT unless the newest version of a table has the rows of this one; maintenance has."""
        newest = self._tables.dataset(name)
        if 0 < version <= newest.version:
            changes = (_operation(newest, later) for later in range(version + 1, newest.version + 1))
            if all(operation == Operation.MAINTENANCE for operation in changes):
                return
        message = (
            f"table {fold(name)!r} was changed by another statement while this one ran, so that some of its "
            "rows may not be new any more; run it again: transcripts are kept"
        )
        raise error(Reason.CONFLICT, message, table=fold(name))

    def open(self, versions: Iterable[TableAtVersion]) -> dict[str, OpenVersion]:
        """Open versions for a query, by the names that they have in it."""
        return {
            fold(item.relation): OpenVersion(
                table=fold(item.table), dataset=self.dataset(item.table, item.version)
            )
            for item in versions
        }

    def restore(self, name: str, version: int) -> TableInfo:
        """Make the rows and columns of a version the newest ones, in one commit; the history goes on."""
        with self._tables.writing(fold(name)):
            kept = self.dataset(name, version)  # Nobody cleans it up while it is open.
            return self._tables.restore(name, kept.version)

    def _entries(self, name: str) -> list[dict[str, Any]]:
        """Return what Lance says of every version; it fails when one is cleaned up while it reads them."""
        tries = 0
        while True:
            tries += 1
            try:
                return list(self._tables.dataset(name).versions())
            except (OSError, RuntimeError, ValueError) as problem:
                if is_outage(problem):
                    raise store_unreadable(problem, f"the history of table {fold(name)!r}") from problem
                if tries == _TRIES:
                    raise


def _version(name: str, dataset: Any, entry: dict[str, Any]) -> TableVersion:
    committed: datetime = entry["timestamp"]
    return TableVersion(
        table=fold(name),
        version=int(entry["version"]),
        create_time_s=committed.timestamp(),
        operation=_operation(dataset, entry["version"]),
        row_count=int(entry["metadata"]["total_rows"]),
    )


def _operation(dataset: Any, version: int) -> str:
    """Say what made a version; nothing where Lance has forgotten it, or it was cleaned up just now."""
    try:
        transaction = dataset.read_transaction(version)
    except (ValueError, OSError) as problem:
        if is_outage(problem):
            raise store_unreadable(problem, f"version {version}") from problem
        return ""
    if transaction is None:
        return ""
    said = transaction.transaction_properties.get(OPERATION)
    if said:
        return str(said)
    return _OPERATIONS.get(type(transaction.operation).__name__, Operation.MAINTENANCE).value


def _version_not_found(table: str, version: int, known: Iterable[int]) -> ThanosqlError:
    # One that is being cleaned up just now is listed still.
    newest_first = sorted(set(known) - {version}, reverse=True)
    gone = newest_first and 0 < version < newest_first[0]
    what = (
        f"version {version} of table {table!r} was cleaned up"
        if gone
        else (f"table {table!r} has no version {version}")
    )
    listing = ranges(newest_first)
    message = f"{what}; it has: {listing}"
    return error(Reason.TABLE_NOT_FOUND, message, table=table, version=str(version), known=listing)


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers in falling order, those that follow each other as one range: `7, 5 to 1`."""
    falling = list(numbers)
    starts = falling[:1] + [low for high, low in pairwise(falling) if high - low != 1]
    ends = [high for high, low in pairwise(falling) if high - low != 1] + falling[-1:]
    parts = [str(high) if high == low else f"{high} to {low}" for high, low in zip(starts, ends, strict=True)]
    more = ", ..." if len(parts) > _NAMED_IN_ERRORS else ""
    return ", ".join(parts[:_NAMED_IN_ERRORS]) + more
