"""Waits out the absence of other services and of the object store, and says so."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.trainer.core.board import JobBoard
from services.trainer.core.uninterrupted import is_being_cancelled
from thanosql_runtime.errors import Reason, ThanosqlError

_Result = TypeVar("_Result")

_AWAY = frozenset({Reason.PEER_UNAVAILABLE, Reason.STORE_UNAVAILABLE, Reason.DEADLINE_EXCEEDED})
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 30.0
# Work that went on for so long before it failed did not meet the same outage again.
_NEW_OUTAGE_S = 120.0


class Patience:
    """Asks again.

    Args:
        board: Where the job stands.
        outage_limit_s: Longest absence that is waited out.
        first_delay_s: Wait before the first repetition; each is twice the one before.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        board: JobBoard,
        *,
        outage_limit_s: float,
        first_delay_s: float = _FIRST_DELAY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._outage_limit_s = outage_limit_s
        self._first_delay_s = first_delay_s
        self._clock = clock

    async def until_done(self, job_id: str, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Do some work of a job, again and again while somebody that it needs is away.

        Raises:
            ThanosqlError: What the work raises: at once where nobody is away, or when the limit is over.
        """
        since_s, delay_s = self._clock(), self._first_delay_s
        while True:
            begun_s = self._clock()
            try:
                return await work()
            except ThanosqlError as failure:
                now_s = self._clock()
                if now_s - begun_s > _NEW_OUTAGE_S:
                    since_s, delay_s = now_s, self._first_delay_s
                over = now_s - since_s >= self._outage_limit_s
                if failure.reason not in _AWAY or over or is_being_cancelled():
                    raise
                if delay_s == self._first_delay_s:
                    message = f"{failure.message}; tried again for {self._outage_limit_s:g} s"
                    await self._board.notify(job_id, message)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
