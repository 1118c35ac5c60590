"""What core needs from the other services; `services.gateway.peers` brings it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from services.gateway.core.comparisons import TextComparison, TextPair
from services.gateway.core.copy_records import CopyExplanation, CopyProgress, CopyResult
from services.gateway.core.plan_changes import AlterTable, Copy
from services.gateway.core.plan_parts import Detail, TableAtVersion
from services.gateway.core.plans import AS_SPOKEN, BeamSearch, DeleteModel, Plan, SpeechWish, TrainingOptions
from services.gateway.core.records import (
    Embedding,
    Evaluated,
    FileFacts,
    InputRow,
    KeptTranscripts,
    LoadedModel,
    ModelVersion,
    OpenFile,
    Rows,
    ScoredRow,
    Table,
    TableVersion,
    TrainingJob,
    Transcription,
)
from services.gateway.core.score_columns import EvaluationRecord

OpenRows = Callable[[], AbstractAsyncContextManager[Rows]]
"""Begins to make rows when it is entered, and stops when it is left."""

SendRow = Callable[[InputRow], Awaitable[None]]
"""Hands one row to the predictor; waits while the predictor has enough."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """Rows that stand in a query under a name; opened when their turn comes."""

    name: str
    open: OpenRows


@dataclass(frozen=True, kw_only=True)
class BoundQuery:
    """SQL, and what the names in it mean: stored tables, some at a version of theirs, and relations."""

    sql: str
    tables: Sequence[str] = ()
    versions: Sequence[TableAtVersion] = ()
    relations: Sequence[Relation] = ()


@dataclass(frozen=True, kw_only=True)
class WriteTarget:
    """Where rows go; `mode` is `CREATE`, `REPLACE`, `APPEND` or `SNAPSHOT`.

    Rows that were chosen by a version of the table are added only while that has its rows; 0 is for others.
    """

    table: str
    mode: str
    columns: Sequence[str] = ()
    chosen_by_version: int = 0


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write left."""

    table: Table
    rows: int


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """What to train; the same `request_id` starts one job. `built_from` are the tables behind the rows."""

    request_id: str
    model: str
    base: str
    options: TrainingOptions
    snapshot_id: str
    statement: str
    built_from: Sequence[TableVersion] = ()


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """Which folder to make a model of; the same `request_id` makes one version."""

    request_id: str
    model: str
    path: str
    overwrite: bool
    statement: str
    explain_only: bool = False


@dataclass(frozen=True, kw_only=True)
class KeywordSearch:
    """Which rows of a query are wanted; `explain_only` checks it and tells how they would be found."""

    search_input: str
    text_col: str
    result_col: str
    top_k: int
    explain_only: bool = False


@dataclass(frozen=True, kw_only=True)
class VectorSearch:
    """Which rows of a query are wanted; `explain_only` checks it and tells how they would be found."""

    embedding: Sequence[float]
    emb_col: str
    result_col: str
    top_k: int
    explain_only: bool = False


Tell = Callable[[str], Awaitable[None]]
"""Says something to the user that stops nothing."""


class Parser(Protocol):
    """Text to plans."""

    async def parse(self, text: str) -> Sequence[Plan]:
        """The statements of `text`, in order."""
        ...


