"""Something that must be told again and again: at once when it changed, and before it is forgotten."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("renewal")
_RENEWALS = 3.0
_RETRY_S = 5.0
# Who told that nothing stands need not tell it again.
_IDLE_S = 60.0

ItemT = TypeVar("ItemT")


def this_process(service: str) -> str:
    """Name this process so that people find it."""
    return f"{service} on {socket.gethostname()}, process {os.getpid()}"


class Renewal(Generic[ItemT]):
    """Tells what stands until the server stops, and then once more.

    Args:
        standing: What stands now; it is asked with whether the server stops.
        tell: Tells all of it, one call at a time; answers how many seconds that is remembered.
        stopping: Set once the server begins to stop.
        report_death: Called when the renewing ends by a bug.
    """

    def __init__(
        self,
        standing: Callable[[bool], Sequence[ItemT]],
        tell: Callable[[Sequence[ItemT]], Awaitable[float]],
        stopping: asyncio.Event,
        report_death: Callable[[], None],
    ) -> None:
        self._standing = standing
        self._tell = tell
        self._stopping = stopping
        self._report_death = report_death
        self._changed = asyncio.Event()
        self._telling = asyncio.Lock()
        self._due_s = _RETRY_S
        self._told_something = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell it again and again."""
        self._changed.set()
        self._task = asyncio.create_task(self._run(), name="renewal")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Stop telling."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def soon(self) -> None:
        """Tell it in the background, because something was given up."""
        self._changed.set()

    async def now(self) -> None:
        """Tell it and wait for the answer, because something is taken.

        Raises:
            ThanosqlError: What telling raises.
        """
        async with self._telling:
            self._due_s = await self._tell_standing() / _RENEWALS

    async def _tell_standing(self) -> float:
        standing = self._standing(self._stopping.is_set())
        if not standing and not self._told_something:
            return _IDLE_S
        lasts_s = await self._tell(standing)
        self._told_something = bool(standing)
        return lasts_s

    async def _run(self) -> None:
        while not self._stopping.is_set():
            await self._next()
            self._changed.clear()
            try:
                await self.now()
            except ThanosqlError as problem:
                self._due_s = _RETRY_S
                _log.warning("not_told", error=problem.message)

    async def _next(self) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (self._changed, self._stopping)]
        try:
            await asyncio.wait(waits, timeout=self._due_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.error("renewal_died", error=repr(task.exception()))
            self._report_death()
