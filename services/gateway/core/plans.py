"""Statements as the parser typed them: one frozen class each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from services.gateway.core.plan_changes import (
    AlterTable,
    Copy,
    CreateTableAs,
    Delete,
    DropTable,
    Insert,
    RestoreTable,
    Update,
)
from services.gateway.core.plan_parts import Detail, Name, Query
from services.gateway.core.plan_upkeep import UpkeepChange, UpkeepLookup
from thanosql_runtime.errors import Span


@dataclass(frozen=True, kw_only=True)
class PrintAudio:
    """PRINT AUDIO AS query."""

    audio_col: str
    query: Query
    span: Span
    kind: str = "PRINT AUDIO"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of BUILD MODEL and FIT MODEL, every default filled in."""

    audio_col: str
    text_col: str
    epochs: int
    batch_size: int
    learning_rate: float
    overwrite: bool
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class BuildModel:
    """BUILD MODEL m USING Base, or FIT MODEL m USING existing."""

    model: Name
    base: Name
    fit: bool
    options: TrainingOptions
    query: Query
    span: Span

    @property
    def kind(self) -> str:
        """The statement's name."""
        return "FIT MODEL" if self.fit else "BUILD MODEL"


@dataclass(frozen=True, kw_only=True)
class BeamSearch:
    """How labels become text, in PREDICT and EVALUATE; a hotword is a phrase and its weight."""

    language_model: str
    lm_weight: float
    word_score: float
    beam_width: int
    hotwords: Sequence[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class SpeechWish:
    """What Whisper is told.

    Attributes:
        language: That is spoken; `auto` finds it.
        translate: Whether speech becomes English.
    """

    language: str = "auto"
    translate: bool = False


AS_SPOKEN = SpeechWish()
"""Text in whatever language is spoken."""


@dataclass(frozen=True, kw_only=True)
class Predict:
    """PREDICT USING m AS query."""

    model: Name
    audio_col: str
    batch_size: int
    result_col: str
    language: str
    task: str
    query: Query
    span: Span
    precision: str = ""
    reuse: bool = True
    only_new: bool = False
    beam: BeamSearch | None = None
    detail: Detail = field(default_factory=Detail)
    kind: str = "PREDICT"

    @property
    def wish(self) -> SpeechWish:
        """What Whisper is told."""
        return SpeechWish(language=self.language, translate=self.task == "TRANSLATE")


@dataclass(frozen=True, kw_only=True)
class Convert:
    """CONVERT USING m AS query; exactly one of the columns has a name: recordings, or texts."""

    model: Name
    audio_col: str
    batch_size: int
    result_col: str
    query: Query
    span: Span
    text_col: str = ""
    kind: str = "CONVERT"

    @property
    def input_col(self) -> str:
        """The column that is read."""
        return self.text_col or self.audio_col

    @property
    def input_words(self) -> str:
        """What it holds."""
        return "texts" if self.text_col else "recordings"


@dataclass(frozen=True, kw_only=True)
class SearchAudio:
    """SEARCH AUDIO USING m AS query, by a recording; `search_input` is its path."""

    model: Name
    search_input: str
    emb_col: str
    result_col: str
    top_k: int
    query: Query
    span: Span
    kind: str = "SEARCH AUDIO"


@dataclass(frozen=True, kw_only=True)
class SearchText:
    """SEARCH TEXT USING m AS query, by a text."""

    model: Name
    search_input: str
    emb_col: str
    result_col: str
    top_k: int
    query: Query
    span: Span
    kind: str = "SEARCH TEXT"


SearchNearest: TypeAlias = SearchAudio | SearchText
"""Statements that compare embeddings."""


@dataclass(frozen=True, kw_only=True)
class SearchKeyword:
    """SEARCH KEYWORD AS query."""

    search_input: str
    text_col: str
    result_col: str
    top_k: int
    query: Query
    span: Span
    kind: str = "SEARCH KEYWORD"


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """EVALUATE USING m AS query; see `EvaluatePlan` in parser.proto."""

    model: Name
    audio_col: str
    text_col: str
    batch_size: int
    query: Query
    span: Span
    precision: str = ""
    reuse: bool = False
    beam: BeamSearch | None = None
    slice_by: Sequence[str] = ()
    resample_by: str = ""
    per_row: bool = False
    kind: str = "EVALUATE"


@dataclass(frozen=True, kw_only=True)
class ListNames:
    """LIST; `what` is `MODEL`, `TABLE`, `THANOSQL MODEL` or `THANOSQL DATASET`."""

    what: str

    @property
    def kind(self) -> str:
        """The statement's name."""
        return f"LIST {self.what}"


@dataclass(frozen=True, kw_only=True)
class ActivateModel:
    """ACTIVATE MODEL m.2."""

    model: Name
    kind: str = "ACTIVATE MODEL"


@dataclass(frozen=True, kw_only=True)
class DeleteModel:
    """DELETE MODEL m, or m.2."""

    model: Name
    if_exists: bool = False
    force: bool = False
    kind: str = "DELETE MODEL"


@dataclass(frozen=True, kw_only=True)
class UploadModel:
    """UPLOAD MODEL m FROM 'folder'."""

    model: Name
    source: Name
    overwrite: bool = False
    kind: str = "UPLOAD MODEL"


@dataclass(frozen=True, kw_only=True)
class DescribeModel:
    """DESCRIBE MODEL m."""

    model: Name
    kind: str = "DESCRIBE MODEL"


@dataclass(frozen=True, kw_only=True)
class ShowBuild:
    """SHOW BUILD m."""

    model: Name
    kind: str = "SHOW BUILD"


@dataclass(frozen=True, kw_only=True)
class ShowModelVersions:
    """SHOW MODEL VERSIONS m."""

    model: Name
    kind: str = "SHOW MODEL VERSIONS"


@dataclass(frozen=True, kw_only=True)
class ShowTableVersions:
    """SHOW TABLE VERSIONS t."""

    table: Name
    kind: str = "SHOW TABLE VERSIONS"


@dataclass(frozen=True, kw_only=True)
class ShowJobs:
    """SHOW JOBS."""

    kind: str = "SHOW JOBS"


@dataclass(frozen=True, kw_only=True)
class ShowJob:
    """SHOW JOB 'id'."""

    job_id: Name
    kind: str = "SHOW JOB"


@dataclass(frozen=True, kw_only=True)
class CancelJob:
    """CANCEL JOB 'id'."""

    job_id: Name
    kind: str = "CANCEL JOB"


@dataclass(frozen=True, kw_only=True)
class ResumeJob:
    """RESUME JOB 'id'."""

    job_id: Name
    kind: str = "RESUME JOB"


@dataclass(frozen=True, kw_only=True)
class Unavailable:
    """A statement of the language that this release does not run; `instead` says what to use."""

    kind: str
    instead: str


Lookup: TypeAlias = (
    Query
    | UpkeepLookup
    | Predict
    | Evaluate
    | Convert
    | SearchNearest
    | SearchKeyword
    | ListNames
    | DescribeModel
    | ShowModelVersions
    | ShowTableVersions
    | ShowJobs
    | ShowJob
)
"""Statements that answer with rows and change nothing."""

Change: TypeAlias = (
    Copy
    | CreateTableAs
    | Insert
    | Update
    | Delete
    | DropTable
    | RestoreTable
    | AlterTable
    | ActivateModel
    | DeleteModel
    | UploadModel
    | CancelJob
    | ResumeJob
    | UpkeepChange
)
"""Statements that change what is stored."""

Statement: TypeAlias = Lookup | Change | PrintAudio | BuildModel | ShowBuild | Unavailable


@dataclass(frozen=True, kw_only=True)
class PlanNotice:
    """What the user should know, with its place where there is one."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One statement of a text."""

    span: Span
    canonical_text: str
    explain: bool
    notices: Sequence[PlanNotice]
    statement: Statement


def split_version(name: str) -> tuple[str, int]:
    """A model's name and version: `m.2` is version 2 of `m`, and `m` alone its active version, 0."""
    versioned = re.fullmatch(r"(.+)\.([0-9]{1,9})", name)
    return (versioned[1], int(versioned[2])) if versioned else (name, 0)
