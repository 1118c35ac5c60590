"""Indexes of columns as folders on a local disk: found for a search, built and renewed in the background."""

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import structlog

from services.storage.core.background import Background
from services.storage.core.fragments import content
from services.storage.core.table_folders import forget_others, table_folder
from services.storage.core.types import OpenVersion

_log = structlog.get_logger("storage")

# Reading fewer rows takes no longer than opening an index.
LEAST_ROWS = 5000
# An index is renewed when more rows or parts than these must be read beside it.
_MOST_NEW_ROWS = 1000
_MOST_NEW_FRAGMENTS = 20


class Index(Protocol):
    """An index that was written before."""

    @property
    def fragments(self) -> Mapping[str, str]:
        """The parts of the table that it holds, by their numbers, each with what tells its content."""
        ...


IndexT = TypeVar("IndexT", bound=Index)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An index that should be there.

    Attributes:
        folder: Where its versions are.
        dataset: The version of the table that is searched.
        column: The column.
        fragments: All parts of the table, as in `Index`.
    """

    folder: Path
    dataset: Any
    column: str
    fragments: Mapping[str, str]

    def fitting(self, open_index: Callable[[Path], IndexT]) -> IndexT | None:
        """The index that holds most of the table as it is now, and nothing else.

        Args:
            open_index: Raises OSError, ValueError or TypeError for one that cannot be used.
        """
        found: list[IndexT] = []
        for folder in self.folder.glob("[0-9a-f]*"):
            with contextlib.suppress(OSError, ValueError, TypeError):
                index = open_index(folder)
                if index.fragments.items() <= self.fragments.items():
                    found.append(index)
        return max(found, key=lambda index: len(index.fragments), default=None)

    def missing_from(self, index: Index) -> list[Any]:
        """The parts of the table that the index does not hold."""
        return [f for f in self.dataset.get_fragments() if str(f.fragment_id) not in index.fragments]


class IndexBuilds(Generic[IndexT]):
    """Finds the indexes under one directory, and builds them, one at a time.

    Args:
        root: Where they are kept.
        open_index: Raises OSError, ValueError or TypeError for a folder that cannot be used.
        write: Writes an index into a folder that exists and is empty.
        least_rows: Tables with fewer rows have none.
        clock: Seconds, for when to try again what failed.
    """

    def __init__(
        self,
        root: Path,
        open_index: Callable[[Path], IndexT],
        write: Callable[[Wanted, Path], None],
        *,
        least_rows: int,
        clock: Callable[[], float],
    ) -> None:
        self._root = root
        self._open_index = open_index
        self._write = write
        self._least_rows = least_rows
        self._background: Background[Path] = Background("storage-index", clock)

    @property
    def is_closed(self) -> bool:
        """Whether what is being written should stop."""
        return self._background.is_closed

    def find(
        self, version: OpenVersion, column: str, *, may_build: bool = True
    ) -> tuple[IndexT, list[Any]] | None:
        """The index of a column, and the parts of the table that it does not hold; None where there is none.

        Args:
            version: The version of the table that is searched.
            column: The column.
            may_build: Whether an index that is missing or old is built, or renewed, in the background.
        """
        if version.dataset.count_rows() < self._least_rows:
            return None
        wanted = self._wanted(version, column)
        index = wanted.fitting(self._open_index)
        new_fragments = wanted.missing_from(index) if index else []
        if may_build and (index is None or _is_much(new_fragments)):
            self._background.begin(wanted.folder, partial(self._build, wanted))
        return None if index is None else (index, new_fragments)

    def wait(self) -> None:
        """Wait for the builds that were begun."""
        self._background.wait()

    def forget_others(self, tables: Callable[[], Iterable[str]]) -> None:
        """Delete the indexes of all tables but these."""
        known = forget_others(self._root, tables)
        self._background.forgive(lambda folder: folder.parent.name not in known)

    def close(self, interrupt: Callable[[], None] = lambda: None) -> None:
        """Stop building, and wait until it has stopped; `interrupt` is called again and again until then."""
        self._background.close(interrupt)

    def _wanted(self, version: OpenVersion, column: str) -> Wanted:
        dataset = version.dataset
        # A column keeps its number when it is renamed; another of its old name has another number.
        number = next(field.id() for field in dataset.lance_schema.fields() if field.name() == column)
        fragments = {str(f.fragment_id): content(f) for f in dataset.get_fragments()}
        folder = table_folder(self._root, version.table) / str(number)
        return Wanted(folder=folder, dataset=dataset, column=column, fragments=fragments)

    def _build(self, wanted: Wanted) -> None:
        try:
            self._make(wanted)
        except Exception as problem:
            _log.warning("index_not_built", column=wanted.column, error=repr(problem)[:200])
            raise

    def _make(self, wanted: Wanted) -> None:
        name = hashlib.sha256(json.dumps(wanted.fragments, sort_keys=True).encode()).hexdigest()[:16]
        wanted.folder.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix="making-", dir=wanted.folder))
        try:
            self._write(wanted, making)
            shutil.rmtree(wanted.folder / name, ignore_errors=True)  # One that cannot be read.
            making.rename(wanted.folder / name)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        for other in wanted.folder.iterdir():
            if other.name != name:
                shutil.rmtree(other, ignore_errors=True)


def _is_much(new_fragments: list[Any]) -> bool:
    """Whether an index should be renewed that lacks these parts of its table."""
    rows = sum(fragment.count_rows() for fragment in new_fragments)
    return len(new_fragments) > _MOST_NEW_FRAGMENTS or rows > _MOST_NEW_ROWS
