"""Where tables are: a directory, or a prefix of a bucket; the only thing that differs between the two."""

import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import lance
import structlog

from services.storage.core.names import file_name, from_file_name
from services.storage.core.tables.outages import drop_failed, drop_unknown, is_outage, store_unreadable
from services.storage.core.widths import MOST_ROWS, rows_at_once
from thanosql_objects.opening import Place, directory_place
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("storage")

_SUFFIX = ".lance"
# Newer manifests are named by what is left to this number, so that the newest comes first in a listing.
_LAST = 2**64 - 1
_NEWEST_FIRST = re.compile(r"[0-9]{20}\.manifest")
# File systems count time in steps, of two seconds at most.
_YOUNG_S = 3.0


class TableHome:
    """The folders of Lance tables in one place.

    Attributes:
        uri: The place, as Lance names it.
        options: What Lance needs to reach it.
        store: Its files.
    """

    def __init__(self, place: Place) -> None:
        self.uri = place.uri
        self.options = dict(place.options)
        self.store = place.store

    @property
    def is_remote(self) -> bool:
        """Whether a server keeps the tables, whose answers may be lost."""
        return bool(self.options)

    def names(self) -> list[str]:
        """Return the folded names of all tables, sorted."""
        return [name for name in self.folders() if self.is_committed(name)]

    def folders(self) -> list[str]:
        """Return the folded names of all tables, and of what dead writers left, in one look."""
        folders = (name for name in self.store.folders() if name.endswith(_SUFFIX))
        return sorted(from_file_name(name.removesuffix(_SUFFIX)) for name in folders)

    def uncommitted(self) -> Iterator[tuple[str, tuple[ObjectInfo, ...]]]:
        """Yield the names under which there are files but no table, with these files.

        A table that is being made is among them, and what is left of one whose writer was killed, or whose
        removal was.
        """
        for name in self.folders():
            if not self.is_committed(name):
                files = tuple(self.store.walk(_folder(name)))
                if files and not any(_is_manifest(info.key) for info in files):
                    yield name, files

    def remove_uncommitted(self, folded: str, keys: Iterable[str]) -> bool:
        """Remove these files unless there is a table of that name by now, and say whether they were."""
        if self.is_committed(folded):
            return False
        for key in keys:
            self.store.delete(key)
        return True

    def is_committed(self, folded: str) -> bool:
        """Tell a table from what a writer left that died before its first commit."""
        # Not one page: what killed writers left there may come before all manifests.
        return any(_is_manifest(info.key) for info in self.store.walk(f"{_folder(folded)}_versions/"))

    def newest(self, folded: str) -> str:
        """Tell the newest version of a table from every other, without opening it; empty where it cannot.

        It can in a directory, by the name and the marks of its manifest, unless that is so young that another
        in its place, of a table that was dropped and made anew, might have the same marks.
        """
        if self.is_remote:
            return ""
        folder = Path(self.uri, _folder(folded), "_versions")
        try:
            name = min(name for name in os.listdir(folder) if _NEWEST_FIRST.fullmatch(name))
            facts = (folder / name).stat()
        except (OSError, ValueError):  # There is no such table, or it is of a time before such names.
            return ""
        if time.time() - facts.st_mtime < _YOUNG_S:
            return ""
        return f"{name} {facts.st_dev} {facts.st_ino} {facts.st_size} {facts.st_mtime_ns}"

    def table_uri(self, folded: str) -> str:
        """Return what Lance opens."""
        return f"{self.uri}/{_folder(folded)}".rstrip("/")

    def left_out_folder(self, folded: str) -> str:
        """Return what the keys begin with of rows that are put aside for a table; Lance leaves them alone."""
        return f"{_folder(folded)}_left_out/"

    def open(self, folded: str, version: int | None = None) -> Any:  # Any: lance ships no types
        """Open a table for reading.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE.
            ValueError: There is no such table.
        """
        try:
            dataset = lance.dataset(self.table_uri(folded), version=version, storage_options=self.options)
            rows = rows_at_once(dataset)
            return dataset if rows == MOST_ROWS else _in_steps(dataset, rows)
        except (OSError, RuntimeError, ValueError) as problem:
            if not is_outage(problem):
                raise ValueError(f"there is no table {folded!r}") from problem
            raise store_unreadable(problem, f"table {folded!r}") from problem

    def data_files(self) -> Iterator[tuple[str, ObjectInfo]]:
        """Yield every file with rows of a table, whatever version has it, or none, behind its address."""
        for name in self.folders():
            for info in self.store.walk(f"{_folder(name)}data/"):
                if info.key.endswith(_SUFFIX):
                    yield f"{self.uri}/{info.key}", info

    def has_data_file(self, uri: str) -> bool:
        """Tell whether a file with rows is still there."""
        return self.store.exists(uri.removeprefix(f"{self.uri}/"))

    def remove(self, folded: str) -> bool:
        """Remove a table, the newest version last, so that it is there until it is gone; say if it was there.

        Only files that are there now are removed: a table that another process makes meanwhile under
        the same name keeps its own. Files that are left of a table that is gone go with the leftovers. What
        COPYs have put aside stays: theirs may be happening.

        Raises:
            ThanosqlError: Why it is there still, or that nobody knows.
        """
        try:
            aside = self.left_out_folder(folded)
            found = (info.key for info in self.store.walk(_folder(folded)))
            keys = [key for key in found if not key.startswith(aside)]
        except ThanosqlError as problem:
            raise drop_failed(problem, folded, versions_gone=0) from problem
        manifests = sorted(filter(_is_manifest, keys), key=_version)
        if not manifests:
            return False
        for gone, key in enumerate(manifests):
            try:
                self.store.delete(key)
            except ThanosqlError as problem:
                if key != manifests[-1]:
                    raise drop_failed(problem, folded, versions_gone=gone + 1) from problem
                self._require_gone(folded, gone, problem)
        try:
            for key in keys:
                if not _is_manifest(key):
                    self.store.delete(key)
        except ThanosqlError as problem:
            _log.warning("files_of_dropped_table_left", table=folded, error=str(problem)[:200])
        return True

    def _require_gone(self, folded: str, versions_gone: int, failure: ThanosqlError) -> None:
        """Look whether the removal of the newest version happened, although it failed."""
        try:
            is_there = self.is_committed(folded)
        except ThanosqlError:
            raise drop_unknown(failure, folded) from failure
        if is_there:
            raise drop_failed(failure, folded, versions_gone=versions_gone) from failure


def directory_home(path: Path) -> TableHome:
    """Keep tables in a directory."""
    return TableHome(directory_place(path))


def _in_steps(dataset: Any, rows: int) -> Any:
    # What `default_scan_options` sets when a dataset is opened; only then is it known that it needs any, and
    # opening it again would ask the store again.
    dataset._default_scan_options = {"batch_size": rows}
    return dataset


def _folder(folded: str) -> str:
    return f"{file_name(folded)}{_SUFFIX}/"


def _is_manifest(key: str) -> bool:
    return "/_versions/" in key and key.endswith(".manifest")


def _version(key: str) -> int:
    name = key.rpartition("/")[2].removesuffix(".manifest")
    number = int(name) if name.isdigit() else 0
    return _LAST - number if number > _LAST // 2 else number
