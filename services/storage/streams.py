"""Streams of messages in: the rows of a write, the relations of a query, the bytes of a file.

Each is kept in a temporary file until the sender says that it is complete.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pyarrow as pa
from google.protobuf.message import Message

from services.storage.convert import from_file_start
from services.storage.core.files.uploads import Upload, Uploads
from services.storage.core.spooling import Spool
from services.storage.work import Work
from thanosql.v1 import storage_pb2
from thanosql_objects.ports import ObjectInfo
from thanosql_objects.workspace import Workspace
from thanosql_runtime.arrow import decode_batch, decode_schema
from thanosql_runtime.errors import Reason, ThanosqlError, error

_T = TypeVar("_T")
# Chunks are gathered before they are handed to a thread.
_BLOCK_BYTES = 1 << 20
_HEAR_OUT_BYTES = 64 << 20
_HEAR_OUT_S = 1.0


@dataclass(frozen=True, kw_only=True)
class ReceivedQuery:
    """A query and the relations that came with it."""

    start: storage_pb2.QueryStart
    relations: dict[str, Spool]


@dataclass(frozen=True, kw_only=True)
class ReceivedRows:
    """All rows of a write, and where they go."""

    start: storage_pb2.WriteStart
    spool: Spool


@asynccontextmanager
async def received_query(
    requests: AsyncIterator[storage_pb2.QueryRequest], work: Work
) -> AsyncIterator[ReceivedQuery]:
    """Read a query's stream to its end."""
    async with AsyncExitStack() as stack:
        async with _heard_out(requests):
            first = await _first(requests)
            if first.WhichOneof("part") != "start":
                raise _misplaced("a query begins with its start")
            relations: dict[str, Spool] = {}
            async for request in requests:
                match request.WhichOneof("part"):
                    case "relation_schema":
                        name = request.relation_schema.relation
                        if name in relations or name not in first.start.relations:
                            raise _misplaced(f"relation {name!r} was not announced, or came twice")
                        relations[name] = await _spool(work, stack, request.relation_schema.schema)
                    case "relation_batch":
                        spool = relations.get(request.relation_batch.relation)
                        if spool is None:
                            raise _misplaced("rows of a relation came before its schema")
                        await work.step(_write, spool, request.relation_batch.record_batch)
                    case other:
                        raise _misplaced(f"a query's stream does not go on with {other}")
            missing = sorted(set(first.start.relations) - set(relations))
            if missing:
                raise _misplaced(f"the stream ended without the relation {missing[0]!r}")
            for spool in relations.values():
                await work.step(spool.finish)
        yield ReceivedQuery(start=first.start, relations=relations)


@asynccontextmanager
async def received_rows(
    requests: AsyncIterator[storage_pb2.WriteTableRequest], work: Work
) -> AsyncIterator[ReceivedRows]:
    """Read the rows of a write, up to and with its commit."""
    async with AsyncExitStack() as stack:
        async with _heard_out(requests):
            first = await _first(requests)
            if first.WhichOneof("part") != "start":
                raise _misplaced("a write begins with its start")
            spool = await _rows(requests, stack, work)
        await work.step(spool.finish)
        yield ReceivedRows(start=first.start, spool=spool)


async def receive_file(
    requests: AsyncIterator[storage_pb2.WriteFileRequest], workspace: Workspace, uploads: Uploads, work: Work
) -> ObjectInfo:
    """Read the bytes of a file, up to and with its commit; what has arrived without one may be kept."""
    async with _heard_out(requests):
        first = await _first(requests)
        if first.WhichOneof("part") != "start":
            raise _misplaced("a file begins with its start")
        async with AsyncExitStack() as refused:
            upload = await work.opened(partial(uploads.open, from_file_start(first.start, workspace)))
            refused.push_async_callback(work.close_resource, upload)
            blocks = _Blocks(upload, work)
            refused.push_async_callback(blocks.settle)
            commit = await _bytes(requests, blocks)
            if commit is None:
                await blocks.finish()
                raise error(Reason.CANCELLED, _unfinished(upload))
            received = refused.pop_all()
    async with received:
        await blocks.finish()
        return await work.command(upload.commit, commit.sha256)


