"""Files in pieces: what an upload sends, and where a download is written."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from thanosql.v1 import gateway_pb2, storage_pb2

_CHUNK_BYTES = 64 << 10
_BLOCK_BYTES = 1 << 20


def file_sha256(local_path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with local_path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Upload:
    """An open file on its way to the server."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self._file = file
        self._path = path
        self._failure: OSError | None = None

    async def messages(self) -> AsyncIterator[gateway_pb2.UploadFileRequest]:
        """What the call sends: where, the bytes, and the hash that ends it."""
        yield gateway_pb2.UploadFileRequest(start=storage_pb2.FileStart(path=self._path))
        digest = hashlib.sha256()
        while block := await self._read():
            digest.update(block)
            for chunk in _chunks(block):
                yield gateway_pb2.UploadFileRequest(chunk=chunk)
        yield gateway_pb2.UploadFileRequest(commit=storage_pb2.FileCommit(sha256=digest.hexdigest()))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raise what reading the file raised: gRPC itself turns it into a bare cancellation."""
        try:
            yield
        except BaseException:
            if self._failure is not None:
                raise self._failure from None
            raise

    async def _read(self) -> bytes:
        try:
            return await asyncio.to_thread(self._file.read, _BLOCK_BYTES)
        except OSError as failure:
            self._failure = failure
            raise


async def write_parts(
    parts: AsyncIterator[gateway_pb2.DownloadFileResponse], local_path: Path
) -> storage_pb2.File:
    """Write a download; the file appears whole or not at all."""
    unfinished, file = await asyncio.to_thread(_create_beside, local_path)
    try:
        with file:
            described = await _write(parts, file)
        await asyncio.to_thread(os.replace, unfinished, local_path)
    finally:
        await asyncio.to_thread(unfinished.unlink, missing_ok=True)
    return described


async def _write(parts: AsyncIterator[gateway_pb2.DownloadFileResponse], file: IO[bytes]) -> storage_pb2.File:
    described = storage_pb2.File()
    async for part in parts:
        if part.HasField("file"):
            described = part.file
        else:
            await asyncio.to_thread(file.write, part.chunk)
    return described


def _create_beside(local_path: Path) -> tuple[Path, IO[bytes]]:
    descriptor, name = tempfile.mkstemp(dir=local_path.parent, prefix=f".{local_path.name}.")
    return Path(name), os.fdopen(descriptor, "wb")


def _chunks(block: bytes) -> Iterator[bytes]:
    for begin in range(0, len(block), _CHUNK_BYTES):
        yield block[begin : begin + _CHUNK_BYTES]
