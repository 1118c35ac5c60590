"""Calls that stream: what is sent comes from a task of our own, what fails says why.

A failure while requests are made ends the call from our side, which gRPC shows to the reader of the
answers as a cancellation; here the reader gets the failure itself.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
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


@contextmanager
def peer_call(peer: str) -> Iterator[None]:
    """Raise `ThanosqlError` for every failed call to `peer` made inside, without the peer's places."""
    try:
        with peer_errors(peer):
            yield
    except ThanosqlError as failure:
        raise unplaced(failure)  # noqa: B904 - the same error


@contextmanager
def _failures(call: Any, peer: str, feed: Feed | None) -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as failure:
        raise _cause(feed) or unplaced(from_rpc_error(failure, peer)) from failure
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
