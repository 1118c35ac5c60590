"""Settings of the trainer: `THANOSQL_TRAINER__*`."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from services.trainer.core.spec import WorkerSettings
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.settings import Settings, prefixed

QUIET_THREADS: Mapping[str, str] = MappingProxyType(
    {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false"}
)
"""Variables by which the threads of a process sleep while they wait."""


class TrainerSettings(Settings):
    """How jobs run; what a statement can say is an option of the statement, not a setting."""

    model_config = prefixed("TRAINER")

    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="where training computes")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto takes bf16 where the processor multiplies in it"
    )
    threads: int = Field(default=0, ge=0, description="threads of one job; 0 takes one for each core")
    nice: int = Field(default=5, ge=0, le=19, description="how far training yields to everything else")
    max_running_jobs: int = Field(default=1, ge=1, description="jobs that run at once")
    max_queued_jobs: int = Field(default=100, ge=1, description="jobs that wait before more are refused")
    seed: int = Field(default=42, ge=0, lt=1 << 32, description="of the held-out split, order and masks")
    max_clip_s: float = Field(default=30.0, gt=0, description="longer recordings are left out")
    max_pass_audio_s: float = Field(
        default=120.0, gt=0, description="padded audio at once; larger batches take several passes"
    )
    audio_cache_bytes: int = Field(default=1 << 30, ge=0, description="decoded audio kept in memory")
    store_half: bool = Field(default=True, description="store weights in float16, half the size")
    heartbeat_s: float = Field(default=5.0, gt=0, description="seconds between two signs of life")
    silence_limit_s: float = Field(
        default=120.0, gt=0, description="a training process silent for so long is lost"
    )
    cancel_grace_s: float = Field(
        default=5.0, ge=0, description="seconds between asking a training process to end and killing it"
    )
    checkpoint_interval_s: float = Field(
        default=600.0, gt=0, description="longest time between two checkpoints; each epoch ends with one too"
    )
    max_resumes: int = Field(
        default=3,
        ge=0,
        description="times in a row that a lost training process is started again without a new checkpoint",
    )
    outage_limit_s: float = Field(
        default=3600.0, ge=0, description="longest absence of storage or the object store that jobs wait out"
    )
    keep_jobs_h: float = Field(
        default=720.0, gt=0, description="hours that the record and the log of an ended job are kept"
    )
    max_kept_jobs: int = Field(
        default=1000, ge=1, description="ended jobs kept; the oldest beyond them go before their time"
    )
    keep_resumable_h: float = Field(
        default=72.0, ge=0, description="hours that a failed or cancelled job can be resumed"
    )
    max_resumable_bytes: int = Field(
        default=32 << 30, ge=0, description="files kept of all such jobs; the oldest go before their time"
    )
    max_model_bytes: int = Field(
        default=16 << 30, ge=1 << 20, description="largest checkpoint that UPLOAD MODEL takes"
    )
    objects: ObjectSettings = Field(
        default_factory=ObjectSettings, description="the object store, from THANOSQL_OBJECTS__*"
    )

    def worker(self) -> WorkerSettings:
        """The part that the training process is given."""
        return WorkerSettings(
            device=self.device,
            precision=self.precision,
            threads=self.threads,
            nice=self.nice,
            seed=self.seed,
            max_clip_s=self.max_clip_s,
            max_pass_audio_s=self.max_pass_audio_s,
            audio_cache_bytes=self.audio_cache_bytes,
            store_half=self.store_half,
            heartbeat_s=self.heartbeat_s,
            checkpoint_interval_s=self.checkpoint_interval_s,
        )

    def objects_in(self, home: Path) -> ObjectSettings:
        """The object store's settings; without an address it lies in the server's own directory."""
        if "uri" in self.objects.model_fields_set:
            return self.objects
        return self.objects.model_copy(update={"uri": str(home / "objects")})


def worker_environment(objects: ObjectSettings) -> dict[str, str]:
    """Variables by which the training process opens the same object store.

    Waiting threads sleep instead of spinning: beside other busy processes two spinning threads were
    measured at a tenth of the speed of one, two sleeping ones at four fifths.
    """
    prefix = str(ObjectSettings.model_config["env_prefix"])
    values = objects.model_dump() | {"secret_key": objects.secret_key.get_secret_value()}
    variables = {f"{prefix}{name.upper()}": str(value) for name, value in values.items()}
    return {**variables, **QUIET_THREADS}
