"""The extracts of large tables: found for a query, and made for tables that are read again."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog

from services.storage.core.background import OpenConnection
from services.storage.core.extracts.extract_files import Extract, can_hold, columns_of, extract_of
from services.storage.core.extracts.making import Maker, Wanted
from services.storage.core.extracts.shelf import Shelf
from services.storage.core.types import OpenVersion

_log = structlog.get_logger("storage")

# Reading fewer rows from the table takes no longer than opening an extract.
LEAST_ROWS = 100_000
# Each is opened for a query; more would take longer than they save.
_MOST_EXTRACTS = 64
_MOST_FRAGMENTS = 1000
_ASKED_BEFORE = 2
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, kw_only=True)
class Part:
    """A fragment of a table, and its extract if it has one."""

    fragment: Any  # Any: lance ships no types
    extract: Extract | None = None


class Extracts:
    """Finds extracts, and has them made; safe to use from many threads.

    Args:
        shelf: Where they are kept.
        open_connection: Opens the DuckDBs that make them.
        least_rows: Fragments with fewer rows have none.
        clock: Seconds, for when to try again what failed.
    """

    def __init__(
        self,
        shelf: Shelf,
        open_connection: OpenConnection,
        least_rows: int = LEAST_ROWS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shelf = shelf
        self._least_rows = least_rows
        self._maker = Maker(shelf, open_connection, clock)
        self._guard = threading.Lock()
        self._asked: Counter[str] = Counter()

    def parts(self, version: OpenVersion, *, is_scan: bool) -> tuple[Part, ...]:
        """The parts of a table in their order, or none where nothing of it has an extract.

        Args:
            version: What is read.
            is_scan: Whether the query may read all of it. A table that is read like that again gets extracts.
        """
        dataset = version.dataset
        if not self.shelf.is_used or dataset.count_rows() < self._least_rows or not can_hold(dataset.schema):
            return ()
        fragments = dataset.get_fragments()
        if len(fragments) > _MOST_FRAGMENTS:
            return ()
        parts = tuple(self._found(version, fragments, is_scan=is_scan))
        return parts if any(part.extract for part in parts) else ()

    def damaged(self, extracts: Iterable[Extract]) -> None:
        """Forget extracts that could not be read; they are made again later."""
        for extract in extracts:
            _log.warning("extract_damaged", extract=extract.name)
            self._maker.give_up(extract)
            self.shelf.forget(extract)

    def wait(self) -> None:
        """Wait for the extracts that are being made."""
        self._maker.wait()

    def close(self) -> None:
        """Stop making extracts, and wait until that has stopped."""
        self._maker.close()

    def _found(self, version: OpenVersion, fragments: Iterable[Any], *, is_scan: bool) -> Iterator[Part]:
        columns, folder = columns_of(version.dataset), self.shelf.folder(version.table)
        left = _MOST_EXTRACTS
        for fragment in fragments:
            extract = None
            if left and fragment.metadata.num_rows >= self._least_rows:
                left -= 1
                extract = extract_of(fragment, columns, folder)
                if not self.shelf.has(extract):
                    if is_scan and self._is_asked_again(extract):
                        wanted = Wanted(extract=extract, dataset=version.dataset, fragment=fragment)
                        self._maker.begin(wanted)
                    extract = None
            yield Part(fragment=fragment, extract=extract)

    def _is_asked_again(self, extract: Extract) -> bool:
        with self._guard:
            if len(self._asked) > _MOST_REMEMBERED:
                self._asked.clear()
            self._asked[extract.name] += 1
            return self._asked[extract.name] >= _ASKED_BEFORE
