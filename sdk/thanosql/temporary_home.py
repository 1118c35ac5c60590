"""A folder for a private server; one whose users were killed is removed when the next one is made."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "thanosql-"
_LOCK = "in-use"


class TemporaryHome:
    """A new folder, locked for as long as this process or a child that was given the lock lives.

    Attributes:
        path: The folder.
        lock: The descriptor that holds the lock.
    """

    def __init__(self) -> None:
        _remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        fresh = self.path / f"{_LOCK}.new"
        self.lock = os.open(fresh, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        fresh.rename(self.path / _LOCK)  # so that a lock that can be seen is never free by chance

    def remove(self) -> None:
        """Remove the folder with what is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def _remove_abandoned() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        # Another user's folder cannot be opened, and one in use cannot be locked.
        with contextlib.suppress(OSError), lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)
