"""Something that must be told again and again: at once when it changed, and before it is forgotten."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

import structlog

from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("renewal")
_RENEWALS = 3.0
_RETRY_S = 5.0

Tell = Callable[[bool], Awaitable[float]]
"""Tells how things stand, or that nothing stands any more; answers how many seconds that is remembered."""


def this_process(service: str) -> str:
    """Name this process so that people find it."""
    return f"{service} on {socket.gethostname()}, process {os.getpid()}"


class Renewal:
    """Tells until the server stops, and then that nothing stands any more.

    Args:
        tell: Tells it; only one call at a time.
        stopping: Set once the server begins to stop.
        report_death: Called when the renewing ends by a bug.
    """

    def __init__(self, tell: Tell, stopping: asyncio.Event, report_death: Callable[[], None]) -> None:
        self._tell = tell
        self._stopping = stopping
        self._report_death = report_death
        self._changed = asyncio.Event()
        self._telling = asyncio.Lock()
        self._due_s = _RETRY_S
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
            self._due_s = await self._tell(self._stopping.is_set()) / _RENEWALS

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
