"""Extracts are made in the background, one at a time, and not at all where there is no room."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from services.storage.core.background import Background, BackgroundConnection, OpenConnection
from services.storage.core.extracts.extract_files import Extract, require_kept, write_extract
from services.storage.core.extracts.shelf import Shelf
from services.storage.core.widths import rows_at_once
from thanosql_objects.scratch import ScratchFolder

_log = structlog.get_logger("storage")


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
        self._connection = BackgroundConnection(open_connection)
        self._background: Background[str] = Background("storage-extract", clock)

    def begin(self, wanted: Wanted) -> None:
        """Make an extract, unless that is being done, or was tried in vain a moment ago."""
        self._background.begin(wanted.extract.name, partial(self._make, wanted))

    def give_up(self, extract: Extract) -> None:
        """Do not make an extract for a while."""
        self._background.give_up(extract.name)

    def wait(self) -> None:
        """Wait for what was begun."""
        self._background.wait()

    def close(self) -> None:
        """Stop, and wait until it has stopped."""
        self._background.close(self._connection.interrupt)

    def _make(self, wanted: Wanted) -> None:
        begun_s = time.monotonic()
        try:
            size_bytes = self._kept(wanted)
        except Exception as problem:
            _log.warning("extract_not_made", error=repr(problem)[:200])
            raise
        ms = round(1000 * (time.monotonic() - begun_s))
        _log.info("extract_made", size_bytes=size_bytes, ms=ms)

    def _kept(self, wanted: Wanted) -> int:
        """Make an extract, and say how long it is."""
        room_bytes = self._shelf.room_bytes()
        with self._shelf.scratch("extract") as folder, ScratchFolder("extract") as spill:
            path = Path(folder) / "made.db"
            rows = self._watched(wanted, path, room_bytes)
            with self._connection.opened(spill) as connection:
                count = write_extract(connection, rows, path)
            expected = wanted.fragment.count_rows()
            if count != expected:
                raise ValueError(f"{count} rows were written of {expected}")
            self._check(path, room_bytes)
            size_bytes = path.stat().st_size
            self._shelf.keep(path, wanted.extract)
            return size_bytes

    def _watched(self, wanted: Wanted, path: Path, room_bytes: int) -> pa.RecordBatchReader:
        """The rows, for as long as there is room for them and somebody wants them."""
        scanner = wanted.dataset.scanner(fragments=[wanted.fragment], batch_size=rows_at_once(wanted.dataset))

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in scanner.to_reader():
                self._check(path, room_bytes)
                require_kept(batch)
                yield batch

        return pa.RecordBatchReader.from_batches(wanted.dataset.schema, batches())

    def _check(self, path: Path, room_bytes: int) -> None:
        if self._background.is_closed:
            raise RuntimeError("the service stops")
        size_bytes = path.stat().st_size if path.exists() else 0
        if size_bytes > room_bytes or self._shelf.is_disk_full():
            raise OSError("there is no room for it")
