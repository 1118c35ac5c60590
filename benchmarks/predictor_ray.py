"""The peer that is written in an afternoon: Ray Serve with dynamic batching around the torch model."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.predictor_work import Work

_WORKER = Path(__file__).with_name("predictor_ray_worker.py")
NAME = "Ray Serve, batches of 8"


def has_ray(python: str) -> bool:
    """Whether an interpreter has Ray Serve."""
    return (
        subprocess.run([python, "-c", "import ray.serve"], capture_output=True, check=False).returncode == 0
    )


@contextmanager
def ray_runs(work: Work, python: str, threads: int) -> Iterator[dict[str, Callable[[], object]]]:
    """A deployment in processes of its own, which decodes files as the service does."""
    asked = {
        "checkpoint": str(work.checkpoint),
        "paths": [str(path) for path in work.paths],
        "threads": threads,
    }
    process = subprocess.Popen(
        [python, str(_WORKER), json.dumps(asked)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield {NAME: lambda: _run(process)}
    finally:
        process.communicate()


def _run(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    print("go", file=process.stdin, flush=True)
    for line in process.stdout:
        if line.startswith("seconds "):
            return
    sys.exit("Ray Serve ended; run benchmarks/predictor_ray_worker.py by hand to see why")
