"""The right to change something that has a name, held by one thread at a time."""

import contextlib
import threading
from collections.abc import Iterator
from weakref import WeakValueDictionary


class NameLocks:
    """A lock for each name; safe to use from many threads."""

    def __init__(self) -> None:
        # Weak: a lock goes when nobody holds it or waits for it, or every name ever written would keep one.
        self._locks: WeakValueDictionary[str, threading.RLock] = WeakValueDictionary()
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Hold the lock of a name; entered again by its owner without harm."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.RLock())
        with lock:
            yield

    def names(self) -> set[str]:
        """Return the names whose locks are held or waited for."""
        return set(self._locks)
