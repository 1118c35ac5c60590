"""A request to stop that reaches a thread at work."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from thanosql_runtime.errors import Reason, error

_T = TypeVar("_T")


class Cancellation:
    """Asked for on one thread, heeded on another.

    Work that changes something asks `check` last thing before its commit.
    """

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._guard = threading.Lock()
        self._stop: Callable[[], None] | None = None

    def cancel(self) -> None:
        """Ask the work to stop; returns at once."""
        with self._guard:
            self._asked.set()
            if self._stop is not None:
                self._stop()

    def check(self) -> None:
        """Go on only if nobody asked to stop.

        Raises:
            ThanosqlError: CANCELLED.
        """
        if self._asked.is_set():
            raise error(Reason.CANCELLED, "the statement was cancelled; nothing was changed")

    def heeded(self, items: Iterable[_T]) -> Iterator[_T]:
        """Yield what a commit takes, which fails when somebody asks to stop before its end."""
        self.check()
        for item in items:
            yield item
            self.check()

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Call `stop` if somebody asks while this block runs."""
        with self._guard:
            self.check()
            self._stop = stop
        try:
            yield
        finally:
            with self._guard:
                self._stop = None
