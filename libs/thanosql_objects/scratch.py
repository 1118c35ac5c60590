"""Folders for what is needed for a moment; those of a process that was killed are told by their free lock."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "thanosql-scratch-"
# Longer than it takes from making a folder to locking it.
_FRESH_S = 60.0


class ScratchFolder(tempfile.TemporaryDirectory[str]):
    """A new folder, locked for as long as it is used and its process lives.

    Args:
        kind: What it is for, a part of its name.
        folder: Where it is; None means the system's folder of temporary files.
    """

    def __init__(self, kind: str, folder: Path | None = None) -> None:
        super().__init__(prefix=f"{_PREFIX}{kind}-", dir=folder, ignore_cleanup_errors=True)
        descriptor = os.open(self.name, os.O_RDONLY)
        self._unlock = weakref.finalize(self, os.close, descriptor)
        # Where a file system has no locks, `remove_abandoned` gets none either, and leaves the folder alone.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)

    def cleanup(self) -> None:
        """Remove the folder, then give its lock back."""
        super().cleanup()
        self._unlock()


def remove_abandoned(folder: Path | None = None, *, fresh_s: float = _FRESH_S) -> Iterator[tuple[str, int]]:
    """Remove scratch folders whose process was killed, and yield the name and the bytes of each.

    Args:
        folder: Where they are; None means the system's folder of temporary files.
        fresh_s: A folder that changed within so many seconds may not be locked yet, and is left alone.
    """
    for found in sorted((folder or Path(tempfile.gettempdir())).glob(f"{_PREFIX}*")):
        # Another user's folder cannot be opened, one in use cannot be locked, and a link is not followed.
        with contextlib.suppress(OSError):
            descriptor = os.open(found, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(descriptor).st_mtime < fresh_s:
                    continue
                size_bytes = _size_bytes(found)
                shutil.rmtree(found, ignore_errors=True)
            finally:
                os.close(descriptor)
            yield found.name, size_bytes


def _size_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
