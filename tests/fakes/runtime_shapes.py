"""A service with one method of each of the four shapes; fails in the way that its caller names."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc

from thanosql.v1 import gateway_pb2 as messages
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.service import Authoriser

NAME = "thanosql.test.Shapes"
METHODS = ("UnaryUnary", "UnaryStream", "StreamUnary", "StreamStream")


def fail_as_told(text: str) -> None:
    if text == "known":
        raise error(Reason.TABLE_NOT_FOUND, "table 't' does not exist", table="t")
    if text == "overloaded":
        raise ThanosqlError(reason=Reason.OVERLOADED, message="the queue is full", retry_delay_s=1.5)
    if text == "unknown":
        raise RuntimeError("a secret of the server")


class ShapesService:
    """Mounts the four handlers; satisfies `thanosql_runtime.service.Service`."""

    full_name = NAME

    def __init__(self, authorise: Authoriser | None = None) -> None:
        self.authorise = authorise
        self.started = self.stopped = 0
        self.closed_streams = 0
        self.go_on = asyncio.Event()

    def mount(self, server: grpc.aio.Server) -> None:
        makers = {
            "UnaryUnary": (grpc.unary_unary_rpc_method_handler, self.unary),
            "UnaryStream": (grpc.unary_stream_rpc_method_handler, self.unary_stream),
            "StreamUnary": (grpc.stream_unary_rpc_method_handler, self.stream_unary),
            "StreamStream": (grpc.stream_stream_rpc_method_handler, self.stream_stream),
        }
        handlers: dict[str, Any] = {
            name: maker(
                behaviour,
                messages.ExplainRequest.FromString,
                messages.ExplainRequest.SerializeToString,
            )
            for name, (maker, behaviour) in makers.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))

    async def start(self) -> None:
        self.started += 1

    async def stop(self) -> None:
        self.stopped += 1

    async def unary(self, request: messages.ExplainRequest, _context: Any) -> messages.ExplainRequest:
        fail_as_told(request.text)
        return request

    async def unary_stream(self, request: messages.ExplainRequest, _context: Any) -> AsyncIterator[Any]:
        try:
            yield messages.ExplainRequest(text="first")
            fail_as_told(request.text)
            if request.text == "silent":
                await self.go_on.wait()
            for _ in range(1_000_000 if request.text == "endless" else 1):
                yield messages.ExplainRequest(text="next")
        finally:
            self.closed_streams += 1

    async def stream_unary(self, requests: AsyncIterator[Any], _context: Any) -> messages.ExplainRequest:
        text = ""
        async for request in requests:
            fail_as_told(request.text)
            text += request.text
        return messages.ExplainRequest(text=text)

    async def stream_stream(self, requests: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:
        async for request in requests:
            fail_as_told(request.text)
            yield request


async def call(
    channel: grpc.aio.Channel,
    method: str,
    text: str,
    serialise: Callable[[Any], bytes] = messages.ExplainRequest.SerializeToString,
) -> list[str]:
    """Call one method with one request; the texts of its answers."""
    multicallables = {
        "UnaryUnary": channel.unary_unary,
        "UnaryStream": channel.unary_stream,
        "StreamUnary": channel.stream_unary,
        "StreamStream": channel.stream_stream,
    }
    make: Any = multicallables[method]
    stub = make(
        f"/{NAME}/{method}",
        request_serializer=serialise,
        response_deserializer=messages.ExplainRequest.FromString,
    )
    request = messages.ExplainRequest(text=text)
    answered = stub(_one(request) if method.startswith("Stream") else request)
    if method.endswith("Stream"):
        return [answer.text async for answer in answered]
    return [(await answered).text]


async def _one(request: messages.ExplainRequest) -> AsyncIterator[messages.ExplainRequest]:
    yield request
