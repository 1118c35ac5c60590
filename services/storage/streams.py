"""Streams of messages in: the rows of a write, the relations of a query, the bytes of a file.

Each is kept in a temporary file until the sender says that it is complete.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from services.storage.core.spooling import Spool
from services.storage.work import Work
from thanosql.v1 import storage_pb2
from thanosql_objects.scratch import ScratchFolder
from thanosql_objects.workspace import UPLOADS
from thanosql_runtime.arrow import decode_batch, decode_schema
from thanosql_runtime.errors import Reason, ThanosqlError, error

_T = TypeVar("_T")


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


@dataclass(frozen=True, kw_only=True)
class ReceivedFile:
    """A whole file, and where it goes."""

    path: str
    content: Path


@asynccontextmanager
async def received_query(
    requests: AsyncIterator[storage_pb2.QueryRequest], work: Work
) -> AsyncIterator[ReceivedQuery]:
    """Read a query's stream to its end."""
    async with AsyncExitStack() as stack:
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
        first = await _first(requests)
        if first.WhichOneof("part") != "start":
            raise _misplaced("a write begins with its start")
        spool: Spool | None = None
        async for request in requests:
            match request.WhichOneof("part"):
                case "schema" if spool is None:
                    spool = await _spool(work, stack, request.schema)
                case "record_batch" if spool is not None:
                    await work.step(_write, spool, request.record_batch)
                case "commit" if spool is not None:
                    await work.step(spool.finish)
                    yield ReceivedRows(start=first.start, spool=spool)
                    return
                case other:
                    raise _misplaced(f"{other} at the wrong place in a write's stream")
        raise error(Reason.CANCELLED, "the write ended before its commit; nothing was changed")


@asynccontextmanager
async def received_file(
    requests: AsyncIterator[storage_pb2.WriteFileRequest], work: Work, limit_bytes: int
) -> AsyncIterator[ReceivedFile]:
    """Read the bytes of a file, up to and with its commit."""
    first = await _first(requests)
    if first.WhichOneof("part") != "start":
        raise _misplaced("a file begins with its start")
    with ScratchFolder("upload") as folder:
        content, size_bytes, digest = Path(folder) / "content", 0, hashlib.sha256()
        with content.open("wb") as file:
            async for request in requests:
                if request.WhichOneof("part") != "chunk":
                    break
                size_bytes += len(request.chunk)
                if size_bytes > limit_bytes:
                    raise error(Reason.INVALID_DATA, f"files above {limit_bytes} bytes are not taken in")
                digest.update(request.chunk)
                await work.step(file.write, request.chunk)
            else:
                raise error(Reason.CANCELLED, "the file ended before its commit; nothing was kept")
        _check_commit(request, digest.hexdigest())
        yield ReceivedFile(path=_upload_path(first.start.path), content=content)


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


def _check_commit(request: storage_pb2.WriteFileRequest, sha256: str) -> None:
    if request.WhichOneof("part") != "commit":
        raise _misplaced("a file's stream goes on with chunks and ends with a commit")
    if request.commit.sha256 and request.commit.sha256.lower() != sha256:
        message = f"the file arrived with the digest {sha256}, not {request.commit.sha256}; send it again"
        raise error(Reason.CHECKSUM_MISMATCH, message)


def _upload_path(path: str) -> str:
    return path if path.startswith(UPLOADS) else UPLOADS + path
