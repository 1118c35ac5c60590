"""What happens around every call of every shape: access, one log line, errors to statuses."""

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
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


class _AroundCalls(grpc.aio.ServerInterceptor, ABC):
    """Runs the handlers of known methods, of any shape, inside something."""

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """See `grpc.aio.ServerInterceptor`."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        return wrap_handler(self._prepared(handler), partial(self._around, str(handler_call_details.method)))

    def _prepared(self, handler: Any) -> Any:  # Any: gRPC leaves handlers untyped
        return handler

    @abstractmethod
    def _around(self, method: str, context: _Context) -> AbstractAsyncContextManager[None]:
        """Enter before the handler runs and exit after it."""


class ErrorInterceptor(_AroundCalls):
    """Outermost: every failure leaves as a status with `ErrorInfo`; unknown ones as INTERNAL, text hidden."""

    @asynccontextmanager
    async def _around(self, method: str, context: _Context) -> AsyncIterator[None]:
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


async def _abort(context: _Context, failure: ThanosqlError) -> None:
    details = to_status(failure).SerializeToString()
    await context.abort(CODES[failure.reason], failure.message, ((DETAILS_KEY, details),))


class LogInterceptor(_AroundCalls):
    """One line a call: method, outcome, milliseconds. Never a literal of a statement, never audio."""

    @asynccontextmanager
    async def _around(self, method: str, context: _Context) -> AsyncIterator[None]:
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


class AccessInterceptor(_AroundCalls):
    """Asks the service's authoriser before the handler runs; a service without one is refused."""

    def __init__(self, policies: Mapping[str, Authoriser]) -> None:
        self._policies = policies

    def _prepared(self, handler: Any) -> Any:  # Any: as above
        return decoding_inside(handler)

    @asynccontextmanager
    async def _around(self, method: str, context: _Context) -> AsyncIterator[None]:
        service = method.strip("/").partition("/")[0]
        policy = self._policies.get(service)
        if policy is None:
            raise error(Reason.PERMISSION_DENIED, f"calls to {service} are not allowed on this port")
        policy(metadata_of(context))
        yield


def _is_probe(method: str) -> bool:
    return method.startswith("/grpc.")
