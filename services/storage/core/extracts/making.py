"""Extracts are made in the background, one at a time, and not at all where there is no room."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from services.storage.core.extracts.extract_files import Extract, write_extract
from services.storage.core.extracts.shelf import Shelf
from services.storage.core.watching import LOOK_AGAIN_S
from thanosql_objects.scratch import ScratchFolder

_log = structlog.get_logger("storage")

OpenConnection = Callable[[str], Any]
"""Opens a DuckDB that keeps what does not fit into memory in a folder."""

_BATCH_ROWS = 8192
_MOST_REMEMBERED = 10_000
# What failed, because it is too large or the disk is full, would fail again at each query.
_TRY_AGAIN_S = 600.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An extract that should be there, and the part of which version it is made from."""

    extract: Extract
    dataset: Any  # Any: lance ships no types
    fragment: Any


class Maker:
    """Makes extracts.

    Args:
        shelf: Where they are kept.
        open_connection: Each extract has one of its own.
        clock: Seconds, for when to try again what failed.
    """

    def __init__(self, shelf: Shelf, open_connection: OpenConnection, clock: Callable[[], float]) -> None:
        self._shelf = shelf
        self._open_connection = open_connection
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="storage-extract")
        self._guard = threading.Lock()
        self._begun: dict[str, Future[None]] = {}
        self._failed_s: dict[str, float] = {}
        self._connection: Any = None
        self._closed = False

    def begin(self, wanted: Wanted) -> None:
        """Make an extract, unless that is being done, or was tried in vain a moment ago."""
        name = wanted.extract.name
        with self._guard:
            failed_s = self._failed_s.get(name)
            is_hopeless = failed_s is not None and self._clock() - failed_s < _TRY_AGAIN_S
            if not self._closed and not is_hopeless and name not in self._begun:
                self._begun[name] = self._thread.submit(self._make, wanted)

    def give_up(self, extract: Extract) -> None:
        """Do not make an extract for a while."""
        with self._guard:
            if len(self._failed_s) >= _MOST_REMEMBERED:
                self._failed_s.clear()
            self._failed_s[extract.name] = self._clock()

    def wait(self) -> None:
        """Wait for what was begun."""
        with self._guard:
            begun = list(self._begun.values())
        wait(begun)

    def close(self) -> None:
        """Stop, and wait until it has stopped."""
        with self._guard:
            self._closed = True
            begun = list(self._begun.values())
        self._thread.shutdown(wait=False, cancel_futures=True)
        # An interrupt that comes just before DuckDB starts is lost; it is repeated.
        while wait(begun, timeout=LOOK_AGAIN_S).not_done:
            with self._guard:
                if self._connection is not None:
                    self._connection.interrupt()

    def _make(self, wanted: Wanted) -> None:
        begun_s = time.monotonic()
        try:
            size_bytes = self._kept(wanted)
        except Exception as problem:  # noqa: BLE001 - nobody looks at it; queries read the table meanwhile
            self.give_up(wanted.extract)
            _log.warning("extract_not_made", error=repr(problem)[:200])
        else:
            ms = round(1000 * (time.monotonic() - begun_s))
            _log.info("extract_made", size_bytes=size_bytes, ms=ms)
        with self._guard:
            del self._begun[wanted.extract.name]

    def _kept(self, wanted: Wanted) -> int:
        """Make an extract, and say how long it is."""
        room_bytes = self._shelf.room_bytes()
        with self._shelf.scratch("extract") as folder, ScratchFolder("extract") as spill:
            path = Path(folder) / "made.db"
            rows = self._watched(wanted, path, room_bytes)
            count, expected = self._write(rows, path, spill), wanted.fragment.count_rows()
            if count != expected:
                raise ValueError(f"{count} rows were written of {expected}")
            self._check(path, room_bytes)
            size_bytes = path.stat().st_size
            self._shelf.keep(path, wanted.extract)
            return size_bytes

    def _write(self, rows: pa.RecordBatchReader, path: Path, spill: str) -> int:
        connection = self._open_connection(spill)
        try:
            with self._guard:
                self._connection = connection
            return write_extract(connection, rows, path)
        finally:
            with self._guard:
                self._connection = None
            connection.close()

    def _watched(self, wanted: Wanted, path: Path, room_bytes: int) -> pa.RecordBatchReader:
        """The rows, for as long as there is room for them and somebody wants them."""
        scanner = wanted.dataset.scanner(fragments=[wanted.fragment], batch_size=_BATCH_ROWS)

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in scanner.to_reader():
                self._check(path, room_bytes)
                yield batch

        return pa.RecordBatchReader.from_batches(wanted.dataset.schema, batches())

    def _check(self, path: Path, room_bytes: int) -> None:
        if self._closed:
            raise RuntimeError("the service stops")
        size_bytes = path.stat().st_size if path.exists() else 0
        if size_bytes > room_bytes or self._shelf.is_disk_full():
            raise OSError("there is no room for it")
