"""SEARCH AUDIO: the rows of a query whose embeddings lie nearest to that of a recording, best first."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pyarrow as pa

from services.gateway.core.columns import find_column, without
from services.gateway.core.converting import embed_recording
from services.gateway.core.places import option_place, place, placed_at, placed_in
from services.gateway.core.plans import SearchAudio
from services.gateway.core.ports import Relation, VectorSearch
from services.gateway.core.queries import bind, nested_relations
from services.gateway.core.records import ModelVersion, Rows
from services.gateway.core.run import Run
from thanosql_runtime.errors import Reason, ThanosqlError, error


@asynccontextmanager
async def open_audio_search(run: Run, statement: SearchAudio) -> AsyncIterator[Rows]:
    """The best rows of the query, then the column with their scores."""
    _check_names(run.text, statement)
    model, search = await _search(run, statement, explain_only=False)
    bound = bind(statement.query, statement.query.sql, nested_relations(run, statement.query))

    async def tell(message: str) -> None:
        await run.notify(message, option_place(run.text, statement, statement.emb_col))

    async with AsyncExitStack() as stack:
        with _placed(run, statement):
            rows = await stack.enter_async_context(run.peers.tables.search(bound, search, tell))
        run.outcome.model = model
        run.outcome.read(rows.tables_read)
        yield Rows(schema=rows.schema, batches=_placed_batches(run, statement, rows))


async def explained_audio_search(
    run: Run, statement: SearchAudio, relations: Sequence[Relation]
) -> tuple[ModelVersion, str]:
    """The model, and how storage would find the rows, in words; raises where it would not.

    Args:
        run: The statement that is explained.
        statement: The search in it. Its recording is embedded: that alone tells whether it can be.
        relations: What stands for the statements nested in its query.
    """
    told: list[str] = []

    async def tell(message: str) -> None:
        told.append(message)

    model, search = await _search(run, statement, explain_only=True)
    bound = bind(statement.query, statement.query.sql, relations)
    with _placed(run, statement):
        async with run.peers.tables.search(bound, search, tell) as rows:
            async for _no_rows in rows.batches:
                pass
    return model, " ".join(told)


def audio_search_schema(text: str, statement: SearchAudio, inner: pa.Schema) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement."""
    _check_names(text, statement)
    with placed_at(option_place(text, statement, statement.emb_col)):
        find_column(inner, statement.emb_col, "embeddings")
    kept = [inner.field(index) for index in without(inner, (statement.result_col,))]
    return pa.schema([*kept, pa.field(statement.result_col, pa.float64())])


async def _search(
    run: Run, statement: SearchAudio, *, explain_only: bool
) -> tuple[ModelVersion, VectorSearch]:
    try:
        model, embedding = await embed_recording(run, statement.model, statement.search_input)
    except ThanosqlError as failure:
        is_of_model = failure.reason in (Reason.MODEL_NOT_FOUND, Reason.INVALID_CHECKPOINT)
        searched = option_place(run.text, statement, statement.search_input)
        raise place(failure, statement.model.span if is_of_model else searched)  # noqa: B904 - the same error
    return model, VectorSearch(
        embedding=embedding,
        emb_col=statement.emb_col,
        result_col=statement.result_col,
        top_k=statement.top_k,
        explain_only=explain_only,
    )


def _check_names(text: str, statement: SearchAudio) -> None:
    name = statement.result_col
    if name.casefold() == statement.emb_col.casefold():
        message = f"result_col cannot be '{name}': that column holds the embeddings; choose another"
        failure = error(Reason.INVALID_OPTION_VALUE, message, option="result_col")
        raise place(failure, option_place(text, statement, name))


@contextmanager
def _placed(run: Run, statement: SearchAudio) -> Iterator[None]:
    """Put the place of the option, table or column at fault on errors raised inside."""
    with placed_in(statement.query, run.text):
        try:
            yield
        except ThanosqlError as failure:
            if failure.metadata.get("option") != "emb_col":
                raise
            raise place(failure, option_place(run.text, statement, statement.emb_col))  # noqa: B904 - the same


async def _placed_batches(run: Run, statement: SearchAudio, rows: Rows) -> AsyncIterator[pa.RecordBatch]:
    with _placed(run, statement):
        async for batch in rows.batches:
            yield batch
