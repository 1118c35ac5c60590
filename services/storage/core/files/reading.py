"""Files on their way out: from any byte on, with the digest of the whole."""

import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from thanosql_objects.ports import ObjectInfo
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError, error

# A block is a message, of at most 1 MB.
_BLOCK_BYTES = 960 << 10


@dataclass(frozen=True, kw_only=True)
class FileRange:
    """Which bytes of which file.

    Attributes:
        path: The file, as statements name it.
        offset: Bytes left out, from the start.
        length: Bytes at most; 0 means up to the end.
    """

    path: str
    offset: int = 0
    length: int = 0


class FileReading:
    """An open file of the workspace.

    Attributes:
        info: The file; its digest is there where the store keeps it.

    Raises:
        ThanosqlError: What `Workspace.open` raises, and INVALID_ARGUMENT for a range outside the file.
    """

    def __init__(self, workspace: Workspace, wanted: FileRange) -> None:
        self.info = workspace.stat(wanted.path)
        _check(wanted, self.info)
        self._end = min(self.info.size_bytes, wanted.offset + (wanted.length or self.info.size_bytes))
        self._offset = wanted.offset
        # A digest of the whole that the store does not keep.
        self._hashes = not self.info.sha256 and self._end == self.info.size_bytes
        self._digest = hashlib.sha256()
        self._workspace = workspace
        is_whole = wanted.offset == 0 and self._end == self.info.size_bytes
        self._file: BinaryIO = workspace.open(wanted.path, whole=is_whole)

    @property
    def sha256(self) -> str:
        """Digest of the whole file, once its last block was taken; empty where nobody knows it."""
        return self._digest.hexdigest() if self._hashes else self.info.sha256

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes; while the ones before them are read for the digest, empty blocks.

        Raises:
            ThanosqlError: CONFLICT at the end, where the digest would be one of a file that never was.
        """
        position = 0 if self._hashes else self._offset
        self._file.seek(position)
        while position < self._end:
            border = self._end if position >= self._offset else self._offset
            block = self._file.read(min(_BLOCK_BYTES, border - position))
            if not block:
                raise self._changed()  # It was cut.
            if self._hashes:
                self._digest.update(block)
            yield block if position >= self._offset else b""
            position += len(block)
        if self._hashes:
            self._require_unchanged()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _require_unchanged(self) -> None:
        try:
            status = os.fstat(self._file.fileno())  # Of the open file: one that was replaced is still whole.
            found = status.st_size, status.st_mtime
        except io.UnsupportedOperation:  # An object in a bucket, which others put there.
            info = self._workspace.stat(self.info.key)
            found = info.size_bytes, info.modified_s
        if found != (self.info.size_bytes, self.info.modified_s):
            raise self._changed()

    def _changed(self) -> ThanosqlError:
        message = f"{self.info.key!r} changed while it was read; read it again"
        return error(Reason.CONFLICT, message, path=self.info.key)


def _check(wanted: FileRange, info: ObjectInfo) -> None:
    if not 0 <= wanted.offset <= info.size_bytes or wanted.length < 0:
        asked = f"from byte {wanted.offset}" + (f", {wanted.length} of them" if wanted.length else "")
        message = f"{info.key!r} has {info.size_bytes} bytes and cannot be read {asked}"
        raise error(Reason.INVALID_ARGUMENT, message, path=info.key, size_bytes=str(info.size_bytes))
