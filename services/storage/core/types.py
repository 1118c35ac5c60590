"""The words of this service: tables, copies, models, all without a wire format."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from thanosql_runtime.errors import Reason


@dataclass(frozen=True, kw_only=True)
class ColumnInfo:
    """One column of a table; the type is Arrow's, in words."""

    name: str
    type: str


@dataclass(frozen=True, kw_only=True)
class TableInfo:
    """One table as it was at one version; `quarantine` names the table with the rows COPY could not read."""

    name: str
    row_count: int
    columns: tuple[ColumnInfo, ...]
    version: int
    update_time_s: float
    quarantine: str = ""


class Operation(enum.StrEnum):
    """What makes a version of a table, as the version says it."""

    COPY = "COPY"
    CREATE = "CREATE TABLE"
    REPLACE = "REPLACE TABLE"
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    ALTER = "ALTER TABLE"
    RESTORE = "RESTORE TABLE"
    MAINTENANCE = "MAINTENANCE"


@dataclass(frozen=True, kw_only=True)
class CopyMark:
    """What the commit of a table says of the COPY that made it.

    Attributes:
        copy_id: The COPY; no other has it.
        keeps: Whether it added to what the table held.
    """

    copy_id: str
    keeps: bool


@dataclass(frozen=True, kw_only=True)
class TableVersion:
    """One version of a table.

    Attributes:
        table: Folded name of the table.
        version: From 1.
        create_time_s: When it was committed; 0 where only the version is named, as the attributes below.
        operation: What made it, such as `COPY`.
        row_count: Number of rows.
    """

    table: str
    version: int
    create_time_s: float = 0.0
    operation: str = ""
    row_count: int = 0


@dataclass(frozen=True, kw_only=True)
class TableVersionPage:
    """One page of versions, newest first; an empty token means that it is the last."""

    versions: tuple[TableVersion, ...]
    next_page_token: str = ""


@dataclass(frozen=True, kw_only=True)
class TableAtVersion:
    """A table at one of its versions, under the name that it has in a query."""

    relation: str
    table: str
    version: int


@dataclass(frozen=True, kw_only=True)
class OpenVersion:
    """A version of a table that was opened for reading."""

    table: str
    dataset: Any  # lance ships no types


@dataclass(frozen=True, kw_only=True)
class TablePage:
    """One page of tables by name; an empty token means that it is the last."""

    tables: tuple[TableInfo, ...]
    next_page_token: str = ""


class IfExists(enum.Enum):
    """What COPY does with a table that exists."""

    FAIL = "fail"
    REPLACE = "replace"
    APPEND = "append"


class RowPlace(NamedTuple):
    """Where a row stands in what is copied.

    Attributes:
        row: Its number, from 0.
        line: Its first line in the source, from 1; None where nobody knows, or a source has no lines.
    """

    row: int
    line: int | None


@dataclass(frozen=True, kw_only=True)
class RowProblem:
    """A row that could not be read, and why.

    Attributes:
        row: Its number in what is copied, from 0.
        subject: What it is called in a message: a line of a file, a path.
        source: The file that holds it.
        reason: Why it could not be read.
        message: The same in one sentence.
        line: Its first line in the source, from 1; None where a source has no lines.
        raw: Its text as it stands in the source; None where that is no text.
    """

    row: int
    subject: str
    source: str
    reason: Reason = Reason.INVALID_DATA
    message: str
    line: int | None = None
    raw: str | None = None


@dataclass(frozen=True, kw_only=True)
class CopyProgress:
    """How far a copy is; `done` and `total` count `unit`, which is `bytes`, `files` or `rows`."""

    rows: int
    done: int
    total: int
    unit: str = "bytes"


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A recording of the workspace, as its header says; nothing of it was decoded.

    Attributes:
        path: Where it was found.
        size_bytes: Its length; 0 where only its header was asked for.
        duration_s: Its length in time.
        sample_rate_hz: Its rate.
        channels: Number of its channels.
        key: Where it is kept by its content; empty where it is not.
        sha256: Its digest in hexadecimal; empty where it was not read whole.
    """

    path: str
    size_bytes: int
    duration_s: float
    sample_rate_hz: int
    channels: int
    key: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True)
class CopyOutcome:
    """What a copy made.

    Attributes:
        table: The table as it is now.
        rows_copied: Rows that this copy put there.
        rows_quarantined: Rows that it could not read; they are in the table's quarantine.
        quarantined: The first of them.
        notices: What became of columns that did not match those of the table.
    """

    table: TableInfo
    rows_copied: int
    rows_quarantined: int
    quarantined: tuple[RowProblem, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CopyExplanation:
    """What a copy would read and do, from the start of its source.

    Attributes:
        format: What the source is: an ending such as `csv`, or a folder of audio, a LibriSpeech tree, JSON.
        files: How many files would be read; at least so many where this is not final.
        size_bytes: What they take.
        is_final: Whether the source was seen as far as it decides the columns.
        columns: The columns that it becomes.
        rows_read: Rows that were looked at.
        rows_quarantined: Rows that cannot be read, of those that were looked at.
        quarantined: The first of them.
        notices: What would become of columns that do not match those of the table.
        audio_files: Recordings that would be taken into keeping, of those that were looked at or listed.
        audio_bytes: What they take.
    """

    format: str
    files: int
    size_bytes: int
    is_final: bool
    columns: tuple[ColumnInfo, ...]
    rows_read: int
    rows_quarantined: int
    quarantined: tuple[RowProblem, ...]
    notices: tuple[str, ...] = ()
    audio_files: int = 0
    audio_bytes: int = 0


class ModelKind(enum.Enum):
    """Where a model comes from."""

    BASE = "base"
    PREBUILT = "prebuilt"
    TRAINED = "trained"
    UPLOADED = "uploaded"


class ModelFamily(enum.Enum):
    """What a model reads, and what it makes of it."""

    RECOGNISER = "recogniser"
    TEXT_ENCODER = "text_encoder"
    WHISPER = "whisper"


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One file of a model, as it lies in the object store."""

    key: str
    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """One version of a model.

    Attributes:
        name: Case sensitive.
        version: From 1.
        kind: Where it comes from.
        base: Name and version that it was trained from; empty for a base.
        origin: The checkpoint behind a base, in words.
        artefacts: Its files.
        metrics: Measured on held-out rows.
        properties: Facts of its making.
        built_from: The tables that it learned from, at the versions that were read.
        active: True for the one version that statements use when they name none.
        create_time_s: When it was registered.
        family: What it reads, and what it makes of it.
    """

    name: str
    version: int
    kind: ModelKind
    base: str = ""
    origin: str = ""
    artefacts: tuple[Artefact, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    built_from: tuple[TableVersion, ...] = ()
    active: bool = True
    create_time_s: float = 0.0
    family: ModelFamily = ModelFamily.RECOGNISER


@dataclass(frozen=True, kw_only=True)
class ModelDeletion:
    """Which model is deleted.

    Attributes:
        name: Its name.
        force: Delete it although it is in use.
        if_exists: A model that is not there is no error.
        explain_only: Check it, and delete nothing.
        version: The version that is deleted; 0 for all.
    """

    name: str
    force: bool = False
    if_exists: bool = False
    explain_only: bool = False
    version: int = 0


@dataclass(frozen=True, kw_only=True)
class ModelPage:
    """One page of model versions; an empty token means that it is the last."""

    models: tuple[ModelVersion, ...]
    next_page_token: str = ""
