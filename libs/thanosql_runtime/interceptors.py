"""What happens around every call of every shape: access, one log line, errors to statuses."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import structlog

from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.handlers import decoding_inside, wrap_handler
from thanosql_runtime.service import Authoriser
from thanosql_runtime.status import CODES, DETAILS_KEY, to_status

_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]
_Context = grpc.aio.ServicerContext[Any, Any]

_log = structlog.get_logger("call")


def metadata_of(context: _Context) -> dict[str, str]:
    """The call's metadata with text values; the last value of a repeated key."""
    pairs = context.invocation_metadata() or ()
    return {key: value for key, value in pairs if isinstance(value, str)}


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Outermost: every failure leaves as a status with `ErrorInfo`; unknown ones as INTERNAL, text hidden."""

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """See `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method

        @asynccontextmanager
        async def around(context: _Context) -> AsyncIterator[None]:
            try:
                yield
            except ThanosqlError as failure:
                await _abort(context, failure)
            except (asyncio.CancelledError, grpc.aio.AbortError, GeneratorExit):
                raise
            except Exception:  # noqa: BLE001 - the last line of defence: logged, answered, hidden
                incident = uuid.uuid4().hex[:12]
                _log.exception("unexpected", method=method, incident=incident)
                text = f"the server failed unexpectedly; its log has the details under incident {incident}"
                await _abort(context, error(Reason.INTERNAL, text, incident=incident))

        return wrap_handler(handler, around)


async def _abort(context: _Context, failure: ThanosqlError) -> None:
    details = to_status(failure).SerializeToString()
    await context.abort(CODES[failure.reason], failure.message, ((DETAILS_KEY, details),))


class LogInterceptor(grpc.aio.ServerInterceptor):
    """One line a call: method, outcome, milliseconds. Never a literal of a statement, never audio."""

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """See `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method

        @asynccontextmanager
        async def around(context: _Context) -> AsyncIterator[None]:
            begun_s = time.monotonic()
            outcome = "INTERNAL"
            try:
                yield
                outcome = "OK"
            except ThanosqlError as failure:
                outcome = failure.reason.value
                raise
            except (asyncio.CancelledError, GeneratorExit):
                outcome = "CANCELLED"
                raise
            finally:
                elapsed_ms = round(1000 * (time.monotonic() - begun_s), 1)
                level = _log.debug if _is_probe(method) else _log.info
                level("call", method=method, outcome=outcome, ms=elapsed_ms)

        return wrap_handler(handler, around)


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Asks the service's authoriser before the handler runs; a service without one is refused."""

    def __init__(self, policies: Mapping[str, Authoriser]) -> None:
        self._policies = policies

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """See `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        service = str(handler_call_details.method).strip("/").partition("/")[0]

        @asynccontextmanager
        async def around(context: _Context) -> AsyncIterator[None]:
            policy = self._policies.get(service)
            if policy is None:
                raise error(Reason.PERMISSION_DENIED, f"calls to {service} are not allowed on this port")
            policy(metadata_of(context))
            yield

        return wrap_handler(decoding_inside(handler), around)


def _is_probe(method: str) -> bool:
    return method.startswith("/grpc.")
