"""Extracts on a local disk, within a limit: the least recently read make room for others."""

import contextlib
import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.storage.core.extracts.extract_files import Extract
from services.storage.core.table_folders import forget_others, table_folder
from thanosql_objects.scratch import ScratchFolder, remove_abandoned

_log = structlog.get_logger("storage")

# What was read as lately as that is not pushed out, or tables that do not all fit would take turns for ever.
_IN_USE_S = 3600.0
_TOUCH_AGAIN_S = 60.0
_SPARE_BYTES = 1 << 30
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP)
_SCRATCH = "scratch"
_TABLES = "tables"


@dataclass(frozen=True, kw_only=True)
class _File:
    path: Path
    size_bytes: int
    read_s: float


class Shelf:
    """The extracts under one local directory, which several processes may share.

    A file appears there whole, and one that goes is still read by who has opened it.

    Args:
        root: The directory; it may be deleted while nobody runs.
        most_bytes: Length of all extracts together.
        spare_bytes: What stays free on the disk, whatever the limit.
        clock: Seconds since the epoch, as the file system counts them.
    """

    def __init__(
        self,
        root: Path,
        most_bytes: int,
        spare_bytes: int = _SPARE_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._most_bytes = most_bytes
        self._spare_bytes = spare_bytes
        self._clock = clock
        self._has_links: bool | None = None
        self._guard = threading.Lock()
        self._unreadable: set[Path] = set()

    @property
    def is_used(self) -> bool:
        """Whether anything may be kept, where it can be read: queries read extracts by hard links."""
        if self._has_links is None and self._most_bytes > 0:
            self._has_links = self._link_works()
        return self._most_bytes > 0 and self._has_links is not False

    def folder(self, table: str) -> Path:
        """Where the extracts of a table are."""
        return table_folder(self._root / _TABLES, table)

    def has_any(self, table: str) -> bool:
        """Tell whether a table may have extracts."""
        with contextlib.suppress(OSError):
            return self.folder(table).exists()
        return False

    def scratch(self, kind: str) -> ScratchFolder:
        """A folder on the same disk, for files that become extracts or are linked to one.

        Raises:
            OSError: The disk does not take it.
        """
        folder = self._root / _SCRATCH
        folder.mkdir(parents=True, exist_ok=True)
        return ScratchFolder(kind, folder)

    def has(self, extract: Extract) -> bool:
        """Tell whether an extract is there, and note that it is wanted."""
        with contextlib.suppress(OSError):
            with self._guard:
                if extract.path in self._unreadable:
                    return False
            now_s = self._clock()
            if now_s - extract.path.stat().st_mtime > _TOUCH_AGAIN_S:
                os.utime(extract.path, (now_s, now_s))
            return True
        return False

    def room_bytes(self) -> int:
        """How long a new extract may be, when all that is out of use has gone for it."""
        now_s = self._clock()
        files = list(self._files())
        old_bytes = sum(file.size_bytes for file in files if not _is_in_use(file, now_s))
        kept_bytes = sum(file.size_bytes for file in files) - old_bytes
        self._root.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(self._root).free + old_bytes - self._spare_bytes
        return min(self._most_bytes - kept_bytes, free_bytes)

    def is_disk_full(self) -> bool:
        """Tell whether the disk is needed for something better."""
        return shutil.disk_usage(self._root).free < self._spare_bytes

    def keep(self, made: Path, extract: Extract) -> None:
        """Put a file that was made in a scratch folder in its place."""
        extract.path.parent.mkdir(parents=True, exist_ok=True)
        self._make_room(made.stat().st_size)
        made.rename(extract.path)
        with self._guard:
            self._unreadable.discard(extract.path)

    def forget(self, extract: Extract) -> None:
        """Delete an extract that cannot be read; one that the disk keeps is not read again all the same."""
        if not _remove(extract.path):
            with self._guard:
                self._unreadable.add(extract.path)

    def forget_others(self, tables: Callable[[], Iterable[str]]) -> None:
        """Delete the extracts of all tables but these."""
        forget_others(self._root / _TABLES, tables)

    def forget_unread(self, for_s: float) -> None:
        """Delete what was not read for so long, what takes the last of the disk, and what the killed left."""
        now_s = self._clock()
        for file in self._files():
            if now_s - file.read_s > for_s:
                _remove(file.path)
        try:
            if self._root.exists():
                self._make_room(0)
        except OSError as problem:
            _log.warning("disk_not_looked_at", error=str(problem)[:200])
        for _removed in remove_abandoned(self._root / _SCRATCH):
            pass

    def _link_works(self) -> bool | None:
        """Try a link; None where that tells nothing, because the disk is full, say."""
        try:
            with self.scratch("link") as folder:
                file = Path(folder) / "file"
                file.touch()
                os.link(file, file.with_name("link"))
        except OSError as problem:
            if problem.errno not in _NO_LINKS:
                return None
            _log.warning("extracts_not_used", error=str(problem)[:200])
            return False
        return True

    def _make_room(self, size_bytes: int) -> None:
        files = sorted(self._files(), key=lambda file: file.read_s)
        beyond_bytes = size_bytes + sum(file.size_bytes for file in files) - self._most_bytes
        lacking_bytes = max(beyond_bytes, self._spare_bytes - shutil.disk_usage(self._root).free)
        for file in files:
            if lacking_bytes <= 0:
                return
            if _remove(file.path):
                lacking_bytes -= file.size_bytes

    def _files(self) -> Iterator[_File]:
        for path in (self._root / _TABLES).glob("*/*.db"):
            with contextlib.suppress(OSError):  # Another process removed it.
                facts = path.stat()
                yield _File(path=path, size_bytes=facts.st_size, read_s=facts.st_mtime)


def _remove(path: Path) -> bool:
    """Delete a file, or log why it stays: what is kept to save time is no reason to stop."""
    try:
        path.unlink(missing_ok=True)
    except OSError as problem:
        _log.warning("extract_not_removed", error=str(problem)[:200])
        return False
    return True


def _is_in_use(file: _File, now_s: float) -> bool:
    return now_s - file.read_s < _IN_USE_S
