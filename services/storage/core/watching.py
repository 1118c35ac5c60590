"""A limit of time for work that only an interrupt stops."""

import threading
import time
from typing import Protocol

LOOK_AGAIN_S = 0.02


class Look(Protocol):
    """Called while the work runs; `late` once the limit has passed."""

    def __call__(self, *, late: bool) -> None:
        """Stop the work if it should stop."""


class Watch:
    """Looks at a block again and again while it runs, and knows how long it took.

    One interrupt would not do: DuckDB forgets one that comes just before it starts.
    """

    def __init__(self, limit_s: float, look: Look) -> None:
        self.elapsed_s = 0.0
        self._start_s = 0.0
        self._limit_s = limit_s
        self._look = look
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="storage-watch", daemon=True)

    def __enter__(self) -> None:
        self._start_s = time.monotonic()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.elapsed_s = time.monotonic() - self._start_s

    def _run(self) -> None:
        while not self._ended.wait(LOOK_AGAIN_S):
            self._look(late=time.monotonic() - self._start_s >= self._limit_s)
