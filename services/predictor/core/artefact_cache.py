"""Model files on the local disk: fetched once, verified by digest, the oldest given up when they grow.

What is made of a model lies beside its folder, in one whose name begins with the same fingerprint and a dot.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.predictor.core.ports import ArtefactStore
from services.predictor.core.types import ModelRecord
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("artefact_cache")
_LOCKS = ".locks"


class ArtefactCache:
    """Folders named by the fingerprint of their files. Blocking; safe in several threads and processes.

    Who fetches or reads a folder holds a lock of its fingerprint, which the system takes back from a process
    that dies; nobody removes what is locked.

    Args:
        folder: Where the folders are; made on first use.
        store: Where the files come from.
        limit_bytes: Size above which the least recently used are removed.
    """

    def __init__(self, folder: Path, store: ArtefactStore, limit_bytes: int) -> None:
        self._folder = folder
        self._store = store
        self._limit_bytes = limit_bytes

    @contextmanager
    def opened(self, record: ModelRecord) -> Iterator[Path]:
        """Give the folder with the files of a version, every digest verified; they stay until it is left.

        Raises:
            ThanosqlError: CHECKSUM_MISMATCH or FILE_NOT_FOUND when the store has other bytes than were
                registered, or none; INVALID_CHECKPOINT for names that are no file names; what the
                store raises.
        """
        record.stored_files.require_names()
        folder = self._folder / record.fingerprint
        with self._locked(record.fingerprint):
            self._remove_leftovers(record.fingerprint)
            if folder.is_dir() and not self._is_intact(folder, record):
                shutil.rmtree(folder)
            if not folder.is_dir():
                self._download(folder, record)
            os.utime(folder)
            self._give_up_oldest(keep=record.fingerprint)
            yield folder

    @contextmanager
    def _locked(self, fingerprint: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold the lock of a fingerprint; without waiting, False where somebody else holds it."""
        locks = self._folder / _LOCKS
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / fingerprint).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _is_intact(self, folder: Path, record: ModelRecord) -> bool:
        try:
            record.stored_files.require_intact(folder)
        except ThanosqlError as failure:
            _log.warning(
                "cached model is damaged, fetching it again", model=record.name, problem=str(failure)
            )
            return False
        return True

    def _download(self, folder: Path, record: ModelRecord) -> None:
        fresh = self._folder / f".{record.fingerprint}.{uuid.uuid4().hex}"
        try:
            record.stored_files.fetch(self._store, fresh)
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _remove_leftovers(self, own: str) -> None:
        """Remove what killed processes had begun to fetch."""
        for path in self._folder.glob(".*.*"):
            fingerprint = path.name.split(".")[1]
            if fingerprint == own:
                shutil.rmtree(path, ignore_errors=True)
            else:
                self._remove_unless_locked(path, fingerprint)

    def _give_up_oldest(self, keep: str) -> None:
        known = [_usage(path) for path in self._folder.glob("[!.]*")]
        total_bytes = 0
        for usage in sorted(filter(None, known), key=lambda usage: usage.used_s, reverse=True):
            total_bytes += usage.size_bytes
            fingerprint = usage.folder.name.split(".")[0]
            if total_bytes > self._limit_bytes and fingerprint != keep:
                self._remove_unless_locked(usage.folder, fingerprint)

    def _remove_unless_locked(self, path: Path, fingerprint: str) -> None:
        with self._locked(fingerprint, wait=False) as is_ours:
            if is_ours:
                shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, kw_only=True)
class _Usage:
    """A folder, when it was last used, and its size."""

    folder: Path
    used_s: float
    size_bytes: int


def _usage(folder: Path) -> _Usage | None:
    """None where another process removes the folder at this moment."""
    try:
        size_bytes = sum(file.stat().st_size for file in folder.iterdir())
        return _Usage(folder=folder, used_s=folder.stat().st_mtime, size_bytes=size_bytes)
    except (FileNotFoundError, NotADirectoryError):
        return None
