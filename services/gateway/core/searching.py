"""SEARCH KEYWORD: the rows of a query that have the words, best first, with their scores."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial

import pyarrow as pa

from services.gateway.core.columns import check_texts, find_column, without
from services.gateway.core.places import option_place, place, placed_at, placed_in
from services.gateway.core.plans import SearchKeyword
from services.gateway.core.ports import KeywordSearch, Relation
from services.gateway.core.queries import bind, nested_relations
from services.gateway.core.records import Rows
from services.gateway.core.run import Run
from thanosql_runtime.errors import Reason, ThanosqlError, error


@asynccontextmanager
async def open_search(run: Run, statement: SearchKeyword) -> AsyncIterator[Rows]:
    """The best rows of the query, then the column with their scores."""
    _check_names(run.text, statement)
    query, search = statement.query, _search(statement)
    bound = bind(query, query.sql, nested_relations(run, query))
    tell = partial(run.notify, span=option_place(run.text, statement, statement.search_input))
    async with AsyncExitStack() as stack:
        with _placed(run, statement):
            rows = await stack.enter_async_context(run.peers.tables.search(bound, search, tell))
        run.outcome.read(rows.tables_read)
        yield Rows(schema=rows.schema, batches=_placed_batches(run, statement, rows))


async def explained_manner(run: Run, statement: SearchKeyword, relations: Sequence[Relation]) -> str:
    """How storage would find the rows, in words; raises where it would not search for the input.

    Args:
        run: The statement that is explained.
        statement: The search in it.
        relations: What stands for the statements nested in its query.
    """
    told: list[str] = []

    async def tell(message: str) -> None:
        told.append(message)

    bound, search = (
        bind(statement.query, statement.query.sql, relations),
        _search(statement, explain_only=True),
    )
    with _placed(run, statement):
        async with run.peers.tables.search(bound, search, tell) as rows:
            async for _no_rows in rows.batches:
                pass
    return " ".join(told)


def _search(statement: SearchKeyword, *, explain_only: bool = False) -> KeywordSearch:
    return KeywordSearch(
        search_input=statement.search_input,
        text_col=statement.text_col,
        result_col=statement.result_col,
        top_k=statement.top_k,
        explain_only=explain_only,
    )


def search_schema(text: str, statement: SearchKeyword, inner: pa.Schema) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement."""
    _check_names(text, statement)
    with placed_at(option_place(text, statement, statement.text_col)):
        check_texts(inner, find_column(inner, statement.text_col, "texts"), "texts")
    kept = [inner.field(index) for index in without(inner, (statement.result_col,))]
    return pa.schema([*kept, pa.field(statement.result_col, pa.float64())])


def _check_names(text: str, statement: SearchKeyword) -> None:
    name = statement.result_col
    if name.casefold() == statement.text_col.casefold():
        message = f"result_col cannot be '{name}': that column holds the texts; choose another"
        failure = error(Reason.INVALID_OPTION_VALUE, message, option="result_col")
        raise place(failure, option_place(text, statement, name))


@contextmanager
def _placed(run: Run, statement: SearchKeyword) -> Iterator[None]:
    """Put the place of the option, table or column at fault on errors raised inside."""
    options = {"search_input": statement.search_input, "text_col": statement.text_col}
    with placed_in(statement.query, run.text):
        try:
            yield
        except ThanosqlError as failure:
            value = options.get(failure.metadata.get("option", ""))
            if value is None:
                raise
            raise place(failure, option_place(run.text, statement, value))  # noqa: B904 - the same error


async def _placed_batches(run: Run, statement: SearchKeyword, rows: Rows) -> AsyncIterator[pa.RecordBatch]:
    with _placed(run, statement):
        async for batch in rows.batches:
            yield batch
