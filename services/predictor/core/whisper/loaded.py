"""Whisper in memory: its engine, its queue, its threads, and the way from samples to text, by windows."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from services.predictor.core.batcher import Batcher, Executors
from services.predictor.core.ports import Clock, Engine
from services.predictor.core.silence import is_silent
from services.predictor.core.statistics import Counters
from services.predictor.core.types import ModelRecord
from services.predictor.core.whisper.tokens import SpeechTokens
from services.predictor.core.whisper.types import (
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    HeardWindow,
    SpeechWindow,
    Wish,
)
from services.predictor.core.whisper.windows import close
from thanosql_ctc.waveform import Samples

_SHORTEST_SAMPLES = SAMPLE_RATE_HZ // 50


class LoadedWhisper:
    """Transcribes and translates samples; one thread computes, one prepares, all callers share the queue.

    Args:
        record: The version.
        engine: What computes the tokens of a window.
        tokens: What they mean.
        clock: Time.
        counters: Where everything is counted.
        max_queue_size: Windows of all callers that may wait; each recording has one in it.
        silence_dbfs: What is quieter is not computed.
    """

    def __init__(
        self,
        *,
        record: ModelRecord,
        engine: Engine[Any, Any, HeardWindow],
        tokens: SpeechTokens,
        clock: Clock,
        counters: Counters,
        max_queue_size: int,
        silence_dbfs: float,
    ) -> None:
        self.record = record
        self.counters = counters
        self._engine = engine
        self._tokens = tokens
        self._silence_dbfs = silence_dbfs
        self._pools = [ThreadPoolExecutor(1, f"{part}-{record.name}") for part in ("host", "device")]
        executors = Executors(host=self._pools[0], device=self._pools[1])
        self._windows = Batcher(engine, executors, clock, counters, max_queue_size)

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return self._engine.description

    @property
    def manner(self) -> str:
        """All of it that a transcript depends on, in words: those of equal manner write the same."""
        record = self.record
        return f"{record.full_name} {record.fingerprint} {self.description} {self._silence_dbfs:g}"

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        return self._engine.size_bytes

    @property
    def is_alive(self) -> bool:
        """Whether it still answers."""
        return self._windows.is_alive

    def hears(self, wish: Wish) -> "WhisperListener":
        """Prepare to hear recordings as a caller wishes.

        Raises:
            ThanosqlError: INVALID_OPTION_VALUE for a language or a task that the model does not know.
        """
        return WhisperListener(self, wish, self._tokens.language_id(wish, self.record.full_name))

    async def transcribe(
        self, samples: Samples, wish: Wish, language_id: int | None, deadline_s: float | None
    ) -> str:
        """Turn samples into text; the language that is found first is that of the whole recording."""
        texts: list[str] = []
        begin = 0
        while len(samples) - begin >= _SHORTEST_SAMPLES:
            part = samples[begin : begin + WINDOW_SAMPLES]
            if is_silent(part, self._silence_dbfs):
                begin += len(part)
                continue
            window = SpeechWindow(samples=part, language_id=language_id, task=wish.task)
            heard = await self._windows.submit(window, deadline_s)
            language_id = heard.language_id
            is_last = begin + WINDOW_SAMPLES >= len(samples)
            closed = close(heard.tokens, self._tokens.first_timestamp, is_last=is_last)
            texts.append(self._tokens.text(closed.tokens))
            begin += closed.samples
        return " ".join(text for text in texts if text)

    async def close(self) -> None:
        """Answer what waits, then end the threads."""
        await self._windows.drain()
        for pool in self._pools:
            pool.shutdown(wait=False)


class WhisperListener:
    """A model that hears as one caller wishes.

    Args:
        model: In memory.
        wish: Of the caller.
        language_id: The token of the language that it names.
    """

    def __init__(self, model: LoadedWhisper, wish: Wish, language_id: int | None) -> None:
        self.record = model.record
        self.counters = model.counters
        self.sample_rate_hz = SAMPLE_RATE_HZ
        self.description = model.description
        self.notice = ""
        self.manner = model.manner
        self._model = model
        self._wish = wish
        self._language_id = language_id

    async def transcribe(self, samples: Samples, deadline_s: float | None = None) -> str:
        """Turn samples into text; empty for silence.

        Raises:
            ThanosqlError: OVERLOADED, DEADLINE_EXCEEDED, or what the engine raised.
        """
        return await self._model.transcribe(samples, self._wish, self._language_id, deadline_s)
