"""What is removed as soon as it is found, because others have made sure that nobody writes it."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from services.storage.core.reconciling.leftovers import LeftoverKind
from services.storage.core.tables.outages import panics_told
from services.storage.core.tables.tables import Tables
from thanosql_objects.scratch import remove_abandoned
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("storage")
_DAY_S = 86_400.0


class Sweep(Protocol):
    """Removes leftovers of one kind."""

    @property
    def kind(self) -> LeftoverKind:
        """What it removes."""

    def run(self) -> Iterator[tuple[str, int]]:
        """Remove them, and yield the place and the bytes of each."""


class ScratchFolders:
    """Temporary folders of processes that were killed: their locks are free."""

    kind = LeftoverKind.SCRATCH

    def run(self) -> Iterator[tuple[str, int]]:
        """See `Sweep.run`."""
        return remove_abandoned()


class UnusedRows:
    """Files in tables that no version has, of writers that were killed a week ago or earlier.

    Looking for them reads every manifest of a table, so it is done once a day.

    Args:
        tables: Where they are looked for.
        clock: Seconds that never go back.
    """

    kind = LeftoverKind.UNUSED_ROWS

    def __init__(self, tables: Tables, clock: Callable[[], float] = time.monotonic) -> None:
        self._tables = tables
        self._clock = clock
        self._last_s: float | None = None

    def run(self) -> Iterator[tuple[str, int]]:
        """See `Sweep.run`."""
        now_s = self._clock()
        if self._last_s is not None and now_s - self._last_s < _DAY_S:
            return
        self._last_s = now_s
        for name in self._tables.names():
            try:
                with panics_told(f"table {name!r}"):
                    size_bytes = self._tables.sweep(name)
            # Another process writes or drops it, or it is damaged: it has its turn tomorrow.
            except (ThanosqlError, OSError, RuntimeError, ValueError) as problem:
                _log.warning("table_not_swept", error=str(problem)[:200])
                continue
            if size_bytes:
                yield name, size_bytes
