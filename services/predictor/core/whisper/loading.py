"""From a record of the catalog to a Whisper that answers: fetch, verify, read, warm."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import structlog

from services.predictor.core.artefact_cache import ArtefactCache
from services.predictor.core.fitting import fitting_together
from services.predictor.core.ports import Clock
from services.predictor.core.statistics import Statistics
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.types import ModelRecord
from services.predictor.core.whisper.checkpoint import load_whisper
from services.predictor.core.whisper.engine import WhisperEngine
from services.predictor.core.whisper.loaded import LoadedWhisper
from services.predictor.core.whisper.tokens import SpeechTokens
from services.predictor.core.whisper.types import SAMPLE_RATE_HZ, SpeechTask, SpeechWindow
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("loading")


class WhisperLoader:
    """Loads one Whisper at a time, in a thread of its own.

    Args:
        cache: The files of models.
        engine_options: How to compute.
        max_queue_size: Windows that may wait for one model.
        silence_dbfs: What is quieter is not computed.
        clock: Time.
        statistics: Where the model counts.
    """

    def __init__(
        self,
        *,
        cache: ArtefactCache,
        engine_options: EngineOptions,
        max_queue_size: int,
        silence_dbfs: float,
        clock: Clock,
        statistics: Statistics,
    ) -> None:
        self._cache = cache
        self._engine_options = engine_options
        self._max_queue_size = max_queue_size
        self._silence_dbfs = silence_dbfs
        self._clock = clock
        self._statistics = statistics
        self._pool = ThreadPoolExecutor(1, "loading-whisper")

    async def load(self, record: ModelRecord) -> LoadedWhisper:
        """Load a version.

        Raises:
            ThanosqlError: CHECKSUM_MISMATCH, INVALID_CHECKPOINT, or what the store raises.
        """
        begun_s = self._clock.now()
        loop = asyncio.get_running_loop()
        engine, tokens = await loop.run_in_executor(self._pool, self._build, record)
        seconds = round(self._clock.now() - begun_s, 2)
        _log.info("model loaded", model=record.name, version=record.version, seconds=seconds)
        return LoadedWhisper(
            record=record,
            engine=engine,
            tokens=tokens,
            clock=self._clock,
            counters=self._statistics.of(record.name, record.version),
            max_queue_size=self._max_queue_size,
            silence_dbfs=self._silence_dbfs,
        )

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _build(self, record: ModelRecord) -> tuple[WhisperEngine, SpeechTokens]:
        with self._cache.opened(record) as folder:
            checkpoint = load_whisper(folder)
        engine = WhisperEngine(checkpoint, self._engine_options)
        silence = np.zeros(SAMPLE_RATE_HZ, dtype=np.float32)
        window = SpeechWindow(samples=silence, language_id=None, task=SpeechTask.TRANSCRIBE)
        with fitting_together(record):
            (answer,) = engine.finish(engine.run(engine.prepare([window])))
        if isinstance(answer, ThanosqlError):
            raise answer
        return engine, checkpoint.tokens
