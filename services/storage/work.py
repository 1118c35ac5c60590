"""Blocking work off the event loop: short steps of queries apart from long commands.

A table that is made from a query occupies one thread for its commit while its query needs others:
with one pool for both, enough such statements would wait for each other for ever.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Generic, ParamSpec, Protocol, TypeVar
from weakref import WeakValueDictionary

from services.storage.core.cancelling import Cancellation
from services.storage.core.names import fold


class Closable(Protocol):
    """Something that must be given back."""

    def close(self) -> None:
        """Give it back."""


_P = ParamSpec("_P")
_T = TypeVar("_T")
_C = TypeVar("_C", bound=Closable)
# Handing a step to a thread and back takes longer than small items do.
_STEP_S = 0.005
_STEP_ITEMS = 4
# Of 1 MB each, say. A thread that waits to be asked for the next one stands still for a tenth of its time.
_ITEMS_AHEAD = 4


@dataclass(frozen=True, kw_only=True)
class Step(Generic[_T]):
    """Items that were computed one after another, and what came behind them."""

    items: list[_T]
    is_last: bool = False
    failure: Exception | None = None


class _Ahead(Generic[_T]):
    """Items that are computed a few ahead of who takes them; between two of them their thread is free."""

    def __init__(self, items: Iterable[_T], executor: Executor) -> None:
        self._iterator = iter(items)
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._computed: asyncio.Queue[Step[_T]] = asyncio.Queue()
        self._guard = threading.Lock()
        self._room = _ITEMS_AHEAD
        self._is_computing = False
        self._is_over = False

    async def take(self) -> Step[_T]:
        """Take the next item; none in the last step."""
        self._go_on()
        step = await self._computed.get()
        with self._guard:
            self._room += 1
        self._go_on()
        return step

    def leave(self) -> None:
        """Compute no other item; the one that is being computed goes to nobody."""
        with self._guard:
            self._is_over = True

    def _go_on(self) -> None:
        with self._guard:
            if self._is_computing or self._is_over or not self._room:
                return
            self._is_computing = True
            self._room -= 1
        self._executor.submit(self._compute)

    def _compute(self) -> None:
        step = take_step(self._iterator, most_items=1)
        with self._guard:  # Posted under it, or the thread that computes the next one may post that first.
            self._loop.call_soon_threadsafe(self._computed.put_nowait, step)
            self._is_computing = False
            self._is_over = self._is_over or not step.items
        self._go_on()


class Work:
    """The threads of the storage service."""

    def __init__(self, *, query_threads: int, command_threads: int) -> None:
        self._queries = ThreadPoolExecutor(query_threads, thread_name_prefix="storage-query")
        self._commands = ThreadPoolExecutor(command_threads, thread_name_prefix="storage-command")
        self._closings = ThreadPoolExecutor(query_threads, thread_name_prefix="storage-close")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def turn(self, table: str) -> AsyncIterator[None]:
        """Be the one whose command changes the table; who waits for that occupies no thread."""
        async with self._turns.setdefault(fold(table), asyncio.Lock()):
            yield

    async def step(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a step of a query, or anything else that is short."""
        return await _run(self._queries, partial(function, *args, **kwargs))

    async def command(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run something that may be long, such as a copy or a commit."""
        return await _run(self._commands, partial(function, *args, **kwargs))

    async def change(self, function: Callable[[Cancellation], _T]) -> _T:
        """Run a command that heeds a cancellation, which comes when the caller is cancelled.

        The caller is let go only when the command has ended, so that it may hand over what it closes then.
        """
        cancellation = Cancellation()
        running = self._commands.submit(function, cancellation)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            cancellation.cancel()
            if not running.cancelled():
                await asyncio.gather(asyncio.wrap_future(running), return_exceptions=True)
            raise

    async def opened(self, function: Callable[[], _C]) -> _C:
        """Make something that must be closed; it is, even if the caller is cancelled meanwhile."""
        making = self._queries.submit(function)
        try:
            return await asyncio.wrap_future(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._close_unclaimed)
            raise

    async def close_resource(self, resource: Closable) -> None:
        """Close something, behind no query and no command that is at work."""
        await asyncio.shield(_run(self._closings, resource.close))

    async def iterate(self, items: Iterable[_T], begun: Step[_T] | None = None) -> AsyncIterator[_T]:
        """Yield the items, computed in steps: one for each, or for some that come at once.

        Args:
            items: What is yielded.
            begun: The first step, where it has been taken.
        """
        iterator = iter(items)
        step = await self.step(take_step, iterator) if begun is None else begun
        del begun  # Its items are not kept for as long as the others take.
        while True:
            for item in step.items:
                yield item
            if step.failure is not None:
                raise step.failure
            if step.is_last:
                return
            step = await self.step(take_step, iterator)

    async def iterate_ahead(self, items: Iterable[_T]) -> AsyncGenerator[_T, None]:
        """Yield the items; a few are computed while the caller is at those before."""
        ahead = _Ahead(items, self._queries)
        try:
            while (step := await ahead.take()).items:
                yield step.items[0]
            if step.failure is not None:
                raise step.failure
        finally:
            ahead.leave()

    def _close_unclaimed(self, making: "Future[_C]") -> None:
        if not making.cancelled() and making.exception() is None:
            self._closings.submit(making.result().close)

    def close(self) -> None:
        """Release the threads; what runs ends first."""
        self._closings.shutdown(wait=False)
        self._queries.shutdown(wait=False, cancel_futures=True)
        self._commands.shutdown(wait=False, cancel_futures=True)


def take_step(iterator: Iterator[_T], most_items: int = _STEP_ITEMS) -> Step[_T]:
    """Compute an item, and those that come at once behind it."""
    items: list[_T] = []
    until_s = time.monotonic() + _STEP_S
    try:
        for item in iterator:
            items.append(item)
            if len(items) >= most_items or time.monotonic() >= until_s:
                return Step(items=items)
    except Exception as problem:  # noqa: BLE001 - raised behind the items before it
        return Step(items=items, failure=problem)
    return Step(items=items, is_last=True)


async def _run(executor: Executor, function: Callable[[], _T]) -> _T:
    return await asyncio.get_running_loop().run_in_executor(executor, function)
