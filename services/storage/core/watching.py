"""A limit of time for work that only an interrupt stops."""

import threading
import time
from typing import Protocol

import structlog

_log = structlog.get_logger("storage")

LOOK_AGAIN_S = 0.02
# A thread that starts for each step of a query would take longer than most steps.
_IDLE_LOOKS = 50


class Look(Protocol):
    """Called while the work runs; `late` once the limit has passed."""

    def __call__(self, *, late: bool) -> None:
        """Stop the work if it should stop."""


class Watch:
    """Looks at a block again and again while it runs, never afterwards, and knows how long it took.

    One interrupt would not do: DuckDB forgets one that comes just before it starts.
    """

    def __init__(self, watcher: "Watcher", limit_s: float, look: Look) -> None:
        self.elapsed_s = 0.0
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

    def look(self) -> None:
        """Look once, unless the block has ended."""
        with self._looking:
            if self._look is not None:
                self._look(late=time.monotonic() - self._start_s >= self._limit_s)


class Watcher:
    """Looks at all blocks that run, from one thread, which ends when there has been none for a second."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._watches: set[Watch] = set()
        self._is_running = False

    def watch(self, limit_s: float, look: Look) -> Watch:
        """Watch a block: `with watcher.watch(...):`."""
        return Watch(self, limit_s, look)

    def add(self, watch: Watch) -> None:
        """Look at a block from now on."""
        with self._guard:
            if not self._is_running:
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
            for watch in watches:
                try:
                    watch.look()
                except Exception:  # noqa: BLE001 - one block must not take the limits of all others along
                    _log.exception("watch_failed")
