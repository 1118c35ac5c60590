"""From a record of the catalog to a model that answers."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog

from services.predictor.core.acoustics import Hearing
from services.predictor.core.engine_building import EngineBuilder
from services.predictor.core.loaded_model import LoadedModel
from services.predictor.core.long_recordings import Cutting
from services.predictor.core.ports import Clock
from services.predictor.core.statistics import Statistics
from services.predictor.core.types import ModelRecord

_log = structlog.get_logger("loading")


class ModelLoader:
    """Loads one model at a time, in a thread of its own.

    Args:
        builder: Makes engines of the files of models.
        hearing: Limits of every model.
        clock: Time.
        statistics: Where the model counts.
        cutting: How recordings longer than a window are cut.
    """

    def __init__(
        self,
        *,
        builder: EngineBuilder,
        hearing: Hearing,
        clock: Clock,
        statistics: Statistics,
        cutting: Cutting,
    ) -> None:
        self._builder = builder
        self._hearing = hearing
        self._clock = clock
        self._statistics = statistics
        self._cutting = cutting
        self._pool = ThreadPoolExecutor(1, "loading")

    async def settle_precision(self, precision: str) -> str:
        """Say in which precision a model shall compute, for which this one was asked; empty for any."""
        # What suits the processor is found out once, before the first load; nothing blocks after that.
        return await asyncio.to_thread(self._builder.settle, precision)

    async def load(self, record: ModelRecord) -> LoadedModel:
        """Load a version.

        Raises:
            ThanosqlError: CHECKSUM_MISMATCH, INVALID_CHECKPOINT, or what the store raises.
        """
        begun_s = self._clock.now()
        loop = asyncio.get_running_loop()
        built = await loop.run_in_executor(self._pool, self._builder.build, record)
        seconds = round(self._clock.now() - begun_s, 2)
        model = LoadedModel(
            record=record,
            engines=built.engines,
            acoustics=built.acoustics,
            hearing=self._hearing,
            clock=self._clock,
            counters=self._statistics.of(record.name, record.version),
            cutting=self._cutting,
        )
        _log.info(
            "model loaded",
            model=record.name,
            version=record.version,
            engine=model.description,
            seconds=seconds,
        )
        return model

    def close(self) -> None:
        """End the thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)
