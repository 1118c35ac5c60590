"""Chunks that end with the first Ctrl-C, so that the last words are still heard; a second one interrupts."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

_CHUNKS_AHEAD = 4


class Stoppable:
    """An iterator whose end may come while its source waits for a microphone.

    The source is read in a daemon thread, for which nobody waits.

    Args:
        source: The chunks.
    """

    def __init__(self, source: Iterable[bytes]) -> None:
        self.stopped = False
        self._source = source
        # Its `put` may be called where a signal has interrupted another one.
        self._queue: SimpleQueue[bytes | Exception | None] = SimpleQueue()
        self._room = threading.Semaphore(_CHUNKS_AHEAD)

    def __iter__(self) -> Iterator[bytes]:
        threading.Thread(target=self._read, name="thanosql microphone", daemon=True).start()
        while (item := self._queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item
            self._room.release()

    @contextmanager
    def ends_at_interrupt(self) -> Iterator[None]:
        """Take the first Ctrl-C within the block as the end; elsewhere than in the main thread none comes."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupted(self, *_signal: object) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        self._queue.put(None)

    def _read(self) -> None:
        end: Exception | None = None
        try:
            for chunk in self._source:
                self._room.acquire()
                self._queue.put(chunk)
        except Exception as failure:  # noqa: BLE001 - raised again where the chunks are taken
            end = failure
        self._queue.put(end)
