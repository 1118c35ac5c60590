"""What a caller has sent and nobody has listened to yet: bounded, so that a fast caller is slowed down."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.predictor.core.live.types import Part
from services.predictor.core.ports import Clock

_MOST_PARTS = 4096


class Inbox:
    """Parts in order; audio that has piled up is handed over in one piece.

    Args:
        audio_bytes: Most audio inside; one message may exceed it.
        clock: Time.
        changed: Set at every change.

    `newest_s` is when audio came last: empty audio and wishes for an end keep no stream open.
    """

    def __init__(self, audio_bytes: int, clock: Clock, changed: asyncio.Event) -> None:
        self.closed = False
        self.failure: Exception | None = None
        self.newest_s = clock.now()
        self._audio_bytes = audio_bytes
        self._clock = clock
        self._changed = changed
        self._parts: deque[Part] = deque()
        self._used_bytes = 0
        self._taken = asyncio.Event()

    @asynccontextmanager
    async def filled_from(self, parts: AsyncIterator[Part]) -> AsyncIterator[None]:
        """Read parts in a task of its own for the time of the block."""
        task = asyncio.get_running_loop().create_task(self._read(parts), name="live audio")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there."""
        return not self._parts

    def take(self) -> Part | None:
        """Take what is next; None where nothing is there."""
        if not self._parts:
            return None
        part = self._parts.popleft()
        if isinstance(part, bytes):
            audio = [part]
            while self._parts and isinstance(self._parts[0], bytes):
                audio.append(self._parts.popleft())  # type: ignore[arg-type]  # looked at just before
            part = b"".join(audio)
            self._used_bytes -= len(part)
        self._taken.set()
        return part

    async def _read(self, parts: AsyncIterator[Part]) -> None:
        try:
            async for part in parts:
                await self._put(part)
        except Exception as failure:  # noqa: BLE001 - handed to the stream, whatever it is
            self.failure = failure
        self.closed = True
        self._changed.set()

    async def _put(self, part: Part) -> None:
        """Add a part, then wait for room for the next one: whoever stops reading loses none."""
        if isinstance(part, bytes):
            if not part:
                return
            self._used_bytes += len(part)
            self.newest_s = self._clock.now()
        self._parts.append(part)
        self._changed.set()
        while self._used_bytes >= self._audio_bytes or len(self._parts) >= _MOST_PARTS:
            self._taken.clear()
            await self._taken.wait()
