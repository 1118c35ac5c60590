"""The clock on the wall."""

import asyncio
import time


class SystemClock:
    """Satisfies `ports.Clock` with the machine's monotonic time."""

    def now(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, timeout_s: float | None) -> None:
        """Return when the event is set, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return
