"""Rows that COPY could not read: a table of them beside each table, which follows its table.

LanceDB has no commit over two tables. The rows are put aside first, then the table is committed, with a mark
of the COPY, and then they become the quarantine's. Whether the COPY happened stands in the history of its
table and nowhere else: any process may finish what another left half done, and nothing is ever taken back.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pyarrow as pa
import structlog

from services.storage.core.names import checked, fold
from services.storage.core.tables.left_out import LeftOut, new_copy
from services.storage.core.tables.outages import drop_failed, panics_told
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import CopyMark, Operation, TableInfo
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
_COPIES = "thanosql.copies"
# Of the newest COPYs only: what is put aside for one is removed as soon as it is in here.
_MOST_COPIES = 100
_TRIES = 10
_FAILURES = (ThanosqlError, OSError, RuntimeError, ValueError)


class Quarantines:
    """The quarantine of every table."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        # Up to which version of its table each COPY was looked for in vain.
        self._looked: dict[str, int] = {}

    def of(self, name: str) -> str:
        """Return the name of a table's quarantine, or an empty string if it has none."""
        return quarantine_name(fold(name)) if self._found(fold(name)) is not None else ""

    def commit(
        self, name: str, left_out: Rows | None, write: Callable[[CopyMark], TableInfo], *, keep: bool
    ) -> TableInfo:
        """Commit a table and its quarantine, or neither; the caller holds the right to write the table.

        Args:
            name: The table.
            left_out: The rows for the quarantine, if there are any.
            write: Commits the table, with a mark.
            keep: Whether the rows that are in quarantine already stay there.

        Raises:
            ThanosqlError: TABLE_ALREADY_EXISTS if the quarantine's name is taken, INVALID_NAME if it is too
                long; what `write` raises.
        """
        quarantine, copy = quarantine_name(fold(name)), new_copy(keeps=keep)
        with self._tables.writing(quarantine):
            self.make_way(name)
            if left_out is None:
                self._is_settled(fold(name))  # what waits is none of its business
            else:
                self._settle(fold(name))
            is_known = bool(self.of(name))
            if left_out is None and (keep or not is_known):
                return self._described(write(copy))
            if not is_known:
                self.require_free(name)
            aside = self._put_aside(fold(name), copy, left_out)
            try:
                table = write(copy)
            except ThanosqlError as problem:
                if "outcome" not in problem.metadata:
                    self._forget(aside)
                raise
            if not self._is_settled(fold(name)):
                return replace(table, quarantine=quarantine)
            return self._described(table)

    def make_way(self, name: str) -> None:
        """Drop the quarantine of a table that is gone, before there is another one of its name.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE.
        """
        quarantine = quarantine_name(fold(name))
        with self._tables.writing(quarantine):
            if self._found(fold(name)) is not None and not self._tables.exists(name):
                self._tables.drop(quarantine)

    def require_free(self, name: str) -> None:
        """Refuse a table whose quarantine cannot be made.

        Raises:
            ThanosqlError: TABLE_ALREADY_EXISTS if a table of the user has the quarantine's name, INVALID_NAME
                if that is too long.
        """
        quarantine = quarantine_name(fold(name))
        checked(quarantine)
        if self._tables.exists(quarantine) and not self.of(name):
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
                self._drop_if_possible(quarantine)
            return dropped

    def describe(self, name: str) -> TableInfo:
        """Describe a table as it is now, with its quarantine."""
        return self._described(self._tables.describe(name))

    def recover(self) -> list[str]:
        """Finish what was left half done, drop what has outlived its table; return the tables' names.

        What cannot be done now is logged, and done in the next round.
        """
        owners = [quarantined_name(name) for name in self._tables.folders()]
        return [owner for owner in owners if owner and self._is_mended(owner)]

    def _is_mended(self, owner: str) -> bool:
        quarantine = quarantine_name(owner)
        try:
            with (
                panics_told(f"table {quarantine!r}"),
                self._tables.writing(owner),
                self._tables.writing(quarantine),
            ):
                # In this order: a quarantine is there only if its table has been there before it.
                if self.of(owner) and not self._tables.exists(owner):
                    return self._tables.drop(quarantine)
                return self._settle(owner)
        except _FAILURES as problem:
            _log.warning("quarantine_not_settled", table=owner, error=str(problem)[:200])
            return False

    def _described(self, table: TableInfo) -> TableInfo:
        return replace(table, quarantine=self.of(table.name))

    def _found(self, name: str) -> Any | None:  # Any: lance ships no types
        """Open a quarantine; a table of a user may have its name and columns, but no remark."""
        dataset = self._tables.found(quarantine_name(name))
        if dataset is None:
            return None
        is_ours = dataset.schema.equals(QUARANTINE) and _remark(dataset.schema, _OWNER) == name
        return dataset if is_ours else None

    def _put_aside(self, name: str, copy: CopyMark, left_out: Rows | None) -> LeftOut:
        rows = left_out or Rows(QUARANTINE, ())
        before = self._tables.version(name)
        return self._tables.left_out.put(quarantine_name(name), copy.copy_id, before, rows)

    def _forget(self, aside: LeftOut) -> None:
        """Forget the rows of a COPY that did not happen; no commit will ever name them, if that fails."""
        with contextlib.suppress(*_FAILURES):
            self._tables.left_out.remove(aside)

    def _drop_if_possible(self, quarantine: str) -> None:
        """Drop a quarantine after its table; what fails now is done before there is another such table."""
        try:
            self._tables.drop(quarantine)
        except _FAILURES as problem:
            _log.warning("quarantine_not_dropped", quarantine=quarantine, error=str(problem)[:200])

    def _is_settled(self, name: str) -> bool:
        """Settle after the commit of the table; what fails now is done later, and the COPY has happened."""
        try:
            return self._settle(name)
        except _FAILURES as problem:
            _log.warning("quarantine_not_settled", table=name, error=str(problem)[:200])
            return False

    def _settle(self, name: str) -> bool:
        """Give the quarantine the rows of each COPY that has happened, and say whether there was any."""
        aside = {each.copy_id: each for each in self._tables.left_out.waiting(quarantine_name(name))}
        if not aside:
            return False
        first = min(max(each.version_before, self._looked.get(copy, 0)) for copy, each in aside.items())
        newest, copies = self._tables.copies_since(name, first)
        settled = [(copy, is_over) for copy, is_over in _happened(copies) if copy.copy_id in aside]
        for copy, is_over in reversed(settled):
            if not is_over:
                self._give_or_give_up(name, aside[copy.copy_id], keeps=copy.keeps)
            self._remove(aside.pop(copy.copy_id))
        for copy_id, each in aside.items():
            self._looked[copy_id] = newest
            if self._tables.left_out.is_old(each):
                self._remove(each)
        return bool(settled)

    def _remove(self, aside: LeftOut) -> None:
        self._tables.left_out.remove(aside)
        self._looked.pop(aside.copy_id, None)

    def _give_or_give_up(self, name: str, aside: LeftOut, *, keeps: bool) -> None:
        """Give them, unless a table of the user has had the quarantine's name for a day."""
        quarantine = quarantine_name(name)
        if self._found(name) is not None or not self._tables.exists(quarantine):
            self._give(name, aside, keeps=keeps)
        elif self._tables.left_out.is_old(aside):
            _log.warning("rows_left_out_lost", table=name, taken_by=quarantine)
        else:
            raise _taken(name, quarantine)

    def _give(self, name: str, aside: LeftOut, *, keeps: bool) -> None:
        """Give the quarantine the rows of one COPY; begun anew where another process is at the same."""
        tries = 0
        while True:
            tries += 1
            try:
                return self._give_once(name, aside, keeps=keeps)
            except ThanosqlError as problem:
                outrun = problem.reason in (Reason.CONFLICT, Reason.TABLE_ALREADY_EXISTS)
                if not outrun or tries == _TRIES:
                    raise

    def _give_once(self, name: str, aside: LeftOut, *, keeps: bool) -> None:
        tables, quarantine = self._tables, quarantine_name(name)
        held = self._found(name)
        copies = _remark(held.schema, _COPIES).split() if held is not None else []
        if aside.copy_id in copies or not tables.left_out.is_there(aside):
            return  # Another process was quicker.
        rows = tables.left_out.batches(aside)
        first = next(rows, None)
        if first is None:
            tables.drop(quarantine)
            return
        kept = held.to_batches() if held is not None and keeps else ()
        remarks = {_OWNER: name, _COPIES: " ".join([*copies, aside.copy_id][-_MOST_COPIES:])}
        given = Rows(QUARANTINE, itertools.chain(kept, [first], rows), remarks)
        if held is None:
            tables.create(quarantine, given, Operation.COPY)
        else:
            tables.replace_version(quarantine, held, given, Operation.COPY)


def quarantine_name(folded: str) -> str:
    """Return the name that a table's quarantine has."""
    return folded + _SUFFIX


def quarantined_name(folded: str) -> str:
    """Return the name of the table whose quarantine has this name; empty where none can have it."""
    owner = folded.removesuffix(_SUFFIX)
    return owner if owner != folded else ""


def _happened(copies: Iterable[CopyMark]) -> Iterator[tuple[CopyMark, bool]]:
    """Yield COPYs, newest first, each with whether a later one has replaced the table."""
    is_over = False
    for copy in copies:
        yield copy, is_over
        is_over = is_over or not copy.keeps


def _remark(schema: pa.Schema, key: str) -> str:
    remarks: dict[bytes, bytes] = schema.metadata or {}
    return remarks.get(key.encode(), b"").decode()


def _taken(name: str, quarantine: str) -> ThanosqlError:
    message = (
        f"some rows cannot be read, and {quarantine!r}, which would hold them, is a table of another kind; "
        f"drop that one, or copy into a table other than {fold(name)!r}"
    )
    return error(Reason.TABLE_ALREADY_EXISTS, message, table=quarantine)
