"""One thread with an event loop, so that synchronous callers can use asynchronous code anywhere.

Jupyter runs a loop of its own in the main thread; a second thread is what works in both places.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")

# What is cancelled ends within milliseconds, since no server is asked; a busy machine may take seconds.
_CANCEL_WAIT_S = 10.0
_FOR_EVER_S = -1.0  # as a lock takes it


class BackgroundLoop:
    """An event loop in a daemon thread; the thread starts with the first call.

    An interrupt can strike the calling thread between any two of its steps, so every step here leaves
    things in order, and calls wait only for locks of C: those written in Python, as futures and events
    have, stay locked for ever when the interrupt comes in the middle of locking them. Starting the thread
    waits for such a lock, so an interrupt there can leave a thread behind, in which nothing runs.

    Args:
        cancel_wait_s: How long an interrupted caller waits for the end of what it has cancelled.
    """

    def __init__(self, cancel_wait_s: float = _CANCEL_WAIT_S) -> None:
        self._cancel_wait_s = cancel_wait_s
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
        self._stopping = asyncio.Event()
        self._owner = os.getpid()

    # The second and third parameter of a coroutine are of no interest here.
    def run(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run a coroutine to the end and answer what came out.

        An interrupt cancels the coroutine and waits until its own cleaning up is done, within limits;
        a second one ends the waiting.

        Args:
            make: Makes the coroutine; called in the loop's thread.

        Raises:
            CancelledError: The loop was stopped, before or meanwhile.
            RuntimeError: In a forked child: neither the thread nor gRPC's own threads came along.
        """
        if self._owner != os.getpid():
            raise RuntimeError("a client does not survive fork; start the process with 'spawn' instead")
        call = _Call(make)
        try:
            self._start(call)
            return call.result()
        except BaseException:
            try:
                call.cancel()
                call.wait(self._cancel_wait_s)
            finally:
                call.cancel()  # where a second interrupt was faster than the first time
            raise

    def stop(self) -> None:
        """End the thread for good; what still runs in it is cancelled. Where interrupted, call it again."""
        if self._owner != os.getpid():
            return
        with self._lock:
            self._stopped = True
            if self._loop is not None:
                _post(self._loop, self._stopping.set)

    def _start(self, call: "_Call[Any]") -> None:
        # Under the lock every call comes before the stop, so that the stop finds and cancels it.
        with self._lock:
            if self._stopped:
                raise CancelledError
            if self._loop is None:
                self._loop, self._stopping = _serving_loop()
            call.loop = self._loop
            self._loop.call_soon_threadsafe(call.begin)


class _Call(Generic[_T]):
    """A coroutine for the thread of a loop, and its outcome for the thread that waits.

    Attributes:
        loop: Where it runs or is about to; `None` once it has ended, its own cleaning up included.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._make = make
        self._task: asyncio.Task[_T] | None = None
        self._end = threading.Lock()  # held until the end
        self._end.acquire()

    def begin(self) -> None:
        """Start; in the loop's thread."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._settle)

    def cancel(self) -> None:
        """Make it end soon; in the thread that made the call, once or more often."""
        if (loop := self.loop) is not None:
            _post(loop, self._cancel)

    def wait(self, timeout_s: float = _FOR_EVER_S) -> None:
        """Wait for the end; in the thread that made the call."""
        if self.loop is not None:
            self._end.acquire(timeout=timeout_s)

    def result(self) -> _T:
        """Wait for the end and answer what came out."""
        self.wait()
        if self._task is None or self._task.cancelled():
            raise CancelledError
        return self._task.result()

    def _cancel(self) -> None:
        if self._task is None:  # what was not begun by now will never be
            self._release()
        elif not self._task.cancelling():  # a second time would disturb its cleaning up
            self._task.cancel()

    async def _run(self) -> _T:
        # Within the task, so that a failure in making the coroutine reaches the caller too.
        return await self._make()

    def _settle(self, task: asyncio.Task[_T]) -> None:
        if not task.cancelled():
            task.exception()  # asyncio complains of failures that nobody has looked at
        self._release()

    def _release(self) -> None:
        if self.loop is not None:
            self.loop = None
            self._end.release()


def _post(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and everything in it
        loop.call_soon_threadsafe(callback)


def _serving_loop() -> tuple[asyncio.AbstractEventLoop, asyncio.Event]:
    """A loop whose thread has started, and what ends it."""
    loop, stopping = asyncio.new_event_loop(), asyncio.Event()
    threading.Thread(target=_serve, args=(loop, stopping), name="thanosql", daemon=True).start()
    return loop, stopping


def _serve(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(_serve_until(stopping))
    finally:
        loop.close()


async def _serve_until(stopping: asyncio.Event) -> None:
    await stopping.wait()
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task(loop)}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await loop.shutdown_asyncgens()
