"""Queries, with the statements nested in them opened depth first and attached as relations."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import pyarrow as pa

from services.gateway.core.places import placed_in
from services.gateway.core.plan_parts import Query
from services.gateway.core.ports import BoundQuery, Relation
from services.gateway.core.progress import Totals
from services.gateway.core.records import Rows
from services.gateway.core.run import Run
from thanosql_runtime.errors import ThanosqlError

COUNT_TIMEOUT_S = 10.0
_DURATION = "duration"


@asynccontextmanager
async def open_query(run: Run, query: Query) -> AsyncIterator[Rows]:
    """The rows of a query; its errors carry their place in the text of the call."""
    async with AsyncExitStack() as stack:
        with placed_in(query, run.text):
            bound = bind(query, query.sql, nested_relations(run, query))
            rows = await stack.enter_async_context(run.peers.tables.query(bound))
        run.outcome.read(rows.tables_read)
        yield Rows(schema=rows.schema, batches=_placed_batches(rows, query, run.text))


def nested_relations(run: Run, query: Query) -> list[Relation]:
    """The statements nested in a query, to be opened when their turn comes."""
    return [
        Relation(name=nested.relation, open=partial(run.open_nested, run, nested.statement))
        for nested in query.nested
    ]


def bind(query: Query, sql: str, relations: Sequence[Relation] = ()) -> BoundQuery:
    """The SQL, in which the names mean what they mean in the query."""
    tables = [name.text for name in query.tables]
    return BoundQuery(sql=sql, tables=tables, versions=query.versions, relations=relations)


@asynccontextmanager
async def counting(run: Run, query: Query, schema: pa.Schema) -> AsyncIterator[Callable[[], Totals]]:
    """Count the rows of a query meanwhile, and sum up its column `duration` where it has one.

    Answers a function that tells both once they are known. They serve the progress shown and nothing else:
    where counting fails, or would run nested statements twice, nothing is known.
    """
    task = asyncio.create_task(_count(run, query, schema))
    try:
        yield lambda: task.result() if task.done() and not task.cancelled() else Totals()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _count(run: Run, query: Query, schema: pa.Schema) -> Totals:
    if query.nested:
        return Totals()
    # COPY gives the length of recordings in seconds a column of this name.
    audio_s = f"sum({_DURATION})" if _has_lengths(schema) else "NULL"
    sql = f"SELECT count(*), {audio_s}::DOUBLE FROM (\n{query.sql}\n) AS counted"  # noqa: S608 - a sandboxed SELECT
    with suppress(ThanosqlError, TimeoutError):
        counted = run.peers.tables.query(bind(query, sql))
        async with asyncio.timeout(COUNT_TIMEOUT_S), counted as rows:
            async for batch in rows.batches:
                return Totals(rows=batch.column(0)[0].as_py(), audio_s=batch.column(1)[0].as_py())
    return Totals()


def _has_lengths(schema: pa.Schema) -> bool:
    index = schema.get_field_index(_DURATION)
    return index >= 0 and bool(pa.types.is_floating(schema.field(index).type))


async def _placed_batches(rows: Rows, query: Query, text: str) -> AsyncIterator[pa.RecordBatch]:
    with placed_in(query, text):
        async for batch in rows.batches:
            yield batch
