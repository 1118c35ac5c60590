"""The indexes of all tables: found for a search, built and renewed in the background when one needs them."""

import contextlib
import hashlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlglot import exp

from services.storage.core.names import file_name, fold
from services.storage.core.searching.index_files import FORMAT, KeywordIndex, write_index
from services.storage.core.searching.indexed import IndexedRows, indexed_rows
from services.storage.core.searching.plain_reads import plain_read
from services.storage.core.searching.ranking import Source
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.types import OpenVersion
from services.storage.core.watching import LOOK_AGAIN_S
from thanosql_objects.scratch import ScratchFolder

_log = structlog.get_logger("storage")

OpenConnection = Callable[[str], Any]
"""Opens a DuckDB that keeps what does not fit into memory in a folder."""

# Reading fewer rows takes no longer than opening an index.
_LEAST_ROWS = 5000
# An index is renewed when more rows or parts than these must be read beside it.
_MOST_NEW_ROWS = 1000
_MOST_NEW_FRAGMENTS = 20
# What failed, because it is too large or the disk is full, would fail again at each search.
_TRY_AGAIN_S = 600.0


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """An index that should be there."""

    folder: Path
    dataset: Any
    column: str
    fragments: Mapping[str, str]


class KeywordIndexes:
    """The indexes under one local directory, which may be deleted while nobody runs.

    Args:
        root: Where they are kept.
        open_connection: For building them, one at a time.
        least_rows: Tables with fewer rows are read instead.
        clock: Seconds, for when to try again what failed.
    """

    def __init__(
        self,
        root: Path,
        open_connection: OpenConnection,
        least_rows: int = _LEAST_ROWS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._root = root
        self._open_connection = open_connection
        self._least_rows = least_rows
        self._clock = clock
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="storage-index")
        self._guard = threading.Lock()
        self._building: dict[Path, Future[None]] = {}
        self._failed_s: dict[Path, float] = {}
        self._connection: Any = None
        self._closed = False

    def source(self, tree: exp.Expr, version: OpenVersion, search: KeywordSearch) -> Source | None:
        """The rows of a query over one table through its index, or None where they must be read.

        An index that is missing or old is then built, or renewed, in the background.
        """
        dataset = version.dataset
        read = plain_read(tree, dataset.schema, search)
        if read is None or dataset.count_rows() < self._least_rows:
            return None
        wanted = self._wanted(version.table, dataset, read.text)
        index = _fitting(wanted)
        new = [
            f for f in dataset.get_fragments() if index and str(f.fragment_id) not in index.facts.fragments
        ]
        if not search.explain_only and (index is None or _is_much(new)):
            self._build_soon(wanted)
        if index is None:
            return None
        return IndexedRows(index, dataset, new_fragments=new, read=read, search=search)

    def wait(self) -> None:
        """Wait for the builds that were begun."""
        with self._guard:
            begun = list(self._building.values())
        for build in begun:
            build.result()

    def forget_others(self, tables: Callable[[], Iterable[str]]) -> None:
        """Delete the indexes of all tables but these."""
        # Names are asked for last: a table that is made meanwhile keeps its index.
        folders = list(self._root.glob("*"))
        known = {file_name(fold(name)) for name in tables()}
        for folder in folders:
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        with self._guard:
            for folder in [folder for folder in self._failed_s if folder.parent.name not in known]:
                del self._failed_s[folder]

    def close(self) -> None:
        """Stop building, and wait until it has stopped."""
        with self._guard:
            self._closed = True
            begun = list(self._building.values())
        self._builder.shutdown(wait=False, cancel_futures=True)
        # An interrupt that comes just before DuckDB starts is lost, so it is repeated.
        while wait(begun, timeout=LOOK_AGAIN_S).not_done:
            with self._guard:
                if self._connection is not None:
                    self._connection.interrupt()

    def _wanted(self, table: str, dataset: Any, column: str) -> _Wanted:
        # A column keeps its number when it is renamed; another of its old name has another number.
        number = next(field.id() for field in dataset.lance_schema.fields() if field.name() == column)
        fragments = {str(f.fragment_id): _content(f) for f in dataset.get_fragments()}
        folder = self._root / file_name(fold(table)) / str(number)
        return _Wanted(folder=folder, dataset=dataset, column=column, fragments=fragments)

    def _build_soon(self, wanted: _Wanted) -> None:
        with self._guard:
            failed_s = self._failed_s.get(wanted.folder)
            is_hopeless = failed_s is not None and self._clock() - failed_s < _TRY_AGAIN_S
            if not self._closed and not is_hopeless and wanted.folder not in self._building:
                self._building[wanted.folder] = self._builder.submit(self._build, wanted)

    def _build(self, wanted: _Wanted) -> None:
        failed_s: float | None = None
        try:
            self._make(wanted)
        except Exception as problem:  # noqa: BLE001 - nobody looks at it; searches read the rows meanwhile
            failed_s = self._clock()
            _log.warning("index_not_built", column=wanted.column, error=repr(problem)[:200])
        with self._guard:
            del self._building[wanted.folder]
            self._failed_s.pop(wanted.folder, None)
            if failed_s is not None:
                self._failed_s[wanted.folder] = failed_s

    def _make(self, wanted: _Wanted) -> None:
        name = hashlib.sha256(json.dumps(wanted.fragments, sort_keys=True).encode()).hexdigest()[:16]
        wanted.folder.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix="making-", dir=wanted.folder))
        try:
            self._write(wanted, making)
            shutil.rmtree(wanted.folder / name, ignore_errors=True)  # One that cannot be read.
            making.rename(wanted.folder / name)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        for other in wanted.folder.iterdir():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)

    def _write(self, wanted: _Wanted, folder: Path) -> None:
        with ScratchFolder("index") as spill:
            connection = self._open_connection(spill)
            try:
                with self._guard:
                    self._connection = connection
                    if self._closed:
                        raise RuntimeError("the service stops")
                rows = indexed_rows(wanted.dataset, wanted.column, wanted.dataset.get_fragments())
                write_index(connection, rows, wanted.fragments, folder)
            finally:
                with self._guard:
                    self._connection = None
                connection.close()


def _fitting(wanted: _Wanted) -> KeywordIndex | None:
    """The index that holds most of the table as it is now, and nothing else."""
    found: list[KeywordIndex] = []
    for folder in wanted.folder.glob("[0-9a-f]*"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            index = KeywordIndex(folder)
            if index.facts.format == FORMAT and index.facts.fragments.items() <= wanted.fragments.items():
                found.append(index)
    return max(found, key=lambda index: len(index.facts.fragments), default=None)


def _content(fragment: Any) -> str:
    """What tells the content of a part of a table: its files, whose names are never used again."""
    facts = fragment.metadata.to_json()
    return json.dumps(
        [[file["path"] for file in facts["files"]], facts["deletion_file"], facts.get("overlays")]
    )


def _is_much(new: list[Any]) -> bool:
    return len(new) > _MOST_NEW_FRAGMENTS or sum(f.count_rows() for f in new) > _MOST_NEW_ROWS
