"""From nothing to the first answer, and the memory that it takes."""

import time
from collections.abc import Mapping
from contextlib import ExitStack

from benchmarks.predictor_processes import memory_of_children
from benchmarks.predictor_server import serving
from benchmarks.predictor_work import Work

_MB = 1 << 20


def starts(work: Work, threads: int) -> Mapping[str, float]:
    """Start a server on an empty disk and ask for one transcript; the model is not yet converted."""
    begun_s = time.perf_counter()
    with serving(work, threads) as served:
        ready_s = time.perf_counter() - begun_s
        served.predict(limit=1)
        return {"server ready s": ready_s, "first answer, model converted s": time.perf_counter() - begun_s}


def memories(work: Work, threads: int, rounds: int) -> Mapping[str, float]:
    """Memory of the server before it has a model, with it, and after every round of all recordings."""
    found: dict[str, float] = {}
    with ExitStack() as stack:
        served = stack.enter_context(serving(work, threads))
        found["memory without a model MB"] = memory_of_children() / _MB
        for precision in ("", "int8"):
            served.predict(precision, limit=1)
            found[f"memory with the model{', int8 beside it' if precision else ''} MB"] = (
                memory_of_children() / _MB
            )
        for number in range(rounds):
            served.predict()
            found[f"memory after {(number + 1) * len(work.paths)} recordings MB"] = memory_of_children() / _MB
    return found
