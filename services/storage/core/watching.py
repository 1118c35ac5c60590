"""Limits of time and of memory for work that only an interrupt stops."""

import threading
import time
from collections.abc import Sequence
from typing import Protocol

import structlog

from services.storage.core.process_memory import Growth

_log = structlog.get_logger("storage")

LOOK_AGAIN_S = 0.02
# A thread that starts for each step of a query would take longer than most steps.
_IDLE_LOOKS = 50
# What one that was stopped gives back is seen by then.
_LOOKS_BETWEEN_STOPS = 25


class Look(Protocol):
    """Called while the work runs; `late` once the limit has passed, `heavy` where it must make room."""

    def __call__(self, *, late: bool, heavy: bool) -> None:
        """Stop the work if it should stop."""


class Watch:
    """Looks at a block again and again while it runs, never afterwards, and knows how long it took.

    One interrupt would not do: DuckDB forgets one that comes just before it starts.

    Attributes:
        elapsed_s: How long the block took.
        begun_s: When the work began that the block is a step of.
    """

    def __init__(self, watcher: "Watcher", limit_s: float, look: Look, begun_s: float) -> None:
        self.elapsed_s = 0.0
        self.begun_s = begun_s
        self._watcher = watcher
        self._start_s = 0.0
        self._limit_s = limit_s
        # None once the block has ended: a version is not cleaned up while anybody refers to its query.
        self._look: Look | None = look
        self._looking = threading.Lock()

    def __enter__(self) -> None:
        self._start_s = time.monotonic()
        self._watcher.add(self)

    def __exit__(self, *_: object) -> None:
        with self._looking:
            self._look = None
        self._watcher.remove(self)
        self.elapsed_s = time.monotonic() - self._start_s

    def look(self, *, heavy: bool) -> None:
        """Look once, unless the block has ended."""
        with self._looking:
            if self._look is not None:
                self._look(late=time.monotonic() - self._start_s >= self._limit_s, heavy=heavy)


class Watcher:
    """Looks at all blocks that run, from one thread, which ends when there has been none for a second.

    Args:
        growth: How the process grows meanwhile. While it is too large, the work that began last is
            stopped, then the one before it; None where that does not matter.
    """

    def __init__(self, growth: Growth | None = None) -> None:
        self._growth = growth
        self._guard = threading.Lock()
        self._watches: set[Watch] = set()
        self._is_running = False
        self._heavy: Watch | None = None
        self._looks_to_wait = 0

    def watch(self, limit_s: float, look: Look, begun_s: float = 0.0) -> Watch:
        """Watch a block: `with watcher.watch(...):`."""
        return Watch(self, limit_s, look, begun_s)

    def add(self, watch: Watch) -> None:
        """Look at a block from now on."""
        with self._guard:
            if not self._is_running:
                if self._growth is not None:
                    self._growth.rest()
                threading.Thread(target=self._run, name="storage-watch", daemon=True).start()
                self._is_running = True
            # Last: where no thread can be had, the block never begins, and nobody would remove its watch.
            self._watches.add(watch)

    def remove(self, watch: Watch) -> None:
        """Look at a block no more."""
        with self._guard:
            self._watches.discard(watch)

    def _run(self) -> None:
        idle_looks = 0
        while True:
            time.sleep(LOOK_AGAIN_S)
            with self._guard:
                watches = list(self._watches)
                idle_looks = 0 if watches else idle_looks + 1
                if idle_looks >= _IDLE_LOOKS:
                    self._is_running = False
                    return
            heavy = self._heavy_of(watches)
            for watch in watches:
                try:
                    watch.look(heavy=watch is heavy)
                except Exception:  # noqa: BLE001 - one block must not take the limits of all others along
                    _log.exception("watch_failed")

    def _heavy_of(self, watches: Sequence[Watch]) -> Watch | None:
        """Choose what makes room, one after another."""
        if self._heavy in watches:
            return self._heavy
        self._heavy = None
        self._looks_to_wait = max(0, self._looks_to_wait - 1)
        if watches and not self._looks_to_wait and self._growth is not None and self._growth.is_too_large():
            _log.warning("query_stopped_for_memory", most_bytes=self._growth.most_bytes)
            self._heavy = max(watches, key=lambda watch: watch.begun_s)
            self._looks_to_wait = _LOOKS_BETWEEN_STOPS
        return self._heavy
