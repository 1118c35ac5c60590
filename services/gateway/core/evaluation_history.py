"""SHOW EVALUATIONS: what was measured before, newest first."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pyarrow as pa

from services.gateway.core.places import placed_at
from services.gateway.core.plan_upkeep import ShowEvaluations
from services.gateway.core.plans import split_version
from services.gateway.core.records import Rows
from services.gateway.core.run import Run
from services.gateway.core.score_columns import EvaluationRecord, evaluation_values, score_schema

EVALUATIONS = pa.schema(
    [
        ("time", pa.timestamp("us", tz="UTC")),
        ("model", pa.string()),
        ("version", pa.int64()),
        *score_schema(()),
        ("tables", pa.string()),
        ("rows_mark", pa.string()),
        ("statement", pa.string()),
    ]
)


@asynccontextmanager
async def open_evaluations(run: Run, statement: ShowEvaluations) -> AsyncIterator[Rows]:
    """Those of all models, of one, or of one version; a name that nobody evaluated must be a model's."""
    name, version = split_version(statement.model.text) if statement.model else ("", 0)
    pages = run.peers.trainer.evaluations(name, version)
    first: list[EvaluationRecord] = await anext(pages, [])
    if statement.model and not first:
        with placed_at(statement.model.span):
            await run.peers.catalog.get(name, version)
    yield Rows(schema=EVALUATIONS, batches=_batches(first, pages))


async def _batches(
    first: list[EvaluationRecord], pages: AsyncIterator[list[EvaluationRecord]]
) -> AsyncIterator[pa.RecordBatch]:
    yield _batch(first)
    async for page in pages:
        yield _batch(page)


def _batch(records: list[EvaluationRecord]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([evaluation_values(record) for record in records], schema=EVALUATIONS)
