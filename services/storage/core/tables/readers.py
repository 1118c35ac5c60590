"""Which versions of tables are being read in this process, so that none is cleaned up under its reader.

A version is read for as long as anybody refers to its dataset: a query does until its end, whether it ends
well, is cancelled, or is forgotten. Nobody has to give a version back, so nobody can forget to.
"""

import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from typing import Any

Open = Callable[[], Any]  # Any: lance ships no types


class DoomedError(ValueError):
    """A version is being cleaned up."""


class Readers:
    """Safe to use from many threads."""

    def __init__(self) -> None:
        self._guard = threading.Condition(threading.Lock())
        self._keys = itertools.count()
        self._open: dict[str, dict[int, tuple[int, weakref.ref[Any]]]] = {}
        self._doomed: dict[str, frozenset[int]] = {}
        self._cleanings = 0

    def opened(self, table: str, open_dataset: Open) -> Any:
        """Open a dataset, and know its version as read from then on.

        Raises:
            DoomedError: The version is being cleaned up.
        """
        while True:
            cleanings = self._cleanings
            dataset = open_dataset()
            # Asked once, here: a dataset does not answer while another thread works with it.
            version = int(dataset.version)
            with self._guard:
                if version in self._doomed.get(table, ()):
                    raise DoomedError(f"version {version} is being cleaned up")
                if cleanings == self._cleanings:
                    self._note(table, version, dataset)
                    return dataset
            # A clean-up ended meanwhile, and may have taken what was opened: open it again.

    @contextlib.contextmanager
    def cleaning(self, table: str, versions: Collection[int]) -> Iterator[frozenset[int]]:
        """Give those of the versions that nobody reads, and let nobody begin to while the block runs."""
        with self._guard:
            unread = frozenset(versions) - self._read(table)
            self._doomed[table] = unread | self._doomed.get(table, frozenset())
        try:
            yield unread
        finally:
            with self._guard:
                self._cleanings += 1
                self._doomed.pop(table, None)
                self._guard.notify_all()

    def wait_for_cleaning(self, table: str) -> None:
        """Return when no version of a table is being cleaned up."""
        with self._guard:
            self._guard.wait_for(lambda: table not in self._doomed)

    def _note(self, table: str, version: int, dataset: Any) -> None:
        key, opened = next(self._keys), self._open.setdefault(table, {})
        # Called when the last reference goes, in whatever thread that is: it must not wait for the guard.
        reference = weakref.ref(dataset, lambda _gone: opened.pop(key, None))
        opened[key] = (version, reference)

    def _read(self, table: str) -> frozenset[int]:
        opened = self._open.get(table, {}).copy().values()
        return frozenset(version for version, reference in opened if reference() is not None)
