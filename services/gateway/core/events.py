"""What a statement tells its caller while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from services.gateway.core.records import ModelVersion, RowError, Scores, TrainingJob
from thanosql_runtime.errors import Span


@dataclass(frozen=True, kw_only=True)
class Started:
    """The statement begins."""

    kind: str
    canonical_text: str


@dataclass(frozen=True, kw_only=True)
class SchemaKnown:
    """Columns of the rows that follow."""

    schema: pa.Schema


@dataclass(frozen=True, kw_only=True)
class RowsReady:
    """Rows, as one Arrow IPC record batch message."""

    message: bytes


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a statement is; None where it is not known or means nothing."""

    stage: str
    done: float
    unit: str
    total: float | None = None
    seconds_left: float | None = None
    audio_s: float | None = None
    epoch: int | None = None
    epoch_total: int | None = None
    loss: float | None = None
    wer: float | None = None
    audio_total_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What the user should know and that stopped nothing."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, kw_only=True)
class MediaStarted:
    """A recording begins; its bytes follow."""

    row: int
    path: str
    mime_type: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class MediaBytes:
    """Bytes of the recording begun last."""

    data: bytes
    last: bool


@dataclass(frozen=True, kw_only=True)
class JobChanged:
    """The job behind the statement, at its start and its end."""

    job: TrainingJob


@dataclass(frozen=True, kw_only=True)
class RowsFailed:
    """Rows that failed, 100 at most."""

    errors: Sequence[RowError]


@dataclass(frozen=True, kw_only=True)
class Done:
    """The statement ended well."""

    message: str
    rows: int = 0
    rows_changed: int = 0
    row_errors: int = 0
    elapsed_s: float = 0.0
    model: ModelVersion | None = None
    scores: Scores | None = None
    rows_reused: int = 0


Event: TypeAlias = (
    Started
    | SchemaKnown
    | RowsReady
    | Progress
    | Notice
    | MediaStarted
    | MediaBytes
    | JobChanged
    | RowsFailed
    | Done
)
