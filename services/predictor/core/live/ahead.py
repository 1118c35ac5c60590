"""Final results begun ahead: once somebody pauses, before the pause is long enough to end the utterance."""

import asyncio

from services.predictor.core.live.decoding import Decoder, Heard
from services.predictor.core.live.endpointing import Utterance


class Ahead:
    """The final result of the running utterance, if nobody speaks any more.

    What a final result hears ends soon behind the last speech: it is the same before the endpoint and at it.

    Args:
        decoder: Hears the stream.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._place: tuple[int, int] | None = None
        self._task: asyncio.Task[Heard] | None = None

    async def follow(self, paused: Utterance | None) -> None:
        """Begin where somebody pauses; take it back where somebody goes on.

        Args:
            paused: The running utterance as it is if nobody speaks any more; None while somebody does.
        """
        place = (paused.begin, paused.heard_until) if paused is not None else None
        if place == self._place:
            return
        await self.drop()
        if paused is not None and paused.is_speech:
            self._place = place
            self._task = asyncio.get_running_loop().create_task(self._decoder.final(paused), name="final")

    async def take(self, utterance: Utterance) -> Heard:
        """Give the final result of an utterance that has ended, begun ahead or now.

        Raises:
            ThanosqlError: What the model raised.
        """
        if self._task is None or utterance.is_cut or self._place != (utterance.begin, utterance.heard_until):
            await self.drop()
            return await self._decoder.final(utterance)
        try:
            return await self._task
        finally:
            await self.drop()

    async def drop(self) -> None:
        """Take back what was begun."""
        task, self._task, self._place = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
