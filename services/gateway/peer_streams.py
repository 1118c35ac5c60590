"""Calls that stream: what is sent comes from a task of our own, what fails says why.

A failure while requests are made ends the call from our side, which gRPC shows to the reader of the
answers as a cancellation; here the reader gets the failure itself.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc

from services.gateway.core.pipes import Pipe
from services.gateway.core.places import NOWHERE
from thanosql_runtime.errors import Reason, StatementError, ThanosqlError, error
from thanosql_runtime.status import from_rpc_error, peer_errors

A = TypeVar("A")

# Requests made and not yet sent; the largest is a batch of 1 MB.
REQUESTS_AHEAD = 2

# A request and a call may be of any message; gRPC's own types do not tie them together.
Feed = Pipe[Any]


async def answers(call: Any, peer: str, feed: Feed | None = None) -> AsyncIterator[Any]:
    """The answers of a call to `peer`; leaving early ends the call."""
    with _failures(call, peer, feed):
        async for message in call:
            yield message


async def answer(call: Any, peer: str, feed: Feed) -> Any:
    """The one answer of a call to `peer` whose requests stream."""
    with _failures(call, peer, feed):
        return await call


async def first(messages: AsyncIterator[A], peer: str) -> A:
    """The first of the answers, without which nothing can be done."""
    async for message in messages:
        return message
    raise error(Reason.INTERNAL, f"the {peer} service ended a call without an answer")


async def pages(
    call: Callable[..., Awaitable[Any]], request: Any, peer: str, timeout_s: float
) -> AsyncIterator[Any]:
    """The pages of a listing that `call` gives for a request, one after another; each has the deadline."""
    while True:
        with peer_call(peer):
            page = await call(request, timeout=timeout_s)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


@contextmanager
def peer_call(peer: str) -> Iterator[None]:
    """Raise `ThanosqlError` for every failed call to `peer` made inside, without the peer's places."""
    try:
        with peer_errors(peer):
            yield
    except ThanosqlError as failure:
        raise unplaced(failure)  # noqa: B904 - the same error


class _EndOfCall:
    """How a call ended, read at the very moment when it does.

    When a request is written after the call has ended, grpc.aio makes a status INTERNAL of its own
    (https://github.com/grpc/grpc/issues/36066). It comes before the true one or after it, so one of the
    two that are seen, by a callback and by who waits for the answer, is true.
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._failure: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._read)

    def or_else(self, failure: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """The failure that is true, of the one that was read and the one that was raised."""
        read = self._failure
        return read if read is not None and not _is_made_here(read) else failure

    def _read(self, _call: Any) -> None:
        code = _result_now(self._call.code())
        if code not in (None, grpc.StatusCode.OK):
            self._failure = grpc.aio.AioRpcError(
                code,
                _result_now(self._call.initial_metadata()) or grpc.aio.Metadata(),
                _result_now(self._call.trailing_metadata()) or grpc.aio.Metadata(),
                details=_result_now(self._call.details()),
            )


def _is_made_here(failure: grpc.aio.AioRpcError) -> bool:
    text = failure.details() or ""
    return failure.code() is grpc.StatusCode.INTERNAL and text.startswith("Internal error from Core")


def _result_now(coroutine: Coroutine[Any, Any, A]) -> A | None:
    """What the coroutine answers without waiting; None where it would wait."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: A = end.value
        return result
    coroutine.close()
    return None


@contextmanager
def _failures(call: Any, peer: str, feed: Feed | None) -> Iterator[None]:
    end = _EndOfCall(call)
    try:
        yield
    except grpc.aio.AioRpcError as failure:
        raise _cause(feed) or unplaced(from_rpc_error(end.or_else(failure), peer)) from failure
    except asyncio.CancelledError as failure:
        cause = _cause(feed)
        if cause is None or _is_leaving():
            raise
        raise cause from failure
    finally:
        call.cancel()


def unplaced(failure: ThanosqlError) -> ThanosqlError:
    """The error without its place: peers count in what they were sent, not in the text of the call."""
    known = failure.statement
    if known is not None:
        failure.statement = StatementError(
            span=NOWHERE, expected=known.expected, suggestion=known.suggestion, known=known.known
        )
    return failure


def _cause(feed: Feed | None) -> Exception | None:
    return feed.failure if feed is not None else None


def _is_leaving() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
