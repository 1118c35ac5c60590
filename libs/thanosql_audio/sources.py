"""The file object that libsndfile reads from: seekable, and honest about its failures."""

import io
import shutil
import tempfile
from typing import BinaryIO, Protocol, cast

from thanosql_runtime.errors import ThanosqlError

_SPOOL_BYTES = 16 * 1024 * 1024


class RandomAccess(Protocol):
    """The part of a file object that soundfile calls."""

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes."""
        ...

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, and tell where to."""
        ...

    def tell(self) -> int:
        """Tell the position."""
        ...


class FaithfulReader:
    """Remembers what the source raised.

    libsndfile calls back from C, where an exception is printed and lost and the caller sees "format not
    recognised" for what was a broken connection. `check` raises the true cause afterwards.
    """

    def __init__(self, source: RandomAccess) -> None:
        self._source = source
        self._failure: OSError | ThanosqlError | None = None

    def read(self, size: int = -1) -> bytes:
        """Read, or answer the end of the file after a failure."""
        try:
            return self._source.read(size)
        except (OSError, ThanosqlError) as failure:
            self._failure = self._failure or failure
            return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Seek, or answer the start of the file after a failure."""
        try:
            return self._source.seek(offset, whence)
        except (OSError, ThanosqlError) as failure:
            self._failure = self._failure or failure
            return 0

    def tell(self) -> int:
        """Tell the position, or the start of the file after a failure."""
        try:
            return self._source.tell()
        except (OSError, ThanosqlError) as failure:
            self._failure = self._failure or failure
            return 0

    def check(self) -> None:
        """Raise what the source raised, if it did."""
        if self._failure is not None:
            raise self._failure


def open_reader(source: BinaryIO | bytes) -> FaithfulReader:
    """Wrap a source; one that cannot seek (a response of a server) is first copied to a temporary file."""
    if isinstance(source, bytes | bytearray | memoryview):
        return FaithfulReader(io.BytesIO(source))
    if source.seekable():
        return FaithfulReader(source)
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - lives as long as the reader
    shutil.copyfileobj(source, spool)
    spool.seek(0)
    return FaithfulReader(cast("RandomAccess", spool))
