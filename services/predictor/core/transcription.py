"""Rows and recordings into transcripts or embeddings: read, decode, hear; a bad recording fails alone."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog

from services.predictor.core.admission import Gate
from services.predictor.core.budget import SampleBudget
from services.predictor.core.contents import Content, open_content, open_recording
from services.predictor.core.decoding.beam.decoding import Beam
from services.predictor.core.decoding.types import Detail
from services.predictor.core.flow import answer_each
from services.predictor.core.hearing import Counted, Outcome, Transcribing, counted, embed, transcribe
from services.predictor.core.kept_transcripts import KeptTranscript, StreamTranscripts
from services.predictor.core.loaded_model import LoadedModel
from services.predictor.core.ports import Clock, Recordings
from services.predictor.core.types import Embedding, Row, RowAnswer, Transcript
from thanosql_audio.decoding import decode
from thanosql_audio.types import Audio
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("transcription")

Heard = TypeVar("Heard", Transcript, Embedding)
Made = TypeVar("Made")
_TEXT_ALONE = Detail()
Hear = Callable[[Audio, float | None], Awaitable[Heard]]
"""Makes an answer of samples, before a deadline where there is one."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one caller and all callers may use.

    Attributes:
        max_streams: Streams of rows at once.
        max_calls: Calls with one recording at once.
        rows_in_flight: Rows of one stream that are read, decoded or computed at once.
        decode_workers: Threads that read and decode.
        max_duration_s: Longest recording.
        decoded_samples: Decoded samples in memory, over all callers.
        recognize_bytes: Largest recording sent as bytes.
    """

    max_streams: int = 32
    max_calls: int = 256
    rows_in_flight: int = 8
    decode_workers: int = 2
    max_duration_s: float = 3600.0
    decoded_samples: int = 1 << 27
    recognize_bytes: int = 3 << 20


class Transcriber:
    """Transcribes and embeds with any loaded model.

    Callers enter `streams` or `calls` first, which bounds the queues.

    Args:
        recordings: The users' recordings.
        limits: See there.
        clock: Time.
    """

    def __init__(self, *, recordings: Recordings, limits: Limits, clock: Clock) -> None:
        self._recordings = recordings
        self._limits = limits
        self._clock = clock
        self._pool = ThreadPoolExecutor(limits.decode_workers, "decode")
        self._workers = asyncio.Semaphore(limits.decode_workers)
        self._budget = SampleBudget(limits.decoded_samples)
        self.streams = Gate(limits.max_streams, "statements")
        self.calls = Gate(limits.max_calls, "recordings")

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def answer_rows(
        self,
        model: Transcribing,
        rows: AsyncIterator[Row],
        kept: StreamTranscripts | None = None,
        beam: Beam | None = None,
        detail: Detail = _TEXT_ALONE,
    ) -> AsyncGenerator[RowAnswer[Transcript | KeptTranscript], None]:
        """Answer every row once, in any order; closing the iterator drops the rows in flight.

        Args:
            model: What hears them.
            rows: Read to the end.
            kept: Where transcripts are looked for first, and kept; None for neither.
            beam: How labels become text; None for the best label of every frame.
            detail: What is told beside the text.
        """
        to_text = partial(transcribe, model, beam, detail)

        async def hear(row: Row) -> Transcript | KeptTranscript:
            if kept is None:
                return await self._hear_row(model, to_text, row)
            return await self._find_or_hear(model, to_text, kept, row)

        return answer_each(rows, partial(self._answer_row, model, hear), self._limits.rows_in_flight)

    def embed_rows(
        self, model: LoadedModel, rows: AsyncIterator[Row]
    ) -> AsyncGenerator[RowAnswer[Embedding], None]:
        """Answer every row once with an embedding, as `answer_rows` does with a transcript."""

        async def hear(row: Row) -> Embedding:
            return await self._hear_row(model, partial(embed, model), row)

        return answer_each(rows, partial(self._answer_row, model, hear), self._limits.rows_in_flight)

    async def recognize(
        self,
        model: Transcribing,
        audio: bytes,
        timeout_s: float | None,
        beam: Beam | None = None,
        detail: Detail = _TEXT_ALONE,
    ) -> Transcript:
        """Transcribe one short recording.

        Args:
            model: What hears it.
            audio: A file's bytes.
            timeout_s: When the caller gives up; a recording that still waits then is not computed.
            beam: As for `answer_rows`.
            detail: As for `answer_rows`.
        """
        if len(audio) > self._limits.recognize_bytes:
            limit = self._limits.recognize_bytes
            text = f"the recording has {len(audio)} bytes, {limit} at most are taken; put it in a table"
            raise error(Reason.INVALID_ARGUMENT, text)
        deadline_s = None if timeout_s is None else self._clock.now() + timeout_s
        hear = partial(transcribe, model, beam, detail)
        decoding = partial(
            decode, audio, sample_rate_hz=model.sample_rate_hz, max_duration_s=self._limits.max_duration_s
        )
        return await counted(model, self._heard(model, hear, decoding, deadline_s))

    async def _answer_row(
        self, model: Counted, hear: Callable[[Row], Awaitable[Outcome]], row: Row
    ) -> RowAnswer[Outcome]:
        try:
            heard = await counted(model, hear(row))
        except ThanosqlError as failure:
            return RowAnswer(row_key=row.row_key, outcome=failure)
        except Exception as failure:  # noqa: BLE001 - one row must not end the others
            _log.exception("row failed unexpectedly", row_key=row.row_key)
            text = (
                f"this row failed unexpectedly ({type(failure).__name__}); the server's log has the details"
            )
            return RowAnswer(row_key=row.row_key, outcome=error(Reason.INTERNAL, text))
        return RowAnswer(row_key=row.row_key, outcome=heard)

    async def _hear_row(self, model: Counted, hear: Hear[Heard], row: Row) -> Heard:
        decoding = partial(self._read, row.audio_path, model.sample_rate_hz)
        return await self._heard(model, hear, decoding, None)

    async def _find_or_hear(
        self, model: Counted, hear: Hear[Transcript], kept: StreamTranscripts, row: Row
    ) -> Transcript | KeptTranscript:
        """Take what is kept of a recording; where another row is at the same one, wait and look again."""
        while True:
            async with AsyncExitStack() as held:
                async with self._workers, AsyncExitStack() as opened:
                    opening = partial(open_content, self._recordings, row.audio_path)
                    content = await self._in_pool(model, opening)
                    opened.callback(content.close)
                    in_work = kept.in_work(content.sha256)
                    if in_work is None:
                        # Claimed before it is looked for: whoever claims it next finds what this one notes.
                        held.enter_context(kept.claimed(content.sha256))
                        if found := await kept.find(content.sha256):
                            return found
                        opened.pop_all()  # what decodes closes it
                        decoding = partial(self._decode_content, content, model.sample_rate_hz)
                        audio, is_unchanged = await self._in_pool(model, decoding)
                        await held.enter_async_context(self._budget.hold(len(audio.samples)))
                if in_work is None:
                    transcript = await hear(audio, None)
                    if is_unchanged:
                        kept.note(content.sha256, transcript)
                    return transcript
            await in_work.wait()

    async def _heard(
        self, model: Counted, hear: Hear[Heard], decoding: Callable[[], Audio], deadline_s: float | None
    ) -> Heard:
        async with self._decoded(model, decoding) as audio:
            return await hear(audio, deadline_s)

    @asynccontextmanager
    async def _decoded(self, model: Counted, decoding: Callable[[], Audio]) -> AsyncIterator[Audio]:
        """Decode, and hold the samples within the budget of all callers.

        A worker's place is given back only when the samples fit: while they do not, nobody decodes more.
        """
        async with AsyncExitStack() as held:
            async with self._workers:
                audio = await self._in_pool(model, decoding)
                await held.enter_async_context(self._budget.hold(len(audio.samples)))
            yield audio

    async def _in_pool(self, model: Counted, reading: Callable[[], Made]) -> Made:
        """Read or decode in a thread; whoever calls it has a worker's place."""
        begun_s = self._clock.now()
        made = await asyncio.get_running_loop().run_in_executor(self._pool, reading)
        model.counters.decode_s += self._clock.now() - begun_s
        return made

    def _read(self, path: str, sample_rate_hz: int) -> Audio:
        with open_recording(self._recordings, path) as source:
            return decode(source, sample_rate_hz=sample_rate_hz, max_duration_s=self._limits.max_duration_s)

    def _decode_content(self, content: Content, sample_rate_hz: int) -> tuple[Audio, bool]:
        """Decode a recording and close it; answers also whether it is still what was digested."""
        limit_s = self._limits.max_duration_s
        with closing(content):
            audio = decode(content.source, sample_rate_hz=sample_rate_hz, max_duration_s=limit_s)
            return audio, content.is_unchanged()
