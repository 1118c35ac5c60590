"""The rows that storage finds in those of a query: the best first, then the column with their scores."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from services.gateway.core.columns import without
from services.gateway.core.places import option_place, place, placed_in
from services.gateway.core.plans import SearchKeyword, SearchNearest
from services.gateway.core.ports import KeywordSearch, Relation, VectorSearch
from services.gateway.core.queries import bind, nested_relations
from services.gateway.core.records import Rows
from services.gateway.core.run import Run
from thanosql_runtime.errors import ThanosqlError


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A search in the rows of a query.

    Attributes:
        statement: As it was written.
        search: What storage is asked for.
        options: Those that storage may find at fault, by their names.
        remarked: The value of the option that remarks are about.
    """

    statement: SearchNearest | SearchKeyword
    search: KeywordSearch | VectorSearch
    options: Mapping[str, str]
    remarked: str


@asynccontextmanager
async def open_found(run: Run, wanted: Wanted) -> AsyncIterator[Rows]:
    """The rows as they are found."""
    query = wanted.statement.query
    bound = bind(query, query.sql, nested_relations(run, query))
    tell = partial(run.notify, span=option_place(run.text, wanted.statement, wanted.remarked))
    async with AsyncExitStack() as stack:
        with _placed(run, wanted):
            rows = await stack.enter_async_context(run.peers.tables.search(bound, wanted.search, tell))
        run.outcome.read(rows.tables_read)
        yield Rows(schema=rows.schema, batches=_placed_batches(run, wanted, rows))


async def told_manner(run: Run, wanted: Wanted, relations: Sequence[Relation]) -> str:
    """How storage would find the rows, in words; raises where it would not search.

    Args:
        run: The statement that is explained.
        wanted: The search in it, which only explains.
        relations: What stands for the statements nested in its query.
    """
    told: list[str] = []

    async def tell(message: str) -> None:
        told.append(message)

    bound = bind(wanted.statement.query, wanted.statement.query.sql, relations)
    with _placed(run, wanted):
        async with run.peers.tables.search(bound, wanted.search, tell) as rows:
            async for _no_rows in rows.batches:
                pass
    return " ".join(told)


def found_schema(statement: SearchNearest | SearchKeyword, inner: pa.Schema) -> pa.Schema:
    """The columns of the answer."""
    kept = [inner.field(index) for index in without(inner, (statement.result_col,))]
    return pa.schema([*kept, pa.field(statement.result_col, pa.float64())])


@contextmanager
def _placed(run: Run, wanted: Wanted) -> Iterator[None]:
    """Put the place of the option, table or column at fault on errors raised inside."""
    with placed_in(wanted.statement.query, run.text):
        try:
            yield
        except ThanosqlError as failure:
            value = wanted.options.get(failure.metadata.get("option", ""))
            if value is None:
                raise
            raise place(failure, option_place(run.text, wanted.statement, value))  # noqa: B904 - the same error


async def _placed_batches(run: Run, wanted: Wanted, rows: Rows) -> AsyncIterator[pa.RecordBatch]:
    with _placed(run, wanted):
        async for batch in rows.batches:
            yield batch
