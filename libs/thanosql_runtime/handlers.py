"""Wrapping a gRPC handler of any of the four shapes in the same code."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from thanosql_runtime.errors import Reason, error

Around = Callable[[grpc.aio.ServicerContext[Any, Any]], AbstractAsyncContextManager[None]]
"""Enters before the handler runs and exits after it; may raise or abort in either."""


# gRPC leaves handlers, requests and responses untyped.
def wrap_handler(handler: Any, around: Around) -> Any:
    """A handler of the same shape that runs inside `around`.

    Unary answers come from coroutines and streamed ones from asynchronous generators; handlers
    that write to their context instead are not used in this project.
    """
    if handler.response_streaming:
        behaviour = handler.stream_stream if handler.request_streaming else handler.unary_stream
        wrapped: Any = _around_stream(behaviour, around)
    else:
        behaviour = handler.stream_unary if handler.request_streaming else handler.unary_unary
        wrapped = _around_unary(behaviour, around)
    return _maker(handler)(wrapped, handler.request_deserializer, handler.response_serializer)


def decoding_inside(handler: Any) -> Any:
    """A handler of the same shape that reads its requests itself.

    gRPC would read them before any interceptor runs, and answer a malformed one with a text of its own;
    this way it is INVALID_ARGUMENT, and only for callers who are let in.
    """
    decode = handler.request_deserializer
    if decode is None:
        return handler
    streaming = bool(handler.response_streaming)
    name = ("stream_" if handler.request_streaming else "unary_") + ("stream" if streaming else "unary")
    behaviour = getattr(handler, name)

    def given(raw: Any) -> Any:
        return _decode_each(raw, decode) if handler.request_streaming else _decode(raw, decode)

    async def answer(raw: Any, context: Any) -> Any:
        return await behaviour(given(raw), context)

    async def stream(raw: Any, context: Any) -> AsyncIterator[Any]:
        responses = behaviour(given(raw), context)
        try:
            async for response in responses:
                yield response
        finally:
            await responses.aclose()

    return _maker(handler)(stream if streaming else answer, None, handler.response_serializer)


async def _decode_each(messages: AsyncIterator[bytes], decode: Callable[[bytes], Any]) -> AsyncIterator[Any]:
    async for message in messages:
        yield _decode(message, decode)


def _decode(message: bytes, decode: Callable[[bytes], Any]) -> Any:
    try:
        return decode(message)
    except DecodeError as failure:
        raise error(Reason.INVALID_ARGUMENT, "the request is no message of this method's type") from failure


def _around_unary(behaviour: Any, around: Around) -> Any:
    async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        async with around(context):
            return await behaviour(request, context)

    return call


def _around_stream(behaviour: Any, around: Around) -> Any:
    async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
        async with around(context):
            responses = behaviour(request, context)
            try:
                async for response in responses:
                    yield response
            finally:
                await responses.aclose()

    return call


def _maker(handler: Any) -> Any:
    makers = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }
    return makers[(bool(handler.request_streaming), bool(handler.response_streaming))]