class Tables(Protocol):
    """Tables and queries over them."""

    def query(self, query: BoundQuery) -> AbstractAsyncContextManager[Rows]:
        """Run a query; leaving the context stops it."""
        ...

    def search(
        self, query: BoundQuery, search: KeywordSearch | VectorSearch, tell: Tell
    ) -> AbstractAsyncContextManager[Rows]:
        """The best of a query's rows, best first, with their scores; remarks are told before the rows.

        Best are those that the words match, or whose embeddings lie nearest.
        """
        ...

    async def write(self, target: WriteTarget, rows: Rows) -> Written:
        """Write rows as one commit: all of them, or none when this does not return."""
        ...

    def copy(self, statement: Copy) -> AsyncIterator[CopyProgress | CopyResult]:
        """Make a table from a file; the result comes last."""
        ...

    async def explain_copy(self, statement: Copy) -> CopyExplanation:
        """What such a copy would do; it fails as the copy would."""
        ...

    async def update(self, table: str, assignments: Sequence[tuple[str, str]], condition: str) -> int:
        """Rows changed."""
        ...

    async def delete(self, table: str, condition: str) -> int:
        """Rows deleted."""
        ...

    async def drop(self, table: str, if_exists: bool) -> bool:
        """Whether there was a table."""
        ...

    async def alter(self, statement: AlterTable) -> Table:
        """The table with the column added, dropped or renamed."""
        ...

    async def get(self, table: str) -> Table:
        """The table; TABLE_NOT_FOUND where there is none."""
        ...

    def pages(self) -> AsyncIterator[Sequence[Table]]:
        """All tables by name, a page at a time."""
        ...

    def version_pages(self, table: str) -> AsyncIterator[Sequence[TableVersion]]:
        """The versions of a table, newest first."""
        ...

    async def restore(self, table: str, version: int) -> Table:
        """The table with the rows and columns of that version."""
        ...

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Forget rows kept for a job; done also where there are none."""
        ...


class Catalog(Protocol):
    """Models and their versions."""

    async def get(self, name: str, version: int) -> ModelVersion:
        """A version; 0 means the active one. MODEL_NOT_FOUND where there is none."""
        ...

    def pages(self, kinds: Sequence[str]) -> AsyncIterator[Sequence[ModelVersion]]:
        """The active versions by name; no kinds mean all."""
        ...

    def version_pages(self, name: str) -> AsyncIterator[Sequence[ModelVersion]]:
        """The versions of a model, newest first."""
        ...

    async def activate(self, name: str, version: int, *, explain_only: bool = False) -> ModelVersion:
        """The version that statements use now, or before where it is only checked."""
        ...

    async def delete(self, statement: DeleteModel, *, explain_only: bool = False) -> int:
        """Versions deleted, or those that would be; MODEL_IN_USE unless forced."""
        ...


class Files(Protocol):
    """Files of the workspace."""

    def read(self, path: str) -> AbstractAsyncContextManager[OpenFile]:
        """Open a file; leaving the context stops the reading."""
        ...

    def pages(self, prefix: str) -> AsyncIterator[Sequence[FileFacts]]:
        """Files whose path begins with `prefix`, by path."""
        ...


class Trainer(Protocol):
    """Training jobs, scores, and models that users bring."""

    async def create(self, request: TrainingRequest) -> TrainingJob:
        """Start a job."""
        ...

    def watch(self, job_id: str, after_sequence: int) -> AsyncIterator[TrainingJob]:
        """The job at every change until it has ended."""
        ...

    async def get(self, job_id: str) -> TrainingJob:
        """A job; JOB_NOT_FOUND where there is none."""
        ...

    def pages(self) -> AsyncIterator[Sequence[TrainingJob]]:
        """All jobs, newest first."""
        ...

    async def resume(self, job_id: str, *, explain_only: bool = False) -> TrainingJob:
        """The job, which goes on, or could; INVALID_ARGUMENT where it cannot."""
        ...

    async def cancel(self, job_id: str) -> TrainingJob:
        """Stop a job."""
        ...

    async def evaluate(self, rows: AsyncIterator[ScoredRow]) -> Evaluated:
        """Count the errors of all rows."""
        ...

    async def record(self, request_id: str, evaluation: EvaluationRecord) -> None:
        """Keep what an evaluation gave; the same id once."""
        ...

    def evaluations(self, model: str, version: int) -> AsyncIterator[list[EvaluationRecord]]:
        """Evaluations that are kept, newest first, in pages; an empty name and version 0 mean all."""
        ...

    async def compare(self, pairs: Sequence[TextPair]) -> Sequence[TextComparison]:
        """The errors of each pair, in their order; 64 pairs at most."""
        ...

    async def upload(self, request: UploadRequest) -> ModelVersion:
        """The version that a checkpoint became, or would; INVALID_CHECKPOINT where it cannot be used."""
        ...


class Transcripts(Protocol):
    """Transcripts that are kept."""

    async def kept(self) -> KeptTranscripts:
        """How many there are, by version."""
        ...

    async def delete(self, model: str, version: int) -> int:
        """How many were deleted: of a version, of all versions for 0, of all models for no name."""
        ...


class Predictor(Protocol):
    """Speech to text, and both to embeddings."""

    async def loaded(self) -> Sequence[LoadedModel]:
        """The models in memory."""
        ...

    async def unload(self, model: str, version: int) -> int:
        """Versions that left the memory once their statements had ended; 0 means all of them."""
        ...

    def transcribe(  # noqa: PLR0913 - what a statement may ask, each by name
        self,
        precision: str,
        model: str,
        version: int,
        send_rows: Callable[[SendRow], Awaitable[None]],
        *,
        reuse: bool = False,
        beam: BeamSearch | None = None,
        detail: Detail = ...,
        wish: SpeechWish = AS_SPOKEN,
    ) -> AbstractAsyncContextManager[Transcription]:
        """Transcribe what `send_rows` sends; every row is answered once, in any order.

        Leaving the context stops both directions. With `reuse`, transcripts that are kept are taken. What is
        wrong with a beam search is raised before any row is sent. Without `detail` the text is told alone.
        """
        ...

    def embed(
        self, model: str, version: int, send_rows: Callable[[SendRow], Awaitable[None]]
    ) -> AbstractAsyncContextManager[Embedding]:
        """Embed what `send_rows` sends; as `transcribe` otherwise."""
        ...

    def embed_texts(
        self, model: str, version: int, send_rows: Callable[[SendRow], Awaitable[None]]
    ) -> AbstractAsyncContextManager[Embedding]:
        """Embed the texts that `send_rows` sends; as `transcribe` otherwise."""
        ...


@dataclass(frozen=True, kw_only=True)
class Peers:
    """Everything behind the gateway."""

    parser: Parser
    tables: Tables
    catalog: Catalog
    files: Files
    trainer: Trainer
    transcripts: Transcripts
    predictor: Predictor
