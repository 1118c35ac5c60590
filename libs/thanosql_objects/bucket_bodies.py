"""The bytes of an object in a bucket, as a file that is read and sought in."""

import io
from collections.abc import Callable
from typing import Any

from minio.error import S3Error

from thanosql_objects.bucket_errors import translated
from thanosql_objects.ports import CHUNK_BYTES
from thanosql_runtime.errors import Reason, error


class Body(io.RawIOBase):
    """An object as a raw stream.

    Its first bytes are asked for at once, which tells its size too: headers of recordings and small files
    cost one request. Behind them a request is made where reading starts, and again after a seek. One that
    is read whole costs one request, however large it is.

    Args:
        key: For messages.
        request: Asks for the bytes from an offset on, up to a length; 0 means up to the end.
        whole: All of it will be read, so that all of it is asked for at once. Who leaves it then before the
            end loses a connection to the server.
    """

    # Any: minio's response has no type
    def __init__(self, key: str, request: Callable[..., Any], *, whole: bool = False) -> None:
        self._key = key
        self._request = request
        self._position = 0
        self._response: Any = None
        self._beginning, self._size_bytes = b"", 0
        if not (whole and self._has_begun()):
            self._beginning, self._size_bytes = _first_bytes(request)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought in."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to another position."""
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size_bytes}
        goal = origins[whence] + offset
        if goal < 0:
            raise ValueError("seek before the start of an object")
        if goal != self._position:
            self._release()
            self._position = goal
        return goal

    def readinto(self, buffer: Any) -> int:  # Any: typeshed's WriteableBuffer is not importable
        """Read what comes next."""
        if self._position >= self._size_bytes or not len(buffer):
            return 0
        chunk = self._beginning[self._position : self._position + len(buffer)] or self._read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._position += len(chunk)
        return len(chunk)

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed:
            self._release()
        super().close()

    def _has_begun(self) -> bool:
        """Ask for everything; False where the server does not say how much that is."""
        self._response = self._request(0)
        length = self._response.headers.get("Content-Length", "")
        if not length.isdecimal():
            self._release()
            return False
        self._size_bytes = int(length)
        return True

    def _read(self, size: int) -> bytes:
        with translated(self._key):
            if self._response is None:
                self._response = self._request(self._position)
            chunk: bytes = self._response.read(size)
        if not chunk:
            message = f"the object store ended {self._key!r} before its {self._size_bytes} bytes"
            raise error(Reason.STORE_UNAVAILABLE, message, path=self._key)
        return chunk

    def _release(self) -> None:
        if self._response is not None:
            # What was not read stands in the way of the connection's next use.
            self._response.close()
            self._response.release_conn()
            self._response = None


def _first_bytes(request: Callable[..., Any]) -> tuple[bytes, int]:
    """Return the first bytes of an object and its size; the connection is free for the next request."""
    try:
        response = request(0, CHUNK_BYTES)
    except S3Error as problem:
        if problem.code != "InvalidRange":
            raise
        return b"", 0  # An empty object has no byte to ask for.
    try:
        beginning: bytes = response.read()
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
    finally:
        response.release_conn()
    return beginning, int(total) if total.isdecimal() else len(beginning)
