"""What queries and searches can do without, made in the background, and ended when the service stops."""

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Generic, TypeVar

from services.storage.core.watching import LOOK_AGAIN_S

KeyT = TypeVar("KeyT", bound=Hashable)

OpenConnection = Callable[[str], Any]  # Any: DuckDB ships no types
"""Opens a DuckDB that keeps what does not fit into memory in a folder."""

_MOST_REMEMBERED = 10_000
# What failed, because it is too large or the disk is full, would fail again each time.
_TRY_AGAIN_S = 600.0


class Background(Generic[KeyT]):
    """Makes things, one at a time; what failed is not tried again for a while.

    Args:
        thread_name: Of the thread that makes them.
        clock: Seconds, for when to try again what failed.
    """

    def __init__(self, thread_name: str, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=thread_name)
        self._guard = threading.Lock()
        self._begun: dict[KeyT, Future[None]] = {}
        self._failed_s: dict[KeyT, float] = {}
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether what is being made should stop."""
        return self._closed

    def begin(self, key: KeyT, make: Callable[[], None]) -> None:
        """Make something, unless that is being done, or was tried in vain a moment ago.

        Args:
            key: The same for the same thing.
            make: Makes it; what it raises, it has logged by itself.
        """
        with self._guard:
            failed_s = self._failed_s.get(key)
            is_hopeless = failed_s is not None and self._clock() - failed_s < _TRY_AGAIN_S
            if not self._closed and not is_hopeless and key not in self._begun:
                self._begun[key] = self._thread.submit(self._make, key, make)

    def give_up(self, key: KeyT) -> None:
        """Do not make something for a while."""
        with self._guard:
            if len(self._failed_s) >= _MOST_REMEMBERED:
                self._failed_s.clear()
            self._failed_s[key] = self._clock()

    def forgive(self, is_meant: Callable[[KeyT], bool]) -> None:
        """Forget what failed of the things that are meant."""
        with self._guard:
            for key in [key for key in self._failed_s if is_meant(key)]:
                del self._failed_s[key]

    def wait(self) -> None:
        """Wait for what was begun."""
        wait(self._awaited())

    def close(self, interrupt: Callable[[], None] = lambda: None) -> None:
        """Stop, and wait until it has stopped; `interrupt` is called again and again until then."""
        with self._guard:
            self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)
        begun = self._awaited()
        while wait(begun, timeout=LOOK_AGAIN_S).not_done:
            interrupt()

    def _awaited(self) -> list[Future[None]]:
        # One that was cancelled before its turn never counts as done: no thread takes it up any more.
        with self._guard:
            return [future for future in self._begun.values() if not future.cancelled()]

    def _make(self, key: KeyT, make: Callable[[], None]) -> None:
        try:
            make()
        except Exception:  # noqa: BLE001 - it was told of; nobody waits for what is made
            self.give_up(key)
        else:
            with self._guard:
                self._failed_s.pop(key, None)
        with self._guard:
            del self._begun[key]


class BackgroundConnection:
    """A DuckDB for the work of one thread, which another thread may interrupt.

    Args:
        open_connection: A new one for each work.
    """

    def __init__(self, open_connection: OpenConnection) -> None:
        self._open_connection = open_connection
        self._guard = threading.Lock()
        self._connection: Any = None

    @contextlib.contextmanager
    def opened(self, spill: str) -> Iterator[Any]:
        """Open it, with a folder for what its memory does not hold, and close it behind the block."""
        connection = self._open_connection(spill)
        try:
            with self._guard:
                self._connection = connection
            yield connection
        finally:
            with self._guard:
                self._connection = None
            connection.close()

    def interrupt(self) -> None:
        """Stop what it computes; one that comes just before DuckDB starts is lost, so repeat it."""
        with self._guard:
            if self._connection is not None:
                self._connection.interrupt()
