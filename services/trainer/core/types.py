"""What a training job is, in words that every part of the trainer shares."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_LEFT_OUT = 100
"""Rows left out that a job names one by one; it counts the rest."""

MOST_NOTICES = 50
"""Notices that a job keeps, the newest of them."""


class JobState(enum.StrEnum):
    """How a job stands."""

    QUEUED = "QUEUED"
    PREPARING = "PREPARING"
    TRAINING = "TRAINING"
    EVALUATING = "EVALUATING"
    SAVING = "SAVING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether nothing happens to the job any more."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


class ModelKind(enum.StrEnum):
    """Where a model comes from."""

    UNSPECIFIED = "UNSPECIFIED"
    BASE = "BASE"
    PREBUILT = "PREBUILT"
    TRAINED = "TRAINED"
    UPLOADED = "UPLOADED"


class ModelFamily(enum.StrEnum):
    """What a model reads: recordings or texts."""

    UNSPECIFIED = "UNSPECIFIED"
    RECOGNISER = "RECOGNISER"
    TEXT_ENCODER = "TEXT_ENCODER"
    WHISPER = "WHISPER"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of BUILD MODEL and FIT MODEL; without a seed, the settings say it."""

    audio_col: str
    text_col: str
    epochs: int
    batch_size: int
    learning_rate: float
    overwrite: bool = False
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class LeftOutRow:
    """A row that cannot be learned from, and why.

    Attributes:
        row: Its number in the query, from 0.
        subject: The audio path.
        reason: Name of a `Reason`.
        message: One sentence.
    """

    row: int
    subject: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class JobNotice:
    """What befell a job without ending it."""

    time_s: float
    message: str


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One file of a model."""

    key: str
    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class TableVersion:
    """A table and its version, as a record names them."""

    table: str
    version: int


@dataclass(frozen=True, kw_only=True)
class Model:
    """One version of a model, as the catalog has it; version 0 is not registered yet."""

    name: str
    version: int = 0
    kind: ModelKind = ModelKind.TRAINED
    family: ModelFamily = ModelFamily.RECOGNISER
    base: str = ""
    origin: str = ""
    artefacts: tuple[Artefact, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    built_from: tuple[TableVersion, ...] = ()
    active: bool = False
    create_time_s: float = 0.0

    @property
    def full_name(self) -> str:
        """Name and version, such as `Wav2Vec2En.1`."""
        return f"{self.name}.{self.version}"


@dataclass(frozen=True, kw_only=True)
class JobRequest:
    """What somebody wants trained.

    Attributes:
        request_id: The same id starts one job; empty for none.
        model: Name of the model to make.
        base: Name of the model to start from; `name.version` pins a version.
        options: As the statement gave them, defaults filled in.
        snapshot_id: Rows that storage keeps for this job.
        statement: For the records.
        built_from: The tables behind the rows, at the versions that were read.
    """

    request_id: str
    model: str
    base: str
    options: TrainingOptions
    snapshot_id: str
    statement: str = ""
    built_from: tuple[TableVersion, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of training; every change makes a new one with a higher sequence.

    Attributes:
        attempt: Number of the try; each try after the first goes on from the newest checkpoint.
        checkpoint_step: The step of that; 0 without one.
        faults: Times in a row that the job lost its process without a checkpoint in between.
        begin_time_s: When its first try began.
    """

    job_id: str
    request: JobRequest
    base: str
    create_time_s: float
    heartbeat_time_s: float
    sequence: int = 1
    state: JobState = JobState.QUEUED
    attempt: int = 1
    checkpoint_step: int = 0
    faults: int = 0
    begin_time_s: float | None = None
    notices: tuple[JobNotice, ...] = ()
    step: int = 0
    step_total: int = 0
    epoch: int = 0
    epoch_total: int = 0
    loss: float | None = None
    learning_rate: float | None = None
    wer: float | None = None
    cer: float | None = None
    wer_before: float | None = None
    audio_s_per_s: float | None = None
    seconds_left: float | None = None
    rows_used: int = 0
    rows_held_out: int = 0
    rows_left_out: int = 0
    left_out: tuple[LeftOutRow, ...] = ()
    failure_reason: str = ""
    failure_message: str = ""
    result: Model | None = None
    end_time_s: float | None = None
