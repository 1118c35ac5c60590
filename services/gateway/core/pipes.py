"""A bounded queue between a task that makes items and the one that takes them.

One task owns the making: it is cancelled and awaited when the taker leaves, so that whatever it
holds open is closed in its own task, at a known time.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class _End:
    """Stands behind the last item."""


class Pipe(Generic[T]):
    """At most `depth` items made and not yet taken."""

    def __init__(self, depth: int) -> None:
        self._queue: asyncio.Queue[T | _End] = asyncio.Queue(maxsize=depth)
        self.failure: Exception | None = None

    async def put(self, item: T) -> None:
        """Add an item; waits while the pipe is full."""
        await self._queue.put(item)

    @asynccontextmanager
    async def fed_by(self, make: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Run `make`, which calls `put`, in a task of its own until it or the body ends."""
        task = asyncio.create_task(self._feed(make))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def items(self) -> AsyncIterator[T]:
        """The items in order; raises what `make` raised after the items made before."""
        while not isinstance(item := await self._queue.get(), _End):
            yield item
        if self.failure is not None:
            raise self.failure

    async def _feed(self, make: Callable[[], Awaitable[None]]) -> None:
        try:
            await make()
        except Exception as failure:  # noqa: BLE001 - handed to the taker, whatever it is
            self.failure = failure
        await self._queue.put(_End())
