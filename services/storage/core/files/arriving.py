"""The part of a file that has arrived: bytes on the local disk, and their digest."""

import contextlib
import hashlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from thanosql_runtime.errors import Reason, ThanosqlError, error

_BLOCK_BYTES = 1 << 20
_WAIT_S = 1.0


class Arriving:
    """A growing file. Every method may be called from any thread; one that is overtaken raises CONFLICT.

    Args:
        path: Where the bytes are.
        key: What the file will be called, for messages.
        offset: Bytes that are there and stay; 0 starts over.

    Raises:
        ThanosqlError: INVALID_ARGUMENT where another number of bytes is there.
    """

    def __init__(self, path: Path, key: str, offset: int) -> None:
        self.path = path
        self._key = key
        self._lock = threading.RLock()
        self._closed = False
        self._left = threading.Event()
        self._digest = hashlib.sha256()
        self._hashed_bytes = 0
        self.size_bytes = _kept_bytes(path) if offset else 0
        if self.size_bytes != offset:
            raise _other_offset(key, offset, self.size_bytes)
        self._file = path.open("ab" if offset else "wb", buffering=0)

    def write(self, block: bytes | bytearray) -> None:
        """Add bytes; a disk that is full keeps those before."""
        with self.turn():
            self._catch_up()
            try:
                self._append(block)
            except OSError as problem:
                raise not_taken_in(self._key, problem) from problem

    def sha256(self) -> str:
        """Return the digest of everything that has arrived."""
        self._catch_up()
        return self._digest.hexdigest()

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Be the only one who works on it."""
        with self._lock:
            if self._closed or self._left.is_set():
                raise _overtaken(self._key)
            yield

    def leave_to_another(self) -> None:
        """End the work of a call whose caller has lost its connection and come again.

        Raises:
            ThanosqlError: CONFLICT where it does not end soon: it puts the file in its place, or a disk
                is slow.
        """
        self._left.set()
        if not self._lock.acquire(timeout=_WAIT_S):
            message = f"an earlier call is still at work on {self._key!r}; ask again in a moment"
            raise error(Reason.CONFLICT, message, path=self._key)
        try:
            self._end()
        finally:
            self._lock.release()

    def discard(self) -> None:
        """Forget what has arrived."""
        with self._lock:
            if not self._closed:
                self._end()
                self.path.unlink(missing_ok=True)

    def close(self, *, keep: bool) -> None:
        """End the work."""
        if keep:
            with self._lock:
                self._end()
        else:
            self.discard()

    def _end(self) -> None:
        self._closed = True
        self._file.close()

    def _append(self, block: bytes | bytearray) -> None:
        rest = memoryview(block)
        while rest:
            written = self._file.write(rest) or 0
            self._digest.update(rest[:written])
            self._hashed_bytes += written
            self.size_bytes += written
            rest = rest[written:]

    def _catch_up(self) -> None:
        """Hash what an earlier call has left."""
        if self._hashed_bytes == self.size_bytes:
            return
        with self.path.open("rb") as file:
            file.seek(self._hashed_bytes)
            while block := file.read(_BLOCK_BYTES):
                if self._left.is_set():
                    raise _overtaken(self._key)
                self._digest.update(block)
                self._hashed_bytes += len(block)


def not_taken_in(key: str, problem: OSError) -> ThanosqlError:
    """The failure of an upload on a disk that takes nothing more."""
    message = f"{key!r} cannot be taken in: {problem.strerror}; make room and go on with it"
    return error(Reason.STORE_UNAVAILABLE, message, path=key)


def no_room(key: str, coming_bytes: int, free_bytes: int) -> ThanosqlError:
    """The failure of an upload that cannot fit on the disk."""
    facts = f"{coming_bytes} bytes of it are to come, and the server's disk has {free_bytes} left"
    return error(Reason.STORE_UNAVAILABLE, f"{key!r} cannot be taken in: {facts}; make room there", path=key)


def disk_free_bytes(folder: Path) -> int:
    """Return how much the disk of a folder still takes."""
    return shutil.disk_usage(folder).free


def _kept_bytes(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _other_offset(key: str, offset: int, kept_bytes: int) -> ThanosqlError:
    message = f"the upload of {key!r} cannot go on at byte {offset}: {kept_bytes} bytes of it are here"
    return error(
        Reason.INVALID_ARGUMENT, f"{message}; go on there, or start over at 0", received_bytes=str(kept_bytes)
    )


def _overtaken(key: str) -> ThanosqlError:
    return error(Reason.CONFLICT, f"another call goes on with the upload of {key!r}; this one ends", path=key)
