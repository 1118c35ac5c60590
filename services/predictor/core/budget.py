"""How much decoded audio may be in memory at once, over all callers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class SampleBudget:
    """Counts samples in memory; who would exceed the limit waits for others to finish.

    A recording larger than the whole budget is let in alone rather than never.
    """

    def __init__(self, limit_samples: int) -> None:
        self._limit_samples = limit_samples
        self._used_samples = 0
        self._freed = asyncio.Event()

    @property
    def used_samples(self) -> int:
        """Samples in memory now."""
        return self._used_samples

    @asynccontextmanager
    async def hold(self, samples: int) -> AsyncIterator[None]:
        """Hold room for a recording."""
        while self._used_samples and self._used_samples + samples > self._limit_samples:
            self._freed.clear()
            await self._freed.wait()
        self._used_samples += samples
        try:
            yield
        finally:
            self._used_samples -= samples
            self._freed.set()
