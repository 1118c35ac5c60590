"""A text encoder in memory: its engine, its queue, its threads, and the way from a text to a vector."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from services.predictor.core.batcher import Batcher, Executors
from services.predictor.core.ports import Clock, Engine
from services.predictor.core.statistics import Counters
from services.predictor.core.texts.tokens import Tokeniser, Window
from services.predictor.core.types import ModelRecord
from thanosql_runtime.errors import Reason, error

Vector = npt.NDArray[np.float32]


class LoadedEncoder:
    """Embeds texts; one thread computes, one prepares, all callers share the queue.

    Args:
        record: The version.
        engine: What computes a vector a window of tokens.
        tokeniser: Cuts texts into windows.
        dimension: Numbers of an embedding.
        clock: Time.
        counters: Where everything is counted.
        max_queue_size: Windows of all callers that may wait; each caller has one a text in it.
    """

    def __init__(
        self,
        *,
        record: ModelRecord,
        engine: Engine[Any, Any, Vector],
        tokeniser: Tokeniser,
        dimension: int,
        clock: Clock,
        counters: Counters,
        max_queue_size: int,
    ) -> None:
        self.record = record
        self.counters = counters
        self.dimension = dimension
        self._engine = engine
        self._tokeniser = tokeniser
        self._clock = clock
        self._pools = [ThreadPoolExecutor(1, f"{part}-{record.name}") for part in ("host", "device")]
        executors = Executors(host=self._pools[0], device=self._pools[1])
        self._vectors = Batcher(engine, executors, clock, counters, max_queue_size)

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return self._engine.description

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        return self._engine.size_bytes

    @property
    def is_alive(self) -> bool:
        """Whether it still answers."""
        return self._vectors.is_alive

    async def embed(self, text: str) -> Vector:
        """Turn a text into a vector of length 1; cancelling the call takes back what still waits.

        A text longer than the model takes goes through in windows, one after another, and each counts in the
        mean as much as it has tokens.

        Raises:
            ThanosqlError: TEXT_EMPTY where there is nothing to embed; OVERLOADED, or what the engine raised.
        """
        total_h = np.zeros(self.dimension, dtype=np.float64)
        for window in await self._cut(text):
            total_h += window.weight * await self._vectors.submit(window.tokens)
        length = float(np.linalg.norm(total_h))
        if not np.isfinite(length) or length == 0.0:
            raise error(Reason.INVALID_CHECKPOINT, "the model gives nothing for this text: it is damaged")
        vector: Vector = (total_h / length).astype(np.float32)
        return vector

    async def close(self) -> None:
        """Answer what waits, then end the threads."""
        await self._vectors.drain()
        for pool in self._pools:
            pool.shutdown(wait=False)

    async def _cut(self, text: str) -> list[Window]:
        begun_s = self._clock.now()
        loop = asyncio.get_running_loop()
        windows = await loop.run_in_executor(self._pools[0], self._tokeniser.windows, text)
        self.counters.decode_s += self._clock.now() - begun_s
        if not windows:
            raise error(
                Reason.TEXT_EMPTY, "the text holds nothing that the model can read, so it has no embedding"
            )
        return windows
