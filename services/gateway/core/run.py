"""One statement while it runs: what it may use, whom it tells, and what it has counted."""

import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

import pyarrow as pa

from services.gateway.core.events import Event, Notice, RowsFailed, RowsReady, SchemaKnown
from services.gateway.core.plans import Plan, Statement
from services.gateway.core.ports import Peers, WriteTarget
from services.gateway.core.records import ModelVersion, RowError, Rows, Scores, TableVersion
from thanosql_runtime.arrow import encode_batches
from thanosql_runtime.errors import Span

ROW_ERRORS_TOLD = 100

Emit = Callable[[Event], Awaitable[None]]

_REQUESTS = uuid.UUID("8a5c2f0e-6d0b-4e53-9a57-3c1f7f0f4d11")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one statement may use.

    Attributes:
        window_batches: Batches of rows in flight to the predictor and back.
        media_files: Recordings that one PRINT plays.
        progress_interval_s: Shortest time between two progress events.
        cancel_timeout_s: How long stopping a job may take.
    """

    window_batches: int = 4
    media_files: int = 100
    progress_interval_s: float = 0.5
    cancel_timeout_s: float = 10.0


@dataclass(kw_only=True)
class Outcome:
    """What a statement has done so far.

    Attributes:
        message: One sentence; empty where the number of rows says it all.
        rows: Rows answered.
        rows_changed: Rows changed in a table.
        row_errors: Rows that failed.
        rows_reused: Rows whose transcript was kept and not computed.
        rows_left: Rows left out because they are not new.
        model: The model that was used or made.
        scores: The scores of EVALUATE.
        tables_read: The stored tables behind its rows, each once.
        is_compared: Whether its rows were chosen by what the table has that they go into.
    """

    message: str = ""
    rows: int = 0
    rows_changed: int = 0
    row_errors: int = 0
    rows_reused: int = 0
    rows_left: int = 0
    model: ModelVersion | None = None
    scores: Scores | None = None
    tables_read: list[TableVersion] = field(default_factory=list)
    is_compared: bool = False

    def read(self, tables: Sequence[TableVersion]) -> None:
        """Note tables that were read, each at its version."""
        self.tables_read.extend(table for table in tables if table not in self.tables_read)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One statement of one call.

    Attributes:
        peers: The services behind the gateway.
        limits: What it may use.
        emit: Tells the caller; waits while the caller is slow.
        open_nested: Opens the rows of a statement that stands in another.
        text: The text of the call, which spans point into.
        plan: The statement.
        request_key: Names this statement of this call, the same when the call is repeated.
        clock: Seconds that only grow.
        outcome: What it has done so far.
        target: The table that its rows go into; None where they are answered.
    """

    peers: Peers
    limits: Limits
    emit: Emit
    open_nested: "OpenNested"
    text: str
    plan: Plan
    request_key: str
    clock: Callable[[], float] = time.monotonic
    outcome: Outcome = field(default_factory=Outcome)
    target: WriteTarget | None = None

    def writing(self, target: WriteTarget) -> "Run":
        """The same statement, as its queries see it: their rows go into a table."""
        return replace(self, target=target)

    @property
    def request_id(self) -> str:
        """Names this statement to services that must not do it twice."""
        return str(uuid.uuid5(_REQUESTS, self.request_key))

    async def notify(self, message: str, span: Span | None = None) -> None:
        """Say something that stops nothing."""
        await self.emit(Notice(message=message, span=span))

    async def report(self, errors: Sequence[RowError]) -> None:
        """Count rows that failed, and tell the first of them."""
        told = max(0, ROW_ERRORS_TOLD - self.outcome.row_errors)
        self.outcome.row_errors += len(errors)
        if errors[:told]:
            await self.emit(RowsFailed(errors=errors[:told]))

    async def answer(self, rows: Rows) -> None:
        """Send rows as the statement's result."""
        await self.emit(SchemaKnown(schema=rows.schema))
        async for batch in rows.batches:
            await self.answer_batch(batch)

    async def answer_batch(self, batch: pa.RecordBatch) -> None:
        """Send rows of a result whose schema was sent."""
        self.outcome.rows += batch.num_rows
        for message in encode_batches(batch):
            await self.emit(RowsReady(message=message))

    async def answer_table(self, table: pa.Table) -> None:
        """Send a small table as the statement's result."""
        await self.emit(SchemaKnown(schema=table.schema))
        for batch in table.to_batches():
            await self.answer_batch(batch)


OpenNested = Callable[[Run, Statement], AbstractAsyncContextManager[Rows]]


def count_of(number: int, noun: str) -> str:
    """Such as `1 row` or `5 rows`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
