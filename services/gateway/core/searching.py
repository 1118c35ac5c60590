"""SEARCH KEYWORD: the rows of a query that have the words, best first, with their scores."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pyarrow as pa

from services.gateway.core.columns import check_result_col, texts_column
from services.gateway.core.found_rows import Wanted, found_schema, open_found, told_manner
from services.gateway.core.plans import SearchKeyword
from services.gateway.core.ports import KeywordSearch, Relation
from services.gateway.core.records import Rows
from services.gateway.core.run import Run


@asynccontextmanager
async def open_search(run: Run, statement: SearchKeyword) -> AsyncIterator[Rows]:
    """The best rows of the query, then the column with their scores."""
    _check_names(run.text, statement)
    async with open_found(run, _wanted(statement)) as rows:
        yield rows


async def explained_manner(run: Run, statement: SearchKeyword, relations: Sequence[Relation]) -> str:
    """How storage would find the rows, in words; raises where it would not search for the input.

    Args:
        run: The statement that is explained.
        statement: The search in it.
        relations: What stands for the statements nested in its query.
    """
    return await told_manner(run, _wanted(statement, explain_only=True), relations)


def search_schema(text: str, statement: SearchKeyword, inner: pa.Schema) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement."""
    _check_names(text, statement)
    texts_column(text, statement, inner, statement.text_col)
    return found_schema(statement, inner)


def _wanted(statement: SearchKeyword, *, explain_only: bool = False) -> Wanted:
    search = KeywordSearch(
        search_input=statement.search_input,
        text_col=statement.text_col,
        result_col=statement.result_col,
        top_k=statement.top_k,
        explain_only=explain_only,
    )
    return Wanted(
        statement=statement,
        search=search,
        options={"search_input": statement.search_input, "text_col": statement.text_col},
        remarked=statement.search_input,
    )


def _check_names(text: str, statement: SearchKeyword) -> None:
    check_result_col(text, statement, {statement.text_col: "the texts"})
