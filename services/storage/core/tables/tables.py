"""Tables in LanceDB: every change is one commit, and a name is written by one writer at a time."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from lance.dataset import LanceOperation, Transaction

from services.storage.core.names import checked, fold, table_not_found
from services.storage.core.tables.commits import (
    commit,
    copies_since,
    in_place_of,
    marked,
    repeated,
    translated,
    written,
)
from services.storage.core.tables.describing import described_as
from services.storage.core.tables.handles import TableHandles
from services.storage.core.tables.homes import TableHome, directory_home
from services.storage.core.tables.left_out import LeftOutRows
from services.storage.core.tables.locks import NameLocks
from services.storage.core.tables.readers import DoomedError, Readers
from services.storage.core.tables.rows import Rows, aligned
from services.storage.core.types import CopyMark, Operation, TableInfo
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("storage")
_COMMITS_BETWEEN_COMPACTIONS = 50
_MANY_PIECES = 16
_EVER = timedelta(days=36_500)
_COPY_OVER = "use OPTIONS (overwrite=True) to replace it, or if_exists='append' to add to it"
_CREATE_OVER = "write CREATE OR REPLACE TABLE, or choose another name"


class Tables:
    """The tables of one home.

    Safe to use from many threads. Names are case-insensitive. Other processes may write the same home:
    locks here only spare the threads of this one the work of trying again.

    Args:
        home: Where they are; a path means a directory.

    Attributes:
        left_out: What COPY left out, until it is known whether it happened.
    """

    def __init__(self, home: TableHome | Path) -> None:
        self._home = home if isinstance(home, TableHome) else directory_home(home)
        self.left_out = LeftOutRows(self._home)
        self._readers = Readers()
        self._locks = NameLocks()
        self._handles = TableHandles(self._home)

    def names(self) -> list[str]:
        """Return the names of all tables, sorted."""
        return self._home.names()

    def folders(self) -> list[str]:
        """Return the names of all tables, sorted, and of some that were never committed; in one look."""
        return self._home.folders()

    def exists(self, name: str) -> bool:
        """Tell whether there is a table of that name."""
        return self._home.is_committed(fold(name))

    def dataset(self, name: str) -> Any:  # Any: lance ships no types
        """Open the newest version of a table for reading.

        Raises:
            ThanosqlError: TABLE_NOT_FOUND, with the nearest name.
        """
        found = self.found(name)
        if found is None:
            raise table_not_found(name, self.names())
        return found

    def found(self, name: str) -> Any | None:
        """Open the newest version of a table for reading; None where there is no such table.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE.
        """
        while True:
            try:
                return self._readers.opened(fold(name), lambda: self._home.open(fold(name)))
            except DoomedError:
                # It was the newest when it was opened, and there is a newer one now.
                self._readers.wait_for_cleaning(fold(name))
            except ValueError:
                return None

    def newest(self, name: str) -> str:
        """See `TableHome.newest`."""
        return self._home.newest(fold(name))

    def version(self, name: str) -> int:
        """Return the number of the newest version of a table; 0 where there is no such table."""
        dataset = self.found(name)
        return 0 if dataset is None else int(dataset.version)

    def dataset_at(self, name: str, version: int) -> Any:
        """Open one version of a table for reading.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE.
            ValueError: There is no such version.
        """
        return self._readers.opened(fold(name), lambda: self._home.open(fold(name), version))

    def describe(self, name: str) -> TableInfo:
        """Describe a table as it is now."""
        return described_as(fold(name), self.dataset(name))

    def described(self, name: str) -> TableInfo | None:
        """Describe a table as it is now; None where there is no such table."""
        dataset = self.found(name)
        return None if dataset is None else described_as(fold(name), dataset)

    def require_absent(self, name: str, operation: Operation = Operation.CREATE) -> None:
        """Raise TABLE_ALREADY_EXISTS if there is a table of that name, with what its maker may do."""
        if self.exists(name):
            hint = _COPY_OVER if operation is Operation.COPY else _CREATE_OVER
            message = f"table {fold(name)!r} exists already; {hint}"
            raise error(Reason.TABLE_ALREADY_EXISTS, message, table=fold(name))

    def create(
        self, name: str, rows: Rows, operation: Operation = Operation.CREATE, copy: CopyMark | None = None
    ) -> TableInfo:
        """Make a table.

        Raises:
            ThanosqlError: TABLE_ALREADY_EXISTS, INVALID_NAME, INVALID_DATA.
        """
        with self.writing(checked(name)):
            self.require_absent(name, operation)
            rows.check_names()
            try:
                made = written(self._home, fold(name), rows)
                return self._committed(name, Transaction(0, made.operation), operation, copy)
            except ThanosqlError as problem:
                if problem.reason is Reason.CONFLICT:
                    self.require_absent(name, operation)
                raise

    def replace(
        self, name: str, rows: Rows, operation: Operation = Operation.REPLACE, copy: CopyMark | None = None
    ) -> TableInfo:
        """Make a table in the place of the one of that name, if there is one; its history goes on."""
        with self.writing(checked(name)):
            rows.check_names()
            made = written(self._home, fold(name), rows)
            return repeated(
                lambda: self._committed(
                    name, Transaction(self.version(name), made.operation), operation, copy
                )
            )

    def replace_version(
        self, name: str, dataset: Any, rows: Rows, operation: Operation, copy: CopyMark | None = None
    ) -> TableInfo:
        """Make a table in the place of one version, if that is still the newest.

        Raises:
            ThanosqlError: CONFLICT when another process changed the table meanwhile.
        """
        with self.writing(fold(name)):
            made = written(self._home, fold(name), rows)
            return self._committed(name, Transaction(dataset.version, made.operation), operation, copy)

    def rewrite(self, name: str, dataset: Any, rows: Rows, operation: Operation) -> TableInfo:
        """Put rows in the place of those of one version; rows that were added since then stay.

        Args:
            name: The table.
            dataset: The version.
            rows: Rows with its columns.
            operation: What the new version says that it was made by.

        Raises:
            ThanosqlError: CONFLICT when some of its rows were changed or removed meanwhile.
        """
        with self.writing(fold(name)):
            added = written(self._home, fold(name), rows, dataset)
            return self._committed(name, in_place_of(dataset, added), operation)

    def restore(self, name: str, version: int) -> TableInfo:
        """Make the rows and columns of a version, which exists, the newest ones.

        Raises:
            ThanosqlError: TABLE_NOT_FOUND when another process drops the table meanwhile, CONFLICT.
        """
        operation, restored = f"{Operation.RESTORE} TO VERSION {version}", LanceOperation.Restore(version)
        with self.writing(fold(name)):
            return repeated(
                lambda: self._committed(name, Transaction(self.dataset(name).version, restored), operation)
            )

    def append(
        self,
        name: str,
        rows: Rows,
        columns: Iterable[str] = (),
        operation: Operation = Operation.INSERT,
        copy: CopyMark | None = None,
    ) -> TableInfo:
        """Add rows; columns that they lack become null.

        Args:
            name: The table.
            rows: What is added.
            columns: Names of the table's columns that the rows fill, in order. None given, the rows
                are matched by their own names.
            operation: What the version says that it was made by.
            copy: And by which COPY.

        Raises:
            ThanosqlError: TABLE_NOT_FOUND, COLUMN_NOT_FOUND, INVALID_DATA, CONFLICT when another
                process replaces the table or changes its columns meanwhile.
        """
        with self.writing(fold(name)):
            dataset = self.dataset(name)
            fitting = aligned(rows, dataset.schema, tuple(columns))
            added = written(self._home, fold(name), fitting, dataset)
            return self._committed(name, added, operation, copy)

    def copies_since(self, name: str, version: int) -> tuple[int, list[CopyMark]]:
        """Return the newest version of a table, and the COPYs behind another of its versions, newest first.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE.
        """
        dataset = self.found(name)
        return (0, []) if dataset is None else (int(dataset.version), copies_since(dataset, version))

    def drop(self, name: str) -> bool:
        """Drop a table with its history, and say whether there was one."""
        with self.writing(fold(name)):
            return self._home.remove(fold(name))

    def compact(self, name: str) -> None:
        """Make large pieces of many small ones, if there are many; rows and history stay as they are.

        Raises:
            ThanosqlError: TABLE_NOT_FOUND, STORE_UNAVAILABLE, CONFLICT when another process writes it.
        """
        with self.writing(fold(name)), translated(fold(name)):
            dataset = self.dataset(name)
            if len(dataset.get_fragments()) >= _MANY_PIECES:
                dataset.optimize.compact_files()

    def clean(self, name: str, versions: Collection[int]) -> int:
        """Clean up versions of a table, but for the newest and those that are read, and say how many.

        Who chooses the versions holds the right to write the table until they are cleaned up: a table that
        is made anew has the same numbers.
        """
        folded = fold(name)
        with self.writing(folded), translated(folded), self._readers.cleaning(folded, versions) as unread:
            if not unread:
                return 0
            newest = self._home.open(folded)
            return int(newest.cleanup_old_versions(versions=sorted(unread)).old_versions)

    def sweep(self, name: str) -> int:
        """Remove what killed writers left in a table, after a week, and say how many bytes that were.

        Every version stays. The week is Lance's: it tells the files of a writer that is at work from those
        of one that died by their age alone.
        """
        folded = fold(name)
        with self.writing(folded), translated(folded):
            return int(self._home.open(folded).cleanup_old_versions(older_than=_EVER).bytes_removed)

    @contextmanager
    def change(self, name: str) -> Iterator[Any]:  # Any: lancedb's table
        """Give LanceDB's own table to one writer, for a change of its columns.

        Raises:
            ThanosqlError: TABLE_NOT_FOUND, STORE_UNAVAILABLE, CONFLICT when another process writes it.
        """
        with self.writing(fold(name)), translated(fold(name)):
            yield self._handles.open(name)

    def has_changed_to(self, name: str, columns: Sequence[str], since: int, problem: Exception) -> bool:
        """See `TableHandles.has_changed_to`."""
        return self._handles.has_changed_to(name, columns, since, problem)

    def writing(self, folded: str) -> AbstractContextManager[None]:
        """Hold the right to write one table; entered again by its owner without harm."""
        return self._locks.held(folded)

    def being_written(self) -> set[str]:
        """Return the names of the tables that threads of this process write, or wait to write."""
        return self._locks.names()

    def _committed(
        self, name: str, transaction: Transaction, operation: str, copy: CopyMark | None = None
    ) -> TableInfo:
        # Described from what the commit returned: a store that fails after it has still kept the rows.
        dataset = commit(self._home, fold(name), marked(transaction, operation, copy))
        table = described_as(fold(name), dataset)
        if table.version % _COMMITS_BETWEEN_COMPACTIONS == 0:
            self._compact_if_possible(name)
        return table

    def _compact_if_possible(self, name: str) -> None:
        # The commit before it is whole; what is not done now, because of other writers, is later.
        try:
            self.compact(name)
        except (ThanosqlError, OSError, RuntimeError, ValueError) as problem:
            _log.warning("table_not_compacted", error=str(problem)[:200])
