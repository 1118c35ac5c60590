"""The order that the parent writes for the training process: one JSON file in the job's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from services.trainer.core.types import TrainingOptions
from thanosql_runtime.whole_files import write_whole

SPEC_FILE = "spec.json"
ROWS_FILE = "rows.arrow"
BASE_FOLDER = "base"
DATASET_FILE = "dataset.json"
CHECKPOINTS_FOLDER = "checkpoints"
MODEL_FOLDER = "model"
FINISHED_FILE = "finished.json"
LOG_FILE = "worker.log"
METRICS_FILE = "metrics.json"
STOPPED_STATUS = 75
"""Exit status of a training process that ended because it was asked to."""


@dataclass(frozen=True, kw_only=True)
class WorkerSettings:
    """How the training process works, apart from what the statement asks for.

    Attributes:
        device: `auto` takes a GPU where there is one.
        precision: `auto` takes bf16 where the processor computes in it.
        threads: Threads of the arithmetic; 0 takes one for each core.
        nice: Added to the process's niceness, so that training yields to serving.
        seed: Of the held-out split, the order of the batches, dropout and masks.
        max_clip_s: Longer recordings are left out.
        max_pass_audio_s: Padded audio of one forward pass; a larger batch is taken in several passes.
        audio_cache_bytes: Decoded audio kept in memory; the rest is read again each epoch.
        store_half: Store weights in float16.
        heartbeat_s: Seconds between two signs of life.
        checkpoint_interval_s: Longest time between two checkpoints; each epoch ends with one too.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: int = 0
    nice: int = 0
    seed: int = 42
    max_clip_s: float = 30.0
    max_pass_audio_s: float = 120.0
    audio_cache_bytes: int = 1 << 30
    store_half: bool = False
    heartbeat_s: float = 2.0
    checkpoint_interval_s: float = 600.0


@dataclass(frozen=True, kw_only=True)
class WorkerSpec:
    """One order."""

    options: TrainingOptions
    settings: WorkerSettings


def write_spec(folder: Path, spec: WorkerSpec) -> None:
    """Write the order into a job's folder, last of all that the child needs."""
    write_whole(folder / SPEC_FILE, TypeAdapter(WorkerSpec).dump_json(spec, indent=1))


def read_spec(folder: Path) -> WorkerSpec:
    """Read the order from a job's folder."""
    return TypeAdapter(WorkerSpec).validate_json((folder / SPEC_FILE).read_bytes())
