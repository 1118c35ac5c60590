"""A predictor behind the port that core defines, which answers in an order drawn by a test."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.gateway.core.pipes import Pipe
from services.gateway.core.plan_parts import Detail
from services.gateway.core.plans import AS_SPOKEN, BeamSearch, SpeechWish
from services.gateway.core.ports import SendRow
from services.gateway.core.records import InputRow, ModelVersion, RowAnswer, Transcription
from thanosql_runtime.errors import Reason, error


class ShufflingPredictor:
    """Answers what waits in any order; paths with `bad` fail.

    After `break_after` answers the stream fails, or just ends.
    """

    def __init__(self, seed: int, break_after: int | None = None, just_ends: bool = False) -> None:
        self._random = random.Random(seed)
        self._break_after = break_after
        self._just_ends = just_ends
        self.unanswered = 0
        self.most_unanswered = 0
        self.streams = 0

    @asynccontextmanager
    async def transcribe(
        self,
        precision: str,
        model: str,
        version: int,
        send_rows: Callable[[SendRow], Awaitable[None]],
        *,
        reuse: bool = False,
        beam: BeamSearch | None = None,
        detail: Detail | None = None,
        wish: SpeechWish = AS_SPOKEN,
    ) -> AsyncIterator[Transcription]:
        pipe: Pipe[InputRow] = Pipe(1)
        self.streams += 1
        try:
            async with pipe.fed_by(lambda: send_rows(pipe.put)):
                answers = self._answers(pipe)
                yield Transcription(model=ModelVersion(name=model, version=1, kind="BASE"), answers=answers)
        finally:
            self.streams -= 1

    async def _answers(self, pipe: Pipe[InputRow]) -> AsyncIterator[RowAnswer]:
        arrived: list[InputRow] = []

        async def gather() -> None:
            async for row in pipe.items():
                arrived.append(row)
                self.most_unanswered = max(self.most_unanswered, len(arrived))

        gathering = asyncio.create_task(gather())
        answered = 0
        try:
            while not (gathering.done() and not arrived):
                for _ in range(self._random.randrange(6)):
                    await asyncio.sleep(0)
                if not arrived:
                    await asyncio.sleep(0)
                    continue
                if answered == self._break_after and self._just_ends:
                    return
                if answered == self._break_after:
                    raise error(Reason.PEER_UNAVAILABLE, "the predictor is gone")
                answered += 1
                yield _answer(arrived.pop(self._random.randrange(len(arrived))))
            await gathering
        finally:
            gathering.cancel()


def _answer(row: InputRow) -> RowAnswer:
    if "bad" in row.content:
        return RowAnswer(key=row.key, reason="AUDIO_UNREADABLE", message="not audio")
    return RowAnswer(key=row.key, text=f"heard {row.content}", audio_s=1.0)
