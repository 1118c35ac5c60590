"""Statements as the parser typed them: one frozen class each."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from thanosql_runtime.errors import Span


@dataclass(frozen=True, kw_only=True)
class Name:
    """A name in the text, with its place."""

    text: str
    span: Span


@dataclass(frozen=True, kw_only=True)
class Nested:
    """A statement that stands where a table may, under the name of a relation."""

    relation: str
    statement: "Statement"


@dataclass(frozen=True, kw_only=True)
class TableAtVersion:
    """A table at one of its versions, under the name of a relation; its place is all of `t AT VERSION 3`."""

    relation: str
    table: Name
    version: int


@dataclass(frozen=True, kw_only=True)
class Query:
    """A SELECT or another query."""

    sql: str
    tables: Sequence[Name]
    nested: Sequence[Nested]
    span: Span
    versions: Sequence[TableAtVersion] = ()
    kind: str = "SELECT"


@dataclass(frozen=True, kw_only=True)
class Copy:
    """COPY t FROM 'path'; `if_exists` is `FAIL`, `REPLACE` or `APPEND`."""

    table: Name
    source: str
    source_span: Span
    if_exists: str
    kind: str = "COPY"


@dataclass(frozen=True, kw_only=True)
class CreateTableAs:
    """CREATE TABLE t AS query."""

    table: Name
    query: Query
    or_replace: bool
    if_not_exists: bool
    kind: str = "CREATE TABLE AS"


@dataclass(frozen=True, kw_only=True)
class Insert:
    """INSERT INTO t; no columns mean all, in order."""

    table: Name
    columns: Sequence[str]
    query: Query
    kind: str = "INSERT"


@dataclass(frozen=True, kw_only=True)
class Update:
    """UPDATE t SET column = expression; an empty condition means every row."""

    table: Name
    assignments: Sequence[tuple[str, str]]
    condition: str
    kind: str = "UPDATE"


@dataclass(frozen=True, kw_only=True)
class Delete:
    """DELETE FROM t; an empty condition means every row."""

    table: Name
    condition: str
    kind: str = "DELETE"


@dataclass(frozen=True, kw_only=True)
class DropTable:
    """DROP TABLE t."""

    table: Name
    if_exists: bool
    kind: str = "DROP TABLE"


@dataclass(frozen=True, kw_only=True)
class RestoreTable:
    """RESTORE TABLE t TO VERSION n."""

    table: Name
    version: int
    version_span: Span
    kind: str = "RESTORE TABLE"


@dataclass(frozen=True, kw_only=True)
class AddColumn:
    """ADD COLUMN name type."""

    name: str
    type: str


@dataclass(frozen=True, kw_only=True)
class DropColumn:
    """DROP COLUMN name."""

    name: str
    if_exists: bool


@dataclass(frozen=True, kw_only=True)
class RenameColumn:
    """RENAME COLUMN a TO b."""

    name: str
    new_name: str


@dataclass(frozen=True, kw_only=True)
class AlterTable:
    """ALTER TABLE t, one action."""

    table: Name
    action: AddColumn | DropColumn | RenameColumn
    kind: str = "ALTER TABLE"


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
    kind: str = "PREDICT"


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
    """EVALUATE USING m AS query."""

    model: Name
    audio_col: str
    text_col: str
    batch_size: int
    query: Query
    span: Span
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
class DeleteModel:
    """DELETE MODEL m."""

    model: Name
    kind: str = "DELETE MODEL"


@dataclass(frozen=True, kw_only=True)
class DescribeModel:
    """DESCRIBE MODEL m."""

    model: Name
    kind: str = "DESCRIBE MODEL"


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
class Unavailable:
    """A statement of the language that this release does not run; `instead` says what to use."""

    kind: str
    instead: str


Lookup: TypeAlias = (
    Query
    | Predict
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
    | DeleteModel
    | CancelJob
)
"""Statements that change what is stored."""

Statement: TypeAlias = Lookup | Change | PrintAudio | BuildModel | Evaluate | Unavailable


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
