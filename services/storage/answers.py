"""Streams of messages out: rows of a query or a snapshot, the progress of a copy, the bytes of a file."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing

import pyarrow as pa

from services.storage import convert, convert_copies
from services.storage.core.files.reading import FileRange, FileReading
from services.storage.core.queries.running import RunningQuery
from services.storage.core.types import CopyOutcome, CopyProgress
from services.storage.parts import Parts
from services.storage.streams import ReceivedQuery
from services.storage.work import Step, take_step
from thanosql.v1 import storage_pb2, types_pb2
from thanosql_runtime.arrow import encode_batches, encode_schema
from thanosql_runtime.errors import Reason, error

_PROGRESS_S = 0.1


async def query_rows(parts: Parts, query: ReceivedQuery) -> AsyncGenerator[storage_pb2.QueryResponse, None]:
    """Compute a query as its reader takes the rows; a reader that goes away stops it."""
    start, search = query.start, convert.from_search(query.start)
    beginning = _Beginning(
        lambda: parts.engine.run(
            start.sql,
            tuple(start.tables),
            query.relations,
            search,
            parts.history.open(convert.from_versions(start)),
        )
    )
    try:
        begun = await parts.work.opened(beginning.run)
    except asyncio.CancelledError:
        beginning.stop()
        raise
    running = begun.running
    try:
        yield storage_pb2.QueryResponse(
            schema=begun.schema,
            tables_read=[convert.to_table_version(version) for version in running.tables_read],
        )
        for remark in running.remarks:
            yield storage_pb2.QueryResponse(notice=types_pb2.Notice(message=remark))
        async for message in parts.work.iterate(begun.messages, begun.take_first()):
            yield storage_pb2.QueryResponse(record_batch=message)
    finally:
        if not running.is_closed:
            running.interrupt()
            await parts.work.close_resource(running)


async def snapshot_rows(
    parts: Parts, snapshot_id: str
) -> AsyncGenerator[storage_pb2.ReadSnapshotResponse, None]:
    """Read the rows that were kept for a job."""
    dataset = await parts.work.step(parts.snapshots.dataset, snapshot_id)
    yield storage_pb2.ReadSnapshotResponse(schema=encode_schema(dataset.schema))
    batches: Iterable[pa.RecordBatch] = dataset.to_batches(batch_size=1024)
    async for message in parts.work.iterate(_messages(batches)):
        yield storage_pb2.ReadSnapshotResponse(record_batch=message)


async def copy_events(
    parts: Parts, request: storage_pb2.CopyTableRequest
) -> AsyncGenerator[storage_pb2.CopyTableResponse, None]:
    """Copy, and tell how far it is; a caller that goes away stops it before its commit."""
    reports: asyncio.Queue[CopyProgress | None] = asyncio.Queue()
    teller = _Teller(asyncio.get_running_loop(), reports)
    copying = asyncio.ensure_future(_copy(parts, request, teller))
    copying.add_done_callback(lambda _done: reports.put_nowait(None))
    try:
        while (progress := await reports.get()) is not None:
            yield convert_copies.to_copy_progress(progress)
        outcome: CopyOutcome = await copying
        yield convert_copies.to_copy_result(outcome)
    finally:
        teller.stop()
        await asyncio.gather(copying, return_exceptions=True)


async def _copy(parts: Parts, request: storage_pb2.CopyTableRequest, teller: "_Teller") -> CopyOutcome:
    async with parts.work.turn(request.table):
        return await parts.work.command(parts.copying.run, convert_copies.from_copy_request(request), teller)


async def file_parts(parts: Parts, wanted: FileRange) -> AsyncGenerator[storage_pb2.ReadFileResponse, None]:
    """Read a file of the workspace."""
    reading = await parts.work.opened(lambda: FileReading(parts.objects.workspace, wanted))
    try:
        yield storage_pb2.ReadFileResponse(file=convert.to_file(reading.info))
        async with aclosing(parts.work.iterate_ahead(reading.blocks())) as blocks:
            async for block in blocks:
                if block:
                    yield storage_pb2.ReadFileResponse(chunk=block)
        yield storage_pb2.ReadFileResponse(end=storage_pb2.FileEnd(sha256=reading.sha256))
    finally:
        await parts.work.close_resource(reading)


class _Teller:
    """Hands the progress of a thread to the event loop, now and then, and stops the thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, reports: "asyncio.Queue[CopyProgress | None]"
    ) -> None:
        self._loop = loop
        self._reports = reports
        self._stopped = threading.Event()
        self._next_s = 0.0

    def __call__(self, progress: CopyProgress) -> None:
        if self._stopped.is_set():
            raise error(Reason.CANCELLED, "the copy was cancelled; nothing was changed")
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + _PROGRESS_S
            self._loop.call_soon_threadsafe(self._reports.put_nowait, progress)

    def stop(self) -> None:
        self._stopped.set()


class _Begun:
    """A query that has begun: its schema, its first rows, and those that follow."""

    def __init__(self, running: RunningQuery) -> None:
        self.running = running
        self.schema = encode_schema(running.schema)
        self.messages = _messages_to_the_end(running)
        self._first: list[Step[bytes]] = [take_step(self.messages)]

    def take_first(self) -> Step[bytes]:
        """Hand over the first rows, which are not kept here."""
        return self._first.pop()

    def close(self) -> None:
        """End it."""
        self.running.close()


class _Beginning:
    """A query that begins in a thread, up to its first rows, and can be stopped meanwhile.

    One step for all of that, and for all of a small answer: each more takes longer than many queries.
    """

    def __init__(self, open_query: Callable[[], RunningQuery]) -> None:
        self._open_query = open_query
        self._running: RunningQuery | None = None
        self._stopped = False

    def run(self) -> _Begun:
        """Open it, and compute its schema and first rows."""
        running = self._running = self._open_query()
        with contextlib.ExitStack() as failing:
            failing.callback(running.close)
            if self._stopped:
                running.interrupt()
            begun = _Begun(running)
            failing.pop_all()
        return begun

    def stop(self) -> None:
        """End it; whoever asked for it has gone."""
        self._stopped = True
        if self._running is not None:
            self._running.interrupt()


def _messages_to_the_end(running: RunningQuery) -> Iterator[bytes]:
    """The rows; the query gives everything back with the last of them, which spares a step of its own."""
    yield from _messages(running)
    running.close()


def _messages(batches: Iterable[pa.RecordBatch]) -> Iterator[bytes]:
    for batch in batches:
        yield from encode_batches(batch)
