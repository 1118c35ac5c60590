"""Uploads: a file goes to the server in as many calls as it takes, each where the last one broke."""

import asyncio
import hashlib
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from thanosql.convert import to_file
from thanosql.errors import ThanoSQLError
from thanosql.transfer import (
    BLOCK_BYTES,
    CALL_TIMEOUT_S,
    CHUNK_BYTES,
    TRANSFER_TIMEOUT_S,
    Caller,
    EndOfCall,
    Patience,
    Teller,
    keep_freed_memory,
    read_ahead,
)
from thanosql.v1 import gateway_pb2, storage_pb2
from thanosql.values import File, Progress

_Request = gateway_pb2.UploadFileRequest


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file here that goes to the server.

    Attributes:
        file: The open file.
        path: Where it goes.
        size_bytes: Its size; None for a pipe, which can be read only once.
        upload_id: The same for the same file and path, so that another run goes on with what this one began.
    """

    file: IO[bytes] = field(repr=False)
    path: str
    size_bytes: int | None
    upload_id: str

    @classmethod
    def of(cls, file: IO[bytes], local_path: Path, path: str) -> "Source":
        """The source behind an open file."""
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return cls(file=file, path=path, size_bytes=None, upload_id="")
        facts = (path, str(local_path.resolve()), status.st_size, status.st_mtime_ns, status.st_ino)
        upload_id = hashlib.sha256(repr(facts).encode()).hexdigest()
        return cls(file=file, path=path, size_bytes=status.st_size, upload_id=upload_id)


class Upload:
    """A file on its way to the server."""

    def __init__(self, caller: Caller, source: Source) -> None:
        self._caller = caller
        self._source = source
        self._patience = Patience(caller.delays_s if source.upload_id else ())
        self._teller = Teller("uploading", source.size_bytes)
        self._reached_bytes = 0
        self._answered = False

    async def run(self) -> AsyncGenerator[Progress | File, None]:
        """Send it; yields how far it is, and at the end the file.

        Raises:
            ThanoSQLError: The server refuses it, or cannot be reached for too long.
            OSError: The file cannot be read.
        """
        keep_freed_memory(self._source.size_bytes)
        state = await self._first_state()
        while not state.HasField("file"):
            try:
                async for item in self._send(state.received_bytes):
                    yield item
                    if isinstance(item, File):
                        return
            except ThanoSQLError as failure:
                if not self._answered:
                    raise  # A server that does not answer at all is not waited for.
                state = await self._state_after(failure)
        yield to_file(state.file)

    async def _first_state(self) -> gateway_pb2.GetUploadResponse:
        """How much of it has arrived; not asked for a file of one message, which is as soon sent again."""
        size_bytes = self._source.size_bytes
        if size_bytes is not None and size_bytes > CHUNK_BYTES:
            return await self._state()
        return gateway_pb2.GetUploadResponse()

    async def _state_after(self, failure: ThanoSQLError) -> gateway_pb2.GetUploadResponse:
        while True:
            await self._patience.bear(failure)
            try:
                state = await self._state()
            except ThanoSQLError as again:
                failure = again
                continue
            if state.received_bytes > self._reached_bytes:
                self._reached_bytes = state.received_bytes
                self._patience.renew()
            return state

    async def _state(self) -> gateway_pb2.GetUploadResponse:
        if not self._source.upload_id:
            return gateway_pb2.GetUploadResponse()
        request = gateway_pb2.GetUploadRequest(path=self._source.path, upload_id=self._source.upload_id)
        with self._caller.calling() as stub:
            state = await stub.GetUpload(request, metadata=self._caller.metadata(), timeout=CALL_TIMEOUT_S)
        self._answered = True
        return state

    async def _send(self, offset: int) -> AsyncGenerator[Progress | File, None]:
        """Send what stands behind the offset, in one call."""
        digest = await self._digest_up_to(offset)
        with self._caller.calling() as stub:
            call = stub.UploadFile(metadata=self._caller.metadata(), timeout=TRANSFER_TIMEOUT_S)
            try:
                async with EndOfCall(call).told():
                    await call.write(self._start(offset))
                    self._answered = True
                    async with aclosing(self._blocks(digest)) as blocks:
                        async for block in blocks:
                            await call.write(_Request(chunk=block))
                            offset += len(block)
                            if progress := self._teller.due(offset):
                                yield progress
                    commit = storage_pb2.FileCommit(sha256=digest.hexdigest())
                    await call.write(_Request(commit=commit))
                    await call.done_writing()
                    answer = await call
                yield to_file(answer.file)
            finally:
                call.cancel()

    def _blocks(self, digest: Any) -> AsyncGenerator[bytes, None]:  # Any: see `_digest_up_to`
        """The bytes that the file still has, each block hashed."""

        def read() -> bytes:
            file = self._source.file
            block = file.read(CHUNK_BYTES)
            while block and len(block) < CHUNK_BYTES and (more := file.read(CHUNK_BYTES - len(block))):
                block += more  # A pipe gives less at once.
            digest.update(block)
            return block

        return read_ahead(read, returns_soon=self._source.size_bytes is not None)

    def _start(self, offset: int) -> gateway_pb2.UploadFileRequest:
        start = storage_pb2.FileStart(
            path=self._source.path,
            upload_id=self._source.upload_id,
            offset=offset,
            size_bytes=self._source.size_bytes,
        )
        return _Request(start=start)

    async def _digest_up_to(self, offset: int) -> Any:  # Any: hashlib names no type for its digests
        return await asyncio.to_thread(_digest_of_first, self._source, offset)


def _digest_of_first(source: Source, size_bytes: int) -> Any:
    """Read the first bytes again, which the server has; the file then stands behind them."""
    digest = hashlib.sha256()
    if source.upload_id:
        source.file.seek(0)
    while size_bytes and (block := source.file.read(min(BLOCK_BYTES, size_bytes))):
        digest.update(block)
        size_bytes -= len(block)
    return digest
