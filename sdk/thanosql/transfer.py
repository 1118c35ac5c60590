"""What uploads and downloads share: how they call, and how often they try again."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from thanosql.errors import Cancelled, Conflict, DeadlineExceeded, Overloaded, ThanoSQLError, Unavailable
from thanosql.v1 import gateway_pb2_grpc
from thanosql.values import Progress

_T = TypeVar("_T")

BLOCK_BYTES = 1 << 20
# Smaller messages cost more time, larger ones save hardly any.
CHUNK_BYTES = 512 << 10
CALL_TIMEOUT_S = 30.0
# Of one call that sends or receives bytes; a longer transfer goes on in another.
TRANSFER_TIMEOUT_S = 3600.0
_TELL_EVERY_S = 0.1
_LARGE_BYTES = 16 << 20
_STATUS_WAIT_S, _STATUS_LOOK_S = 1.0, 0.01
# Two minutes in all: as long as a server may take to come back.
_DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
_PASSING = (Unavailable, Overloaded, Conflict, Cancelled, DeadlineExceeded)

OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """How a transfer reaches the server.

    Attributes:
        calling: Gives what to call with; failures inside come as errors of this package.
        metadata: What every call carries.
        delays_s: How long to wait before each try that follows a failure.
    """

    calling: "Callable[[], AbstractContextManager[gateway_pb2_grpc.GatewayServiceAsyncStub]]"
    metadata: Callable[[], tuple[tuple[str, str], ...]]
    delays_s: tuple[float, ...] = _DELAYS_S


class Patience:
    """Which failures are worth another try, and how many in a row are borne."""

    def __init__(self, delays_s: tuple[float, ...]) -> None:
        self._delays_s = delays_s
        self._failures = 0

    async def bear(self, failure: ThanoSQLError) -> None:
        """Wait before the next try; raises the failure where there is none."""
        # What was raised without a failed call comes from this client itself, which was closed.
        passing = isinstance(failure, _PASSING) and isinstance(failure.__cause__, grpc.aio.AioRpcError)
        if not passing or self._failures >= len(self._delays_s):
            raise failure
        delay_s = self._delays_s[self._failures]
        self._failures += 1
        await asyncio.sleep(max(delay_s, failure.retry_after_s or 0.0))

    def renew(self) -> None:
        """Count from the start again, because it went on meanwhile."""
        self._failures = 0


class Teller:
    """Says how far a transfer is, now and then."""

    def __init__(self, stage: str, total: int | None) -> None:
        self._stage = stage
        self._total = total
        self._next_s = 0.0

    def due(self, done: int) -> Progress | None:
        """The progress, where it is time to tell it."""
        now_s = time.monotonic()
        if now_s < self._next_s and done != self._total:
            return None
        self._next_s = now_s + _TELL_EVERY_S
        return Progress(stage=self._stage, done=done, total=self._total, unit="bytes")


class Behind:
    """Writes blocks in a thread, each while its giver gets the next one."""

    def __init__(self, write: Callable[[bytearray], None]) -> None:
        self._write = write
        self._writing: asyncio.Future[None] | None = None

    async def hand_over(self, block: bytearray) -> None:
        """Begin to write a block once the one before is written; raises what that has raised."""
        await self.wait()
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, block))

    async def wait(self) -> None:
        """Wait until all is written; raises what writing has raised."""
        if self._writing is not None:
            await asyncio.shield(self._writing)


async def read_ahead(read: Callable[[], bytes], *, returns_soon: bool) -> AsyncGenerator[bytes, None]:
    """Yield what `read` gives until it gives nothing, each block read while its taker is at the one before.

    Args:
        read: Reads the next block; runs in a thread.
        returns_soon: Whether one who leaves early waits for a read that has begun, so that none is left.
    """
    coming = asyncio.ensure_future(asyncio.to_thread(read))
    try:
        while block := await asyncio.shield(coming):
            coming = asyncio.ensure_future(asyncio.to_thread(read))
            yield block
    finally:
        if not returns_soon:
            coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


def keep_freed_memory(size_bytes: int | None) -> None:
    """Let the process keep the memory that the messages of a large file leave, until the next ones need it.

    At first glibc returns all but 128 KiB to the system. With messages of hundreds of KB that happens all
    the time, and having each page given and cleared anew took longer than everything else in a transfer.
    glibc learns from the largest block that was returned, so it is shown one, in which nothing is written:
    from then on up to twice as much stays with the process. Where the C library is another, nothing changes.
    """
    if size_bytes is None or size_bytes >= _LARGE_BYTES:
        bytes(_LARGE_BYTES)


class EndOfCall:
    """How the server ended a call that is still being written.

    To a request written then, grpc.aio answers INTERNAL in place of the server's status, which comes a
    moment later or was there a moment before (https://github.com/grpc/grpc/issues/36066).
    """

    def __init__(self, call: Any) -> None:  # Any: the calls of grpc.aio share no type that has all of this
        self._call = call
        self._failure: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._read)

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Raise what the server has sent, in place of what is made of it here."""
        try:
            yield
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as failure:
            if isinstance(failure, asyncio.InvalidStateError) or _is_made_here(failure):
                await self._wait()
            raise (self._failure or failure) from failure

    async def _wait(self) -> None:
        # Nothing tells that the status has changed.
        tries = round(_STATUS_WAIT_S / _STATUS_LOOK_S)
        while self._failure is None and tries:
            await asyncio.sleep(_STATUS_LOOK_S)
            self._read(self._call)
            tries -= 1

    def _read(self, _call: Any) -> None:
        code = _result_now(self._call.code())
        if code in (None, grpc.StatusCode.OK):
            return
        read = grpc.aio.AioRpcError(
            code,
            _result_now(self._call.initial_metadata()) or grpc.aio.Metadata(),
            _result_now(self._call.trailing_metadata()) or grpc.aio.Metadata(),
            details=_result_now(self._call.details()),
        )
        if not _is_made_here(read):
            self._failure = read


def _is_made_here(failure: grpc.aio.AioRpcError) -> bool:
    text = failure.details() or ""
    return failure.code() is grpc.StatusCode.INTERNAL and text.startswith("Internal error from Core")


def _result_now(coroutine: Coroutine[Any, Any, _T]) -> _T | None:
    """What the coroutine answers without waiting; None where it would wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    coroutine.close()
    return None
