"""SEARCH AUDIO and SEARCH TEXT: the rows whose embeddings lie nearest to that of one input, best first."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pyarrow as pa

from services.gateway.core.columns import check_result_col, find_column
from services.gateway.core.converting import embed_one
from services.gateway.core.found_rows import Wanted, found_schema, open_found, told_manner
from services.gateway.core.places import option_place, place, placed_at
from services.gateway.core.plans import SearchNearest, SearchText
from services.gateway.core.ports import Relation, VectorSearch
from services.gateway.core.records import ModelVersion, Rows
from services.gateway.core.run import Run
from thanosql_runtime.errors import Reason, ThanosqlError


@asynccontextmanager
async def open_nearest_search(run: Run, statement: SearchNearest) -> AsyncIterator[Rows]:
    """The best rows of the query, then the column with their scores."""
    _check_names(run.text, statement)
    model, wanted = await _wanted(run, statement)
    async with open_found(run, wanted) as rows:
        run.outcome.model = model
        yield rows


async def explained_nearest_search(
    run: Run, statement: SearchNearest, relations: Sequence[Relation]
) -> tuple[ModelVersion, str]:
    """The model, and how storage would find the rows, in words; raises where it would not.

    Args:
        run: The statement that is explained.
        statement: The search in it. Its input is embedded: that alone tells whether it can be.
        relations: What stands for the statements nested in its query.
    """
    model, wanted = await _wanted(run, statement, explain_only=True)
    return model, await told_manner(run, wanted, relations)


def nearest_search_schema(text: str, statement: SearchNearest, inner: pa.Schema) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement."""
    _check_names(text, statement)
    with placed_at(option_place(text, statement, statement.emb_col)):
        find_column(inner, statement.emb_col, "embeddings")
    return found_schema(statement, inner)


async def _wanted(
    run: Run, statement: SearchNearest, *, explain_only: bool = False
) -> tuple[ModelVersion, Wanted]:
    try:
        texts = isinstance(statement, SearchText)
        model, embedding = await embed_one(run, statement.model, statement.search_input, texts=texts)
    except ThanosqlError as failure:
        is_of_model = failure.reason in (Reason.MODEL_NOT_FOUND, Reason.INVALID_CHECKPOINT)
        searched = option_place(run.text, statement, statement.search_input)
        raise place(failure, statement.model.span if is_of_model else searched)  # noqa: B904 - the same error
    search = VectorSearch(
        embedding=embedding,
        emb_col=statement.emb_col,
        result_col=statement.result_col,
        top_k=statement.top_k,
        explain_only=explain_only,
    )
    options = {"emb_col": statement.emb_col}
    return model, Wanted(statement=statement, search=search, options=options, remarked=statement.emb_col)


def _check_names(text: str, statement: SearchNearest) -> None:
    check_result_col(text, statement, {statement.emb_col: "the embeddings"})
