"""From a record of the catalog to an encoder that answers: fetch, verify, read, warm."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog

from services.predictor.core.artefact_cache import ArtefactCache
from services.predictor.core.fitting import fitting_together
from services.predictor.core.ports import Clock
from services.predictor.core.statistics import Statistics
from services.predictor.core.texts.checkpoint import EncoderCheckpoint, load_encoder
from services.predictor.core.texts.encoder import LoadedEncoder
from services.predictor.core.texts.engine import TextEngine
from services.predictor.core.texts.tokens import Tokeniser
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.types import ModelRecord
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("loading")
# Of two lengths, so that one is padded.
_WARM_UP = ("warm up", "warm up with a longer text")


class EncoderLoader:
    """Loads one text encoder at a time, in a thread of its own.

    Args:
        cache: The files of models.
        engine_options: How to compute.
        max_queue_size: Windows of texts that may wait for one model.
        clock: Time.
        statistics: Where the model counts.
    """

    def __init__(
        self,
        *,
        cache: ArtefactCache,
        engine_options: EngineOptions,
        max_queue_size: int,
        clock: Clock,
        statistics: Statistics,
    ) -> None:
        self._cache = cache
        self._engine_options = engine_options
        self._max_queue_size = max_queue_size
        self._clock = clock
        self._statistics = statistics
        self._pool = ThreadPoolExecutor(1, "loading-texts")

    async def load(self, record: ModelRecord) -> LoadedEncoder:
        """Load a version.

        Raises:
            ThanosqlError: CHECKSUM_MISMATCH, INVALID_CHECKPOINT, or what the store raises.
        """
        begun_s = self._clock.now()
        loop = asyncio.get_running_loop()
        engine, checkpoint = await loop.run_in_executor(self._pool, self._build, record)
        seconds = round(self._clock.now() - begun_s, 2)
        _log.info("model loaded", model=record.name, version=record.version, seconds=seconds)
        return LoadedEncoder(
            record=record,
            engine=engine,
            tokeniser=checkpoint.tokeniser,
            dimension=checkpoint.dimension,
            clock=self._clock,
            counters=self._statistics.of(record.name, record.version),
            max_queue_size=self._max_queue_size,
        )

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _build(self, record: ModelRecord) -> tuple[TextEngine, EncoderCheckpoint]:
        with self._cache.opened(record) as folder:
            checkpoint = load_encoder(folder)
        engine = TextEngine(checkpoint, self._engine_options)
        with fitting_together(record):
            _warm_up(engine, checkpoint.tokeniser)
        return engine, checkpoint


def _warm_up(engine: TextEngine, tokeniser: Tokeniser) -> None:
    tokens = [window.tokens for text in _WARM_UP for window in tokeniser.windows(text)]
    if not tokens:
        return
    for answer in engine.finish(engine.run(engine.prepare(tokens))):
        if isinstance(answer, ThanosqlError):
            raise answer
