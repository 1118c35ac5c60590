"""The model that is warm before the service says that it is ready."""

import asyncio

import structlog

from services.predictor.core.clock import SystemClock
from services.predictor.core.registry import ModelRegistry
from thanosql_runtime.errors import Reason, ThanosqlError

_log = structlog.get_logger("preload")
_PAUSE_S = 0.5
_WORTH_WAITING = {Reason.PEER_UNAVAILABLE, Reason.STORE_UNAVAILABLE, Reason.DEADLINE_EXCEEDED}


async def preload(registry: ModelRegistry, name: str, timeout_s: float) -> bool:
    """Load a model, waiting for storage to come up; false when it cannot be had.

    Not having it is no reason not to serve: it may have been deleted, and every other model still works.
    """
    clock = SystemClock()
    until_s = clock.now() + timeout_s
    while True:
        try:
            await registry.load(name, 0)
        except ThanosqlError as failure:
            if failure.reason not in _WORTH_WAITING or clock.now() >= until_s:
                _log.warning("preload failed", model=name, problem=failure.message)
                return False
            await asyncio.sleep(_PAUSE_S)
        else:
            return True
