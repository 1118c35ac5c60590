"""From a record of the catalog to a model that answers: fetch, verify, read, warm."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import structlog

from services.predictor.core.artefact_cache import ArtefactCache
from services.predictor.core.loaded_model import Acoustics, Hearing, LoadedModel
from services.predictor.core.ports import Clock
from services.predictor.core.statistics import Statistics
from services.predictor.core.torch_embedder import TorchEmbedder
from services.predictor.core.torch_engine import EngineOptions, TorchEngine
from services.predictor.core.types import ModelRecord
from thanosql_ctc.checkpoint import load_checkpoint
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("loading")
_WARM_UP_S = 2.0


class ModelLoader:
    """Loads one model at a time, in a thread of its own.

    Args:
        cache: The files of models.
        engine_options: How to compute.
        hearing: Limits of every model.
        clock: Time.
        statistics: Where the model counts.
    """

    def __init__(
        self,
        *,
        cache: ArtefactCache,
        engine_options: EngineOptions,
        hearing: Hearing,
        clock: Clock,
        statistics: Statistics,
    ) -> None:
        self._cache = cache
        self._engine_options = engine_options
        self._hearing = hearing
        self._clock = clock
        self._statistics = statistics
        self._pool = ThreadPoolExecutor(1, "loading")

    async def load(self, record: ModelRecord) -> LoadedModel:
        """Load a version.

        Raises:
            ThanosqlError: CHECKSUM_MISMATCH, INVALID_CHECKPOINT, or what the store raises.
        """
        begun_s = self._clock.now()
        loop = asyncio.get_running_loop()
        engine, acoustics = await loop.run_in_executor(self._pool, self._build, record)
        seconds = round(self._clock.now() - begun_s, 2)
        _log.info("model loaded", model=record.name, version=record.version, seconds=seconds)
        return LoadedModel(
            record=record,
            engine=engine,
            embedder=TorchEmbedder(engine),
            acoustics=acoustics,
            hearing=self._hearing,
            clock=self._clock,
            counters=self._statistics.of(record.name, record.version),
        )

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _build(self, record: ModelRecord) -> tuple[TorchEngine, Acoustics]:
        with self._cache.opened(record) as folder:
            checkpoint = load_checkpoint(folder)
        acoustics = Acoustics.of(checkpoint, self._hearing)
        engine = TorchEngine(checkpoint.model, self._engine_options)
        silence = np.zeros(round(_WARM_UP_S * checkpoint.sample_rate_hz), dtype=np.float32)
        for answer in engine.finish(engine.run(engine.prepare([silence]))):
            if isinstance(answer, ThanosqlError):
                raise answer
        return engine, acoustics
