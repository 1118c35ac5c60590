"""Queries, with the statements nested in them opened depth first and attached as relations."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import pyarrow as pa

from services.gateway.core.places import placed_in
from services.gateway.core.plan_parts import Query
from services.gateway.core.ports import BoundQuery, Relation
from services.gateway.core.records import Rows
from services.gateway.core.run import Run
from thanosql_runtime.errors import ThanosqlError

COUNT_TIMEOUT_S = 10.0


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
async def counting(run: Run, query: Query) -> AsyncIterator[Callable[[], int | None]]:
    """Count the rows of a query meanwhile; answers a function that tells the count once it is known.

    The count serves the progress shown and nothing else: where it fails, or would run nested
    statements twice, there is none.
    """
    task = asyncio.create_task(_count(run, query))
    try:
        yield lambda: task.result() if task.done() and not task.cancelled() else None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _count(run: Run, query: Query) -> int | None:
    if query.nested:
        return None
    sql = f"SELECT count(*) AS total FROM (\n{query.sql}\n) AS counted"  # noqa: S608 - a sandboxed SELECT
    with suppress(ThanosqlError, TimeoutError):
        counted = run.peers.tables.query(bind(query, sql))
        async with asyncio.timeout(COUNT_TIMEOUT_S), counted as rows:
            async for batch in rows.batches:
                return int(batch.column(0)[0].as_py())
    return None


async def _placed_batches(rows: Rows, query: Query, text: str) -> AsyncIterator[pa.RecordBatch]:
    with placed_in(query, text):
        async for batch in rows.batches:
            yield batch
