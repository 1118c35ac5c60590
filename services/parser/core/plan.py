"""What the parser makes of a text: one typed, defaulted, checked plan for each statement.

Plans compare equal when they mean the same: their places in the text and the notices about how
they were written do not count.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from services.parser.core.plan_changes import (
    AlterTable,
    Copy,
    CreateTableAs,
    Delete,
    DropTable,
    Insert,
    RestoreTable,
    Update,
)
from services.parser.core.plan_options import (
    ConvertOptions,
    DeleteModelOptions,
    EvaluateOptions,
    GetKind,
    GetOptions,
    ListKind,
    MediaKind,
    PredictOptions,
    PrintOptions,
    SearchKind,
    SearchOptions,
    TrainingOptions,
    UploadOptions,
)
from services.parser.core.plan_parts import Name, Query, Statement


@dataclass(frozen=True, kw_only=True)
class RunQuery(Statement):
    """A SELECT or another query on its own."""

    query: Query


@dataclass(frozen=True, kw_only=True)
class Print(Statement):
    """PRINT AUDIO, IMAGE or VIDEO."""

    kind: MediaKind
    query: Query
    options: PrintOptions = field(default_factory=PrintOptions)


@dataclass(frozen=True, kw_only=True)
class BuildModel(Statement):
    """BUILD MODEL from a base model."""

    model: Name
    base: Name
    query: Query
    options: TrainingOptions = field(default_factory=TrainingOptions)


@dataclass(frozen=True, kw_only=True)
class FitModel(Statement):
    """FIT MODEL: train an existing model further, under a new name."""

    model: Name
    existing: Name
    query: Query
    options: TrainingOptions = field(default_factory=TrainingOptions)


@dataclass(frozen=True, kw_only=True)
class Predict(Statement):
    """PREDICT: the rows of the query with a column of texts."""

    model: Name
    query: Query
    options: PredictOptions = field(default_factory=PredictOptions)


@dataclass(frozen=True, kw_only=True)
class Evaluate(Statement):
    """EVALUATE: how far a model's texts are from the reference texts."""

    model: Name
    query: Query
    options: EvaluateOptions = field(default_factory=EvaluateOptions)


@dataclass(frozen=True, kw_only=True)
class Convert(Statement):
    """CONVERT: the rows of the query with a column of embeddings."""

    model: Name
    query: Query
    options: ConvertOptions = field(default_factory=ConvertOptions)


@dataclass(frozen=True, kw_only=True)
class Search(Statement):
    """SEARCH: the rows of the query with a score, best first."""

    kind: SearchKind
    query: Query
    options: SearchOptions
    model: Name | None = None


@dataclass(frozen=True, kw_only=True)
class ListObjects(Statement):
    """LIST."""

    kind: ListKind


@dataclass(frozen=True, kw_only=True)
class Get(Statement):
    """GET THANOSQL MODEL or DATASET."""

    kind: GetKind
    name: Name
    options: GetOptions = field(default_factory=GetOptions)


@dataclass(frozen=True, kw_only=True)
class UploadModel(Statement):
    """UPLOAD MODEL from a folder in the workspace."""

    model: Name
    source: Name
    options: UploadOptions = field(default_factory=UploadOptions)


@dataclass(frozen=True, kw_only=True)
class ActivateModel(Statement):
    """ACTIVATE MODEL, of one version."""

    model: Name


@dataclass(frozen=True, kw_only=True)
class DeleteModel(Statement):
    """DELETE MODEL, of all versions or of one."""

    model: Name
    if_exists: bool = False
    options: DeleteModelOptions = field(default_factory=DeleteModelOptions)


@dataclass(frozen=True, kw_only=True)
class DescribeModel(Statement):
    """DESCRIBE MODEL."""

    model: Name


@dataclass(frozen=True, kw_only=True)
class ShowBuild(Statement):
    """SHOW BUILD, of the active version or of another."""

    model: Name


@dataclass(frozen=True, kw_only=True)
class ShowModelVersions(Statement):
    """SHOW MODEL VERSIONS."""

    model: Name


@dataclass(frozen=True, kw_only=True)
class ShowTableVersions(Statement):
    """SHOW TABLE VERSIONS."""

    table: Name


@dataclass(frozen=True, kw_only=True)
class ShowJobs(Statement):
    """SHOW JOBS."""


@dataclass(frozen=True, kw_only=True)
class ShowJob(Statement):
    """SHOW JOB."""

    job_id: Name


@dataclass(frozen=True, kw_only=True)
class CancelJob(Statement):
    """CANCEL JOB."""

    job_id: Name


@dataclass(frozen=True, kw_only=True)
class ResumeJob(Statement):
    """RESUME JOB."""

    job_id: Name


@dataclass(frozen=True, kw_only=True)
class ShowTranscripts(Statement):
    """SHOW TRANSCRIPTS."""


@dataclass(frozen=True, kw_only=True)
class DeleteTranscripts(Statement):
    """DELETE TRANSCRIPTS, of all models, of one, or of one version."""

    model: Name | None = None


@dataclass(frozen=True, kw_only=True)
class ShowLoadedModels(Statement):
    """SHOW LOADED MODELS."""


@dataclass(frozen=True, kw_only=True)
class ShowEvaluations(Statement):
    """SHOW EVALUATIONS, of all models, of one, or of one version."""

    model: Name | None = None


@dataclass(frozen=True, kw_only=True)
class UnloadModel(Statement):
    """UNLOAD MODEL, of all versions or of one."""

    model: Name


@dataclass(frozen=True, kw_only=True)
class Explain(Statement):
    """EXPLAIN: what the statement would do."""

    statement: "ExecutablePlan"


ExecutablePlan: TypeAlias = (
    RunQuery
    | Copy
    | CreateTableAs
    | Insert
    | Update
    | Delete
    | DropTable
    | RestoreTable
    | AlterTable
    | Print
    | BuildModel
    | FitModel
    | Predict
    | Evaluate
    | Convert
    | Search
    | ListObjects
    | Get
    | UploadModel
    | ActivateModel
    | DeleteModel
    | DescribeModel
    | ShowBuild
    | ShowModelVersions
    | ShowTableVersions
    | ShowJobs
    | ShowJob
    | CancelJob
    | ResumeJob
    | ShowTranscripts
    | DeleteTranscripts
    | ShowLoadedModels
    | ShowEvaluations
    | UnloadModel
)
Plan: TypeAlias = ExecutablePlan | Explain
AnyOptions: TypeAlias = (
    PrintOptions
    | TrainingOptions
    | PredictOptions
    | EvaluateOptions
    | ConvertOptions
    | SearchOptions
    | GetOptions
    | UploadOptions
    | DeleteModelOptions
)
