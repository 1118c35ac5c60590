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

_CANCEL_WAIT_S = 30.0
_FOR_EVER_S = -1.0  # as a lock takes it


class BackgroundLoop:
    """An event loop in a daemon thread; the thread starts with the first call.

    An interrupt can strike the calling thread between any two of its steps, so every step here leaves
    things in order, and only locks of C are waited for: those written in Python, as futures and events
    have, stay locked for ever when the interrupt comes in the middle of locking them.

    Args:
        cancel_wait_s: How long an interrupted caller waits for the end of what it has cancelled.
    """

    def __init__(self, cancel_wait_s: float = _CANCEL_WAIT_S) -> None:
        self._cancel_wait_s = cancel_wait_s
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped = False
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
            self._cancel(call)
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

    def _start(self, call: "_Call[Any]") -> None:
        # Under the lock every call comes before the stop, so that the stop finds and cancels it.
        with self._lock:
            if self._stopped:
                raise CancelledError
            if self._loop is None:
                self._loop = _serving_loop()
            call.loop = self._loop
            self._loop.call_soon_threadsafe(call.begin)

    def _cancel(self, call: "_Call[Any]") -> None:
        if call.ended or call.loop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has just ended, and this call with it
            call.loop.call_soon_threadsafe(call.cancel)
        call.wait(self._cancel_wait_s)


class _Call(Generic[_T]):
    """A coroutine for the thread of a loop, and its outcome for the thread that waits.

    Attributes:
        loop: Where it runs, or is about to.
        ended: True once it has really ended, its own cleaning up included.
    """

    def __init__(self, make: Callable[[], Coroutine[Any, Any, _T]]) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._make = make
        self._task: asyncio.Task[_T] | None = None
        self.ended = False
        self._end = threading.Lock()  # held until the end
        self._end.acquire()

    def begin(self) -> None:
        """Start; in the loop's thread."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._settle)

    def cancel(self) -> None:
        """Make it end; in the loop's thread, where what was not begun by now will never be."""
        if self._task is not None:
            self._task.cancel()
        else:
            self._release()

    def wait(self, timeout_s: float = _FOR_EVER_S) -> None:
        """Wait for the end; in the thread that made the call."""
        if not self.ended:
            self._end.acquire(timeout=timeout_s)

    def result(self) -> _T:
        """Wait for the end and answer what came out."""
        self.wait()
        if self._task is None or self._task.cancelled():
            raise CancelledError
        return self._task.result()

    async def _run(self) -> _T:
        return await self._make()

    def _settle(self, task: asyncio.Task[_T]) -> None:
        if not task.cancelled():
            task.exception()  # asyncio complains of failures that nobody has looked at
        self._release()

    def _release(self) -> None:
        self.ended = True
        self._end.release()


def _serving_loop() -> asyncio.AbstractEventLoop:
    """A loop whose thread has started."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=_serve, args=(loop,), name="thanosql", daemon=True).start()
    return loop


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
