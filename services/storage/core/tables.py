"""Tables in LanceDB: every change is one commit, and a name is written by one writer at a time."""

import contextlib
import shutil
import threading
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa

from services.storage.core.names import checked, file_name, fold, from_file_name, table_not_found
from services.storage.core.rows import Rows, aligned
from services.storage.core.types import ColumnInfo, TableInfo, TablePage
from thanosql_runtime.errors import Reason, ThanosqlError, error

# Old versions stay this long, for readers that opened them before they were replaced.
_HISTORY = timedelta(hours=24)
_COMMITS_BETWEEN_CLEANINGS = 50
_MAX_PAGE = 1000


class Tables:
    """The tables under one local directory.

    Safe to use from many threads. Names are case-insensitive.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        # Without the interval a connection keeps showing the version that it saw first.
        self._database = lancedb.connect(str(root), read_consistency_interval=timedelta(0))
        self._locks: dict[str, threading.RLock] = {}
        self._locks_guard = threading.Lock()

    def names(self) -> list[str]:
        """Return the names of all tables, sorted."""
        folders = (path for path in self._root.glob("*.lance") if _is_committed(path))
        return sorted(from_file_name(path.name.removesuffix(".lance")) for path in folders)

    def exists(self, name: str) -> bool:
        """Tell whether there is a table of that name."""
        return _is_committed(self._folder(fold(name)))

    def dataset(self, name: str) -> Any:  # Any: lance ships no types
        """Open the newest version of a table for reading.

        Raises:
            ThanosqlError: TABLE_NOT_FOUND, with the nearest name.
        """
        return self._open(name).to_lance()

    def schema(self, name: str) -> pa.Schema:
        """Return the columns of a table."""
        return self._open(name).schema

    def describe(self, name: str) -> TableInfo:
        """Describe a table as it is now."""
        dataset = self.dataset(name)
        columns = tuple(ColumnInfo(name=field.name, type=str(field.type)) for field in dataset.schema)
        return TableInfo(
            name=fold(name),
            row_count=dataset.count_rows(),
            columns=columns,
            version=dataset.version,
            update_time_s=_commit_time_s(self._folder(fold(name))),
        )

    def page(self, *, page_size: int = 100, page_token: str = "") -> TablePage:
        """List tables by name; one that is dropped meanwhile is left out."""
        size = max(1, min(page_size or 100, _MAX_PAGE))
        names = [name for name in self.names() if name > page_token]
        described = []
        for name in names[:size]:
            with contextlib.suppress(ThanosqlError):
                described.append(self.describe(name))
        return TablePage(
            tables=tuple(described), next_page_token=names[size - 1] if len(names) > size else ""
        )

    def require_absent(self, name: str) -> None:
        """Raise TABLE_ALREADY_EXISTS if there is a table of that name."""
        if self.exists(name):
            hint = "use OPTIONS (overwrite=True) to replace it, or if_exists='append' to add to it"
            message = f"table {fold(name)!r} exists already; {hint}"
            raise error(Reason.TABLE_ALREADY_EXISTS, message, table=fold(name))

    def create(self, name: str, rows: Rows) -> TableInfo:
        """Make a table.

        Raises:
            ThanosqlError: TABLE_ALREADY_EXISTS, INVALID_NAME, INVALID_DATA.
        """
        with self.writing(checked(name)):
            self.require_absent(name)
            return self._overwrite(fold(name), rows)

    def replace(self, name: str, rows: Rows) -> TableInfo:
        """Make a table in the place of the one of that name, if there is one."""
        with self.writing(checked(name)):
            return self._overwrite(fold(name), rows)

    def append(self, name: str, rows: Rows, columns: Iterable[str] = ()) -> TableInfo:
        """Add rows; columns that they lack become null.

        Args:
            name: The table.
            rows: What is added.
            columns: Names of the table's columns that the rows fill, in order. None given, the rows
                are matched by their own names.

        Raises:
            ThanosqlError: TABLE_NOT_FOUND, COLUMN_NOT_FOUND, INVALID_DATA.
        """
        with self.writing(fold(name)):
            table = self._open(name)
            fitting = aligned(rows, table.schema, tuple(columns))
            with fitting.guarded():
                table.add(fitting.reader())
            self._clean_sometimes(table)
            return self.describe(name)

    def drop(self, name: str) -> bool:
        """Drop a table, and say whether there was one."""
        with self.writing(fold(name)):
            if not self.exists(name):
                return False
            self._database.drop_table(file_name(fold(name)))
            return True

    @contextlib.contextmanager
    def change(self, name: str) -> Iterator[Any]:  # Any: lancedb's table
        """Give LanceDB's own table to one writer, for a change of its columns."""
        with self.writing(fold(name)):
            yield self._open(name)

    @contextlib.contextmanager
    def writing(self, folded: str) -> Iterator[None]:
        """Hold the right to write one table; entered again by its owner without harm."""
        with self._locks_guard:
            lock = self._locks.setdefault(folded, threading.RLock())
        with lock:
            yield

    def _overwrite(self, folded: str, rows: Rows) -> TableInfo:
        rows.check_names()
        folder = self._folder(folded)
        known = _is_committed(folder)
        try:
            with rows.guarded():
                mode = "overwrite" if known else "create"
                table = self._database.create_table(file_name(folded), rows.reader(), mode=mode)
        finally:
            # A first commit that failed leaves a folder without a version, which is no table.
            if not known and not _is_committed(folder):
                shutil.rmtree(folder, ignore_errors=True)
        self._clean_sometimes(table)
        return self.describe(folded)

    def _clean_sometimes(self, table: Any) -> None:
        if table.version % _COMMITS_BETWEEN_CLEANINGS == 0:
            table.optimize(cleanup_older_than=_HISTORY)

    def _open(self, name: str) -> Any:
        if not self.exists(name):
            raise table_not_found(name, self.names())
        try:
            return self._database.open_table(file_name(fold(name)))
        except (FileNotFoundError, ValueError) as problem:
            raise table_not_found(name, self.names()) from problem

    def _folder(self, folded: str) -> Path:
        return self._root / f"{file_name(folded)}.lance"


def _commit_time_s(folder: Path) -> float:
    # Asking Lance for its versions reads every manifest; the newest file tells the same.
    manifests = (folder / "_versions").glob("*.manifest")
    return max((manifest.stat().st_mtime for manifest in manifests), default=0.0)


def _is_committed(folder: Path) -> bool:
    """Tell a table from what a writer left that died before its first commit."""
    versions = folder / "_versions"
    return versions.is_dir() and any(versions.glob("*.manifest"))
