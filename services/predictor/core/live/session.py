"""One stream of live audio: from bytes to results, until the caller has finished or somebody ends it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import numpy as np

from services.predictor.core.live.ahead import Ahead
from services.predictor.core.live.arriving import Arriving, Tape
from services.predictor.core.live.decoding import Decoder, Heard
from services.predictor.core.live.endpointing import Endpointer, Utterance
from services.predictor.core.live.inbox import Inbox
from services.predictor.core.live.interims import Interims
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.ports import LiveModel, VoiceDetector
from services.predictor.core.live.types import Finalize, LiveConfig, LiveResult, Part
from services.predictor.core.live.voice import STEP_SAMPLES
from services.predictor.core.live.words import text_of
from services.predictor.core.ports import Clock
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import Reason, ThanosqlError, error

Endings = Mapping[asyncio.Event, Callable[[], ThanosqlError]]
"""Events that end a stream, and what its caller is told."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What all streams share.

    Attributes:
        limits: What one may use.
        clock: Time.
        threads: Where audio is converted and voices are looked for.
        endings: What ends every stream.
    """

    limits: LiveLimits
    clock: Clock
    threads: Executor
    endings: Endings


class Dictation:
    """Listens to one stream.

    Args:
        model: Held for the time of the stream.
        voice: For this stream alone.
        config: How to listen.
        surroundings: What all streams share.
    """

    def __init__(
        self, model: LiveModel, voice: VoiceDetector, config: LiveConfig, surroundings: Surroundings
    ) -> None:
        limits, rate_hz = surroundings.limits, model.acoustics.sample_rate_hz
        self._config = config
        self._counters = model.counters
        self._limits = limits
        self._clock = surroundings.clock
        self._threads = surroundings.threads
        self._endings: Endings = {**surroundings.endings, model.leaving: _model_leaves}
        self._changed = asyncio.Event()
        self._inbox = Inbox(limits.audio_bytes, surroundings.clock, self._changed)
        self._voice = voice
        self._arriving = Arriving(config.sample_rate_hz, rate_hz)
        self._tape = Tape()
        self._rate_hz = rate_hz
        self._decoder = Decoder(model, self._tape, limits, in_detail=config.in_detail)
        rules = limits.endpointing(rate_hz, STEP_SAMPLES, config.endpoint_silence_s, config.max_utterance_s)
        self._endpointer = Endpointer(rules)
        self._interims = Interims(self._decoder, limits, surroundings.clock, self._changed)
        self._ahead = Ahead(self._decoder)
        self._worked_s = surroundings.clock.now()

    async def results(self, parts: AsyncIterator[Part]) -> AsyncGenerator[Sequence[LiveResult], None]:
        """Listen until the end of `parts`; gives one final result at a time, or the interim ones together.

        Raises:
            ThanosqlError: CANCELLED where the model is unloaded, PEER_UNAVAILABLE where the server stops,
                DEADLINE_EXCEEDED where nothing came for too long, each after the final result of what was
                heard; what `parts` raises; what the model raises.
        """
        try:
            async with self._inbox.filled_from(parts), self._woken_by_endings():
                while (part := await self._next()) is not None:
                    for result in await self._take(part):
                        yield [result]
                    if interim := self._interims.newest():
                        yield interim
                failure = self._why_it_ends()
            while (part := self._inbox.take()) is not None:  # what had come before the end
                for result in await self._take(part):
                    yield [result]
            for result in await self._finish():
                yield [result]
            if failure is not None:
                raise failure
        finally:
            await self._interims.drop()
            await self._ahead.drop()

    async def _next(self) -> Part | None:
        """Wait for what is to do: a part, empty audio for an interim result, or None for the end."""
        while self._why_it_ends() is None:
            part = self._inbox.take()
            if part is not None:
                return part
            if self._interims.is_ready:
                return b""
            if self._inbox.closed:
                return None
            self._changed.clear()
            await self._clock.wait(self._changed, max(0.0, self._idle_from_s - self._clock.now()))
        return None

    async def _take(self, part: Part) -> list[LiveResult]:
        if isinstance(part, Finalize):
            return [*await self._hear(b"", flush=True), await self._finalize()]
        finals = await self._hear(part) if part else []
        begin = self._endpointer.begin
        is_due = begin is not None and self._endpointer.is_speech and self._endpointer.paused is None
        if self._config.interim_results and begin is not None and is_due:
            self._interims.start_if_due(begin, self._tape.end)
        return finals

    async def _finish(self) -> list[LiveResult]:
        """End the utterance that runs when the stream ends."""
        finals = await self._hear(b"", flush=True)
        utterance = self._endpointer.finish(self._tape.end)
        return finals if utterance is None else [*finals, *await self._final(utterance)]

    async def _hear(self, audio: bytes, *, flush: bool = False) -> list[LiveResult]:
        loop = asyncio.get_running_loop()
        samples, steps = await loop.run_in_executor(self._threads, self._listen, audio, flush)
        self._tape.append(samples)
        finals: list[LiveResult] = []
        for probability in steps:
            utterance = self._endpointer.step(probability)
            if utterance is not None:
                finals += await self._final(utterance)
            await self._ahead.follow(self._endpointer.paused)
        endpointer = self._endpointer
        needed_from = self._decoder.needed_from(endpointer.begin, endpointer.earliest_heard_until)
        self._tape.forget_before(needed_from)
        if audio:
            self._worked_s = self._clock.now()
        return finals

    def _listen(self, audio: bytes, flush: bool) -> tuple[Samples, list[float]]:
        samples = self._arriving.take(audio)
        if flush:
            samples = np.concatenate([samples, self._arriving.flush()])
        return samples, self._voice.take(samples)

    async def _finalize(self) -> LiveResult:
        """Answer the wish for an end with one final result, empty where nothing was said."""
        utterance = self._endpointer.finish(self._tape.end)
        finals = await self._final(utterance) if utterance is not None else []
        return finals[0] if finals else self._silence(self._tape.end, self._tape.end)

    async def _final(self, utterance: Utterance) -> list[LiveResult]:
        """Hear an utterance that has ended; nothing is told of one without words, unless some were shown."""
        were_shown = self._interims.were_shown
        await self._interims.drop()
        heard = await self._ahead.take(utterance) if utterance.is_speech else None
        self._worked_s = self._clock.now() if heard is not None else self._worked_s
        end = utterance.end
        if utterance.is_cut:
            end = end if heard is None else self._decoder.rest_begins(utterance, heard)
            self._endpointer.go_on_from(end)
        if heard is None or not heard.words:
            return [self._silence(utterance.begin, end)] if were_shown else []
        self._count(heard)
        return [self._told(heard)]

    def _told(self, heard: Heard) -> LiveResult:
        begin, end = heard.words[0].begin, heard.words[-1].end
        result = _final_result(text_of(heard.words), self._decoder.seconds(begin), self._decoder.seconds(end))
        if heard.reading is None:
            return result
        wanted = self._config
        told = heard.reading.told(word_times=wanted.word_times, confidence=wanted.confidence)
        return replace(result, words=told.words, confidence=told.confidence)

    def _count(self, heard: Heard) -> None:
        self._counters.utterances += 1
        self._counters.audio_s += self._decoder.seconds(heard.end - heard.begin)

    def _silence(self, begin: int, end: int) -> LiveResult:
        return _final_result("", begin / self._rate_hz, end / self._rate_hz)

    @property
    def _idle_from_s(self) -> float:
        # Not while the server computes: a caller may be waiting for its answer.
        return max(self._inbox.newest_s, self._worked_s) + self._limits.idle_s

    def _why_it_ends(self) -> Exception | None:
        """What ends the stream now, other than its caller's own end."""
        if self._inbox.failure is not None:
            return self._inbox.failure
        for event, why in self._endings.items():
            if event.is_set():
                return why()
        is_idle = self._inbox.is_empty and not self._inbox.closed and self._clock.now() >= self._idle_from_s
        return went_silent(self._limits.idle_s) if is_idle else None

    @asynccontextmanager
    async def _woken_by_endings(self) -> AsyncIterator[None]:
        async def wake(event: asyncio.Event) -> None:
            await event.wait()
            self._changed.set()

        tasks = [asyncio.ensure_future(wake(event)) for event in self._endings]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _final_result(text: str, start_s: float, end_s: float) -> LiveResult:
    return LiveResult(text=text, is_final=True, stability=1.0, start_s=start_s, end_s=end_s)


def _model_leaves() -> ThanosqlError:
    return error(Reason.CANCELLED, "the model is being unloaded; begin the dictation again")


def went_silent(idle_s: float) -> ThanosqlError:
    """What is told to a caller from whom nothing comes."""
    text = f"no audio came for {idle_s:g} s, so the dictation was ended; begin it again"
    return error(Reason.DEADLINE_EXCEEDED, text, idle_s=f"{idle_s:g}")