@asynccontextmanager
async def _heard_out(requests: AsyncIterator[Message]) -> AsyncIterator[None]:
    """Let a caller say the little that it has left to say before it is refused.

    One that is still sending when its call ends may see that its words are not taken, and not why: grpc.aio
    hides the refusal (https://github.com/grpc/grpc/issues/36066). The gateway and the SDK look behind that;
    for the sake of others, all but the longest are heard.
    """
    try:
        yield
    except ThanosqlError:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HEAR_OUT_S):
                left_bytes = _HEAR_OUT_BYTES
                async for request in requests:
                    left_bytes -= request.ByteSize()
                    if left_bytes < 0:
                        break
        raise


class _Blocks:
    """Gathers the bytes of a file; a block is written while the next one arrives."""

    def __init__(self, upload: Upload, work: Work) -> None:
        self._upload = upload
        self._work = work
        self._gathered = bytearray()
        self._writing: asyncio.Future[None] | None = None

    async def add(self, chunk: bytes) -> None:
        self._gathered += chunk
        if len(self._gathered) >= _BLOCK_BYTES:
            await self._begin()

    async def finish(self) -> None:
        """Write the rest; raises what any write has raised."""
        await self._begin()
        await self._written()

    async def settle(self) -> None:
        """Wait for the write that is under way, whatever becomes of it."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _begin(self) -> None:
        await self._written()
        block, self._gathered = self._gathered, bytearray()
        self._writing = asyncio.ensure_future(self._work.step(self._upload.write, block))

    async def _written(self) -> None:
        if self._writing is not None:
            # A caller who leaves does not take back what is about to be written.
            await asyncio.shield(self._writing)


async def _rows(
    requests: AsyncIterator[storage_pb2.WriteTableRequest], stack: AsyncExitStack, work: Work
) -> Spool:
    """Read the rows of a write until its commit."""
    spool: Spool | None = None
    async for request in requests:
        match request.WhichOneof("part"):
            case "schema" if spool is None:
                spool = await _spool(work, stack, request.schema)
            case "record_batch" if spool is not None:
                await work.step(_write, spool, request.record_batch)
            case "commit" if spool is not None:
                return spool
            case other:
                raise _misplaced(f"{other} at the wrong place in a write's stream")
    raise error(Reason.CANCELLED, "the write ended before its commit; nothing was changed")


async def _bytes(
    requests: AsyncIterator[storage_pb2.WriteFileRequest], blocks: _Blocks
) -> storage_pb2.FileCommit | None:
    """Read the bytes of a file until its commit, or to the end of a stream without one."""
    async for request in requests:
        match request.WhichOneof("part"):
            case "chunk":
                await blocks.add(request.chunk)
            case "commit":
                return request.commit
            case other:
                raise _misplaced(f"{other} at the wrong place in a file's stream")
    return None


async def _first(requests: AsyncIterator[_T]) -> _T:
    async for request in requests:
        return request
    raise _misplaced("the stream is empty")


def _misplaced(message: str) -> ThanosqlError:
    return error(Reason.INVALID_ARGUMENT, message)


async def _spool(work: Work, stack: AsyncExitStack, schema: bytes) -> Spool:
    columns = _schema(schema)
    spool = await work.opened(lambda: Spool(columns))
    stack.callback(spool.close)
    return spool


def _schema(message: bytes) -> pa.Schema:
    try:
        return decode_schema(message)
    except ValueError as problem:
        raise _misplaced(str(problem)) from problem


def _write(spool: Spool, message: bytes) -> None:
    try:
        batch = decode_batch(message, spool.schema)
    except ValueError as problem:
        raise _misplaced(str(problem)) from problem
    spool.write(batch)


def _unfinished(upload: Upload) -> str:
    if not upload.start.upload_id:
        return "the file ended before its commit; nothing was kept"
    return f"the file ended before its commit; go on with it at byte {upload.arriving.size_bytes}"
