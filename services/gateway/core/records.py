"""What the other services tell the gateway, as core sees it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A stream of rows: the schema is known, the rows come as they are made.

    Attributes:
        schema: Columns of every batch.
        batches: The rows; iterated once.
        tables_read: The stored tables behind them, where storage said so.
    """

    schema: pa.Schema
    batches: AsyncIterator[pa.RecordBatch]
    tables_read: "Sequence[TableVersion]" = ()


@dataclass(frozen=True, kw_only=True)
class RowError:
    """A row that could not be used, and why."""

    row: int
    subject: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of the workspace.

    Attributes:
        name: Name.
        row_count: Number of rows.
        columns: Names with Arrow types in words.
        version: Raised by every commit.
        update_time: When its newest version was committed.
        quarantine: The table with the rows that COPY could not read; empty when there is none.
    """

    name: str
    row_count: int
    columns: Sequence[tuple[str, str]]
    version: int
    update_time: datetime | None = None
    quarantine: str = ""


@dataclass(frozen=True, kw_only=True)
class TableVersion:
    """One version of a table; only its name and number are known where it is merely named."""

    table: str
    version: int
    create_time: datetime | None = None
    operation: str = ""
    row_count: int = 0

    @property
    def full_name(self) -> str:
        """As a query names it, such as `t AT VERSION 3`."""
        return f"{self.table} AT VERSION {self.version}"


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a model.

    Attributes:
        name: Name, case sensitive.
        version: From 1.
        kind: `BASE`, `PREBUILT`, `TRAINED` or `UPLOADED`.
        base: Name and version of what it was trained from; empty for a base.
        origin: The checkpoint behind a base, in words.
        metrics: Measured on held-out rows, by name.
        properties: Facts of its making, by name.
        built_from: The tables that it learned from, at the versions that were read.
        active: Whether statements without a version mean it.
        create_time: When it was registered.
        size_bytes: Of all its files.
        received: The message that it came in; goes out unchanged.
        family: `RECOGNISER`, `TEXT_ENCODER` or `WHISPER`.
    """

    name: str
    version: int
    kind: str
    base: str = ""
    origin: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    built_from: Sequence[TableVersion] = ()
    active: bool = True
    create_time: datetime | None = None
    size_bytes: int = 0
    received: object = None
    family: str = "RECOGNISER"

    @property
    def full_name(self) -> str:
        """Such as `my_model.2`."""
        return f"{self.name}.{self.version}"


ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})


@dataclass(frozen=True, kw_only=True)
class JobNotice:
    """What befell a job without ending it."""

    time: datetime
    message: str


@dataclass(frozen=True, kw_only=True)
class TrainingJob:
    """One run of training, at one moment.

    Attributes:
        job_id: Id.
        sequence: Raised by every change.
        state: Such as `TRAINING`.
        received: The message that it came in; goes out unchanged.

    The other attributes are those of `TrainingJob` in trainer.proto.
    """

    job_id: str
    sequence: int
    state: str
    model: str
    base: str
    attempt: int = 1
    checkpoint_step: int = 0
    notices: Sequence[JobNotice] = ()
    step: int = 0
    step_total: int = 0
    epoch: int = 0
    epoch_total: int = 0
    loss: float | None = None
    wer: float | None = None
    cer: float | None = None
    wer_before: float | None = None
    seconds_left: float | None = None
    rows_used: int = 0
    rows_held_out: int = 0
    rows_left_out: int = 0
    left_out: Sequence[RowError] = ()
    failure_reason: str = ""
    failure_message: str = ""
    result: ModelVersion | None = None
    create_time: datetime | None = None
    end_time: datetime | None = None
    received: object = None

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDED


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Errors of transcription over a set of rows; see `Scores` in types.proto.

    The bounds of the rates are None where nothing is known of them.
    """

    wer: float
    cer: float
    substitutions: int
    deletions: int
    insertions: int
    reference_words: int
    rows: int
    rows_left_out: int
    audio_s: float
    normaliser: str = ""
    wer_low: float | None = None
    wer_high: float | None = None
    cer_low: float | None = None
    cer_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The scores of all rows, and of each slice by its number."""

    total: Scores
    slices: Mapping[int, Scores]


@dataclass(frozen=True, kw_only=True)
class FileFacts:
    """One file of the workspace."""

    path: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class OpenFile:
    """A file that is being read, 64 KB at most a chunk."""

    facts: FileFacts
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, kw_only=True)
class InputRow:
    """A row on its way to the predictor: the path of a recording, or a text."""

    key: int
    content: str


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word that was said; how sure it is, None where nobody asked."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """One way to read a recording."""

    text: str
    confidence: float | None = None
    words: Sequence[Word] = ()


@dataclass(frozen=True, kw_only=True)
class RowAnswer:
    """The answer to one row: a transcript or an embedding, or why there is none.

    A transcript that is `reused` was kept and not computed; `was_kept` says that it was kept already when
    the statement began.
    A transcript has one alternative, itself, unless more were asked for.
    """

    key: int
    text: str = ""
    alternatives: Sequence[Alternative] = ()
    embedding: Sequence[float] = ()
    audio_s: float = 0.0
    reason: str = ""
    message: str = ""
    reused: bool = False
    was_kept: bool = False

    @property
    def failed(self) -> bool:
        """Whether there is neither."""
        return bool(self.reason)


@dataclass(frozen=True, kw_only=True)
class Transcription:
    """A stream of answers, in any order, by the model named.

    `notice` says why another engine or precision serves than the one that was asked for.
    """

    model: ModelVersion
    answers: AsyncIterator[RowAnswer]
    notice: str = ""


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """A stream of answers, in any order, by the model named, each with `dimension` numbers."""

    model: ModelVersion
    dimension: int
    answers: AsyncIterator[RowAnswer]


@dataclass(frozen=True, kw_only=True)
class ScoredRow:
    """One row to score; a failed one is counted alone.

    Attributes:
        slice: Number of its slice; None where there are none.
        group: What it is drawn together with; None where it is drawn alone.
    """

    reference: str
    hypothesis: str
    audio_s: float
    failed: bool
    slice: int | None = None
    group: int | None = None


@dataclass(frozen=True, kw_only=True)
class TranscriptTally:
    """Transcripts that are kept of one version of a model, and when one of them was used last."""

    model: str
    version: int
    transcripts: int
    size_bytes: int
    use_time: datetime | None


@dataclass(frozen=True, kw_only=True)
class KeptTranscripts:
    """What is kept, by version; `keeps` is False while nothing is."""

    keeps: bool
    tallies: Sequence[TranscriptTally]


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model in a predictor's memory, and what its version has done since the start."""

    model: str
    version: int
    precision: str | None
    state: str
    engine: str
    size_bytes: int
    message: str | None
    rows_succeeded: int
    rows_failed: int
    rows_cancelled: int
    rows_reused: int
    utterances: int
    batches: int
    audio_s: float
    queue_s: float
    decode_s: float
    compute_s: float
