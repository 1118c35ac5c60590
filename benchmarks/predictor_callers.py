"""How long callers wait who send a recording each at the same moment, by how many they are."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.predictor_server import MODEL, Served
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc
from thanosql_runtime.channel import open_channel

CALLERS = (1, 8, 32, 128)


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Seconds that callers waited, and seconds that an engine alone takes for their recordings."""

    callers: int
    seconds: Sequence[float]
    engine_s: float

    def told(self) -> dict[str, float]:
        """What is printed."""
        name = f"{self.callers} callers"
        ordered = sorted(self.seconds)
        last = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
        return {
            f"{name}: median s": statistics.median(ordered),
            f"{name}: 95th percentile s": last,
            f"{name}: 95th percentile / engine's time for all": last / self.engine_s,
        }


def waits(served: Served, paths: Sequence[Path], alone: Callable[[int], float], rounds: int) -> list[Waits]:
    """Send recordings from ever more callers; `alone` gives the engine's seconds for so many."""
    return [
        Waits(
            callers=count, seconds=asyncio.run(_rounds(served, paths, count, rounds)), engine_s=alone(count)
        )
        for count in CALLERS
    ]


async def _rounds(served: Served, paths: Sequence[Path], count: int, rounds: int) -> list[float]:
    source = itertools.cycle([path.read_bytes() for path in paths])
    async with open_channel(served.address, served.peer_token) as channel:
        stub: predictor_pb2_grpc.PredictorServiceAsyncStub = predictor_pb2_grpc.PredictorServiceStub(channel)

        async def call(audio: bytes) -> float:
            request = predictor_pb2.RecognizeRequest(model=MODEL, audio=audio)
            begun_s = time.perf_counter()
            await stub.Recognize(request, timeout=600)
            return time.perf_counter() - begun_s

        seconds: list[float] = []
        for _ in range(rounds):
            seconds += await asyncio.gather(*(call(next(source)) for _ in range(count)))
        return seconds
