"""Wrapping a gRPC handler of any of the four shapes in the same code."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc

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
