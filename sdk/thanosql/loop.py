"""One thread with an event loop, so that synchronous callers can use asynchronous code anywhere.

Jupyter runs a loop of its own in the main thread; a second thread is what works in both places.
"""

import asyncio
import concurrent.futures
import contextlib
import os
import threading
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")

_CANCEL_WAIT_S = 5.0


class BackgroundLoop:
    """An event loop in a daemon thread; the thread starts with the first call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._owner = os.getpid()

    # The second and third parameter of a coroutine are of no interest here.
    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run to the end and answer what came out.

        An interrupt cancels the coroutine and waits until its own cleaning up is done.

        Raises:
            CancelledError: The loop was stopped, before or meanwhile.
            RuntimeError: In a forked child: neither the thread nor gRPC's own threads came along.
        """
        if self._owner != os.getpid():
            coroutine.close()
            raise RuntimeError("a client does not survive fork; start the process with 'spawn' instead")
        call = self._begin(coroutine)
        try:
            return call.outcome.result()
        except BaseException:
            if not call.outcome.done():
                call.cancel()
                concurrent.futures.wait([call.outcome], timeout=_CANCEL_WAIT_S)
            raise

    def stop(self) -> None:
        """End the thread for good; what still runs in it is cancelled."""
        if self._owner != os.getpid():
            return
        with self._lock:
            self._stopped = True
            loop, self._loop = self._loop, None
            if loop is not None:
                loop.call_soon_threadsafe(loop.stop)

    def _begin(self, coroutine: Coroutine[Any, Any, _T]) -> "_Call[_T]":
        # Under the lock every call comes before the stop, so that the stop finds and cancels it.
        with self._lock:
            if self._stopped:
                coroutine.close()
                raise concurrent.futures.CancelledError
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_serve, args=(self._loop,), name="thanosql", daemon=True).start()
            return _Call(self._loop, coroutine)


class _Call(Generic[_T]):
    """A coroutine handed to another thread; `outcome` is settled once it has really ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, _T]) -> None:
        self.outcome: concurrent.futures.Future[_T] = concurrent.futures.Future()
        self._loop = loop
        self._coroutine = coroutine
        self._task: asyncio.Task[_T] | None = None
        loop.call_soon_threadsafe(self._begin)

    def cancel(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has just ended, and this call with it
            self._loop.call_soon_threadsafe(self._cancel)

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._coroutine)
        self._task.add_done_callback(self._end)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: asyncio.Task[_T]) -> None:
        if task.cancelled():
            self.outcome.set_exception(concurrent.futures.CancelledError())
        elif (failure := task.exception()) is not None:
            self.outcome.set_exception(failure)
        else:
            self.outcome.set_result(task.result())


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(_end_all(loop))
        loop.close()


async def _end_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
