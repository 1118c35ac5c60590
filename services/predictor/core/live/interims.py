"""Interim results of the running utterance: one in the making at a time, at a bounded rate."""

import asyncio
from collections.abc import Sequence

from services.predictor.core.live.agreement import Agreement
from services.predictor.core.live.decoding import Decoder
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.types import LiveResult
from services.predictor.core.live.words import Word, text_of
from services.predictor.core.ports import Clock

# Share of the words of interim results that were in the final results too: measured, see docs/dictation.md.
SETTLED_STABILITY = 0.6
OPEN_STABILITY = 0.4
_FIRST_INTERVAL_S = 0.1
_Shown = tuple[Sequence[Word], Sequence[Word]]


class Interims:
    """The interim results of one stream.

    Args:
        decoder: Hears the stream.
        limits: How often, and how much is heard.
        clock: Time.
        changed: Set when a result is ready.
    """

    def __init__(self, decoder: Decoder, limits: LiveLimits, clock: Clock, changed: asyncio.Event) -> None:
        self._decoder = decoder
        self._limits = limits
        self._clock = clock
        self._changed = changed
        self._task: asyncio.Task[None] | None = None
        self._next_s = 0.0
        self._heard_until = 0
        self._shown: _Shown = ((), ())
        self._agreement = self._new_agreement()

    @property
    def is_ready(self) -> bool:
        """Whether there is something new to show, or a failure to tell."""
        return self._task is not None and self._task.done()

    @property
    def were_shown(self) -> bool:
        """Whether words of the running utterance were shown."""
        return any(self._shown)

    def start_if_due(self, begin: int, end: int) -> None:
        """Hear the running utterance again where enough has come, and time has passed, since the last time.

        Args:
            begin: Where the utterance begins.
            end: Samples of the stream so far.
        """
        interval_s = self._limits.interim_interval_s if self.were_shown else _FIRST_INTERVAL_S
        enough = end - self._heard_until >= self._decoder.samples(interval_s)
        if self._task is None and enough and self._clock.now() >= self._next_s:
            self._heard_until = end
            self._task = asyncio.get_running_loop().create_task(self._hear(begin), name="interim")

    def newest(self) -> list[LiveResult]:
        """Give the newest result: what is settled, then the rest; nothing where nothing has changed.

        Raises:
            ThanosqlError: What the model raised.
        """
        if self._task is None or not self._task.done():
            return []
        task, self._task = self._task, None
        task.result()
        newest = (tuple(self._agreement.stable), tuple(self._agreement.rest))
        if [text_of(words) for words in newest] == [text_of(words) for words in self._shown]:
            return []
        self._shown = newest
        stabilities = (SETTLED_STABILITY, OPEN_STABILITY)
        return [
            self._result(words, stability)
            for words, stability in zip(newest, stabilities, strict=True)
            if words
        ]

    async def drop(self) -> None:
        """Forget the utterance; what is in the making is taken back."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._agreement, self._shown, self._heard_until = self._new_agreement(), ((), ()), 0

    async def _hear(self, begin: int) -> None:
        begun_s = self._clock.now()
        try:
            heard = await self._decoder.interim(begin, self._agreement.settled_until)
            self._agreement.hear(heard.words, heard.begin, heard.end)
        finally:
            now_s = self._clock.now()
            # Rests as long as it took: on a machine with too much to do, results come less often.
            self._next_s = now_s + (now_s - begun_s)
            self._changed.set()

    def _result(self, words: Sequence[Word], stability: float) -> LiveResult:
        start_s, end_s = self._decoder.seconds(words[0].begin), self._decoder.seconds(words[-1].end)
        return LiveResult(
            text=text_of(words), is_final=False, stability=stability, start_s=start_s, end_s=end_s
        )

    def _new_agreement(self) -> Agreement:
        return Agreement(self._decoder.samples(self._limits.settling_s) // self._decoder.frame_samples)
