"""Rows that COPY could not read: a table of them beside each table, committed with it or not at all.

LanceDB has no commit over two tables. The quarantine is committed first, with the version that its
table has at that moment. As long as the table still has that version, the copy did not happen, and
the commit of the quarantine is taken back: at once after a failure, at the next start after a death.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pyarrow as pa
import structlog

from services.storage.core.names import fold
from services.storage.core.tables.outages import drop_failed
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import Operation, TableInfo
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("storage")
QUARANTINE = pa.schema(
    {
        "source": pa.string(),
        "line": pa.int64(),
        "reason": pa.string(),
        "message": pa.string(),
        "raw": pa.string(),
        "copy_time": pa.timestamp("us"),
    }
)
_SUFFIX = "_quarantine"
_OWNER = "thanosql.quarantine_of"
_BEFORE = "thanosql.table_version_before"
_OVER = "thanosql.quarantine_over"


class Quarantines:
    """The quarantine of every table."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def of(self, name: str) -> str:
        """Return the name of a table's quarantine, or an empty string if it has none."""
        return self._found(fold(name))

    def commit(
        self, name: str, left_out: Rows | None, write: Callable[[], TableInfo], *, keep: bool
    ) -> TableInfo:
        """Commit a quarantine and its table, or neither; the caller holds the right to write the table.

        Args:
            name: The table.
            left_out: The rows for the quarantine, if there are any.
            write: Commits the table.
            keep: Whether the rows that are in quarantine already stay there.

        Raises:
            ThanosqlError: TABLE_ALREADY_EXISTS if the quarantine's name is taken; what `write` raises.
        """
        quarantine = quarantine_name(fold(name))
        with self._tables.writing(quarantine):
            self._settle(fold(name))
            known = self._found(fold(name))
            if left_out is None and (keep or not known):
                return self._described(write())
            if not known:
                self.require_free(name)
            self._put(fold(name), left_out, self._kept(known) if keep and known else iter(()))
            try:
                table = write()
            except BaseException:
                # What fails here too is settled before the next copy, or at the next start.
                with contextlib.suppress(ThanosqlError, OSError, RuntimeError, ValueError):
                    self._settle(fold(name))
                raise
            if left_out is None:
                self._forget(quarantine)
            return self._described(table)

    def require_free(self, name: str) -> None:
        """Raise TABLE_ALREADY_EXISTS if a table of the user has the name of a table's quarantine."""
        quarantine = quarantine_name(fold(name))
        if self._tables.exists(quarantine) and not self._found(fold(name)):
            raise _taken(name, quarantine)

    def drop(self, name: str) -> bool:
        """Drop a table with its quarantine, and say whether there was such a table."""
        with self._tables.writing(fold(name)):
            try:
                quarantine = self.of(name)
            except ThanosqlError as problem:
                raise drop_failed(problem.__cause__ or problem, fold(name), versions_gone=0) from problem
            dropped = self._tables.drop(name)
            if dropped and quarantine:
                self._forget(quarantine)
            return dropped

    def describe(self, name: str) -> TableInfo:
        """Describe a table as it is now, with its quarantine."""
        return self._described(self._tables.describe(name))

    def recover(self) -> list[str]:
        """Take back what was left half done, drop what has outlived its table; return the tables' names."""
        mended = []
        for quarantine in self._tables.names():
            owner = quarantined_name(quarantine)
            if not owner or not self._found(owner):
                continue
            with self._tables.writing(owner), self._tables.writing(quarantine):
                if not self._tables.exists(owner):
                    self._tables.drop(quarantine)
                elif not self._settle(owner):
                    continue
                mended.append(owner)
        return mended

    def _described(self, table: TableInfo) -> TableInfo:
        return replace(table, quarantine=self.of(table.name))

    def _found(self, name: str) -> str:
        """Tell a quarantine from a table of a user, which may have its name and columns, but no remark."""
        quarantine = quarantine_name(name)
        dataset = self._tables.found(quarantine)
        if dataset is None:
            return ""
        is_ours = dataset.schema.equals(QUARANTINE) and _remark(dataset.schema, _OWNER) == name
        return quarantine if is_ours else ""

    def _forget(self, quarantine: str) -> None:
        """Drop a quarantine after the change of its table; what fails now is done at the next start."""
        try:
            self._tables.drop(quarantine)
        except (ThanosqlError, OSError, RuntimeError, ValueError) as problem:
            _log.warning("quarantine_not_dropped", quarantine=quarantine, error=str(problem)[:200])

    def _put(self, name: str, left_out: Rows | None, kept: Iterator[pa.RecordBatch]) -> None:
        def batches() -> Iterator[pa.RecordBatch]:
            yield from kept
            yield from left_out.reader() if left_out is not None else ()

        remarks = {_OWNER: name, _BEFORE: str(self._tables.version(name))}
        if left_out is None:
            remarks[_OVER] = "true"
        self._tables.replace(quarantine_name(name), Rows(QUARANTINE, batches(), remarks), Operation.COPY)

    def _kept(self, quarantine: str) -> Iterator[pa.RecordBatch]:
        yield from self._tables.dataset(quarantine).to_batches()

    def _settle(self, name: str) -> bool:
        """Take back a quarantine whose table was not committed, drop one that is over; say if it was so."""
        quarantine = self._found(name)
        ahead = bool(quarantine) and self._is_ahead(quarantine, name)
        if not quarantine or not (ahead or self._is_over(quarantine)):
            return False
        version = self._last_settled(quarantine, name) if ahead else 0
        if version:
            self._tables.restore(quarantine, version)
        else:
            self._tables.drop(quarantine)
        return True

    def _last_settled(self, quarantine: str, name: str) -> int:
        newest = int(self._tables.dataset(quarantine).version)
        for version in range(newest - 1, 0, -1):
            with contextlib.suppress(ValueError):  # Old versions are cleaned away.
                if not self._is_ahead(quarantine, name, version):
                    return version
        return 0

    def _is_ahead(self, quarantine: str, name: str, version: int | None = None) -> bool:
        tables = self._tables
        dataset = tables.dataset_at(quarantine, version) if version else tables.dataset(quarantine)
        return _remark(dataset.schema, _BEFORE) == str(tables.version(name))

    def _is_over(self, quarantine: str) -> bool:
        dataset = self._tables.dataset(quarantine)
        return bool(_remark(dataset.schema, _OVER)) and dataset.count_rows() == 0


def quarantine_name(folded: str) -> str:
    """Return the name that a table's quarantine has."""
    return folded + _SUFFIX


def quarantined_name(folded: str) -> str:
    """Return the name of the table whose quarantine has this name; empty where none can have it."""
    owner = folded.removesuffix(_SUFFIX)
    return owner if owner != folded else ""


def _remark(schema: pa.Schema, key: str) -> str:
    remarks: dict[bytes, bytes] = schema.metadata or {}
    return remarks.get(key.encode(), b"").decode()


def _taken(name: str, quarantine: str) -> ThanosqlError:
    message = (
        f"some rows cannot be read, and {quarantine!r}, which would hold them, is a table of another kind; "
        f"drop that one, or copy into a table other than {fold(name)!r}"
    )
    return error(Reason.TABLE_ALREADY_EXISTS, message, table=quarantine)
