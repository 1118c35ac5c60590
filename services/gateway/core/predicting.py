"""PREDICT: the rows of a query with what was heard in each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pyarrow as pa

from services.gateway.core.columns import check_texts, find_column, without
from services.gateway.core.ordering import AnsweredChunk
from services.gateway.core.places import option_place, place, placed_at
from services.gateway.core.plans import Predict
from services.gateway.core.progress import RowProgress
from services.gateway.core.queries import counting, open_query
from services.gateway.core.records import RowAnswer, Rows
from services.gateway.core.run import Run
from services.gateway.core.transcribing import Task, open_transcription
from thanosql_runtime.errors import Reason, error

ERROR_COLUMN = "error"


@asynccontextmanager
async def open_prediction(run: Run, statement: Predict) -> AsyncIterator[Rows]:
    """The rows of the query, then the result column and `error`.

    A column of the query that has the name of an added one, whatever its case, is replaced by it.
    """
    async with open_query(run, statement.query) as rows:
        schema = prediction_schema(run.text, statement, rows.schema)
        kept = without(rows.schema, (statement.result_col, ERROR_COLUMN))
        await _tell_replaced(run, statement, rows.schema, kept)
        task = Task(
            model=statement.model,
            batch_size=statement.batch_size,
            audio_index=find_column(rows.schema, statement.audio_col, "recordings"),
        )
        async with counting(run, statement.query) as total:
            progress = RowProgress(run, "transcribing", total)
            async with open_transcription(run, task, rows, progress) as transcribed:
                yield Rows(schema=schema, batches=_extended(transcribed.chunks, schema, kept))


def prediction_schema(text: str, statement: Predict, inner: pa.Schema) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement."""
    with placed_at(option_place(text, statement, statement.audio_col)):
        index = find_column(inner, statement.audio_col, "recordings")
        check_texts(inner, index, "paths of recordings")
    _check_names(text, statement)
    fields = [inner.field(kept) for kept in without(inner, (statement.result_col, ERROR_COLUMN))]
    added = [pa.field(statement.result_col, pa.string()), pa.field(ERROR_COLUMN, pa.string())]
    return pa.schema([*fields, *added])


def _check_names(text: str, statement: Predict) -> None:
    name = statement.result_col
    taken = {ERROR_COLUMN: "the reasons of failed rows", statement.audio_col.casefold(): "the recordings"}
    if name.casefold() in taken:
        raise place(
            error(
                Reason.INVALID_OPTION_VALUE,
                f"result_col cannot be '{name}': that column holds {taken[name.casefold()]}; choose another",
                option="result_col",
            ),
            option_place(text, statement, name),
        )


async def _tell_replaced(run: Run, statement: Predict, inner: pa.Schema, kept: list[int]) -> None:
    replaced = [name for index, name in enumerate(inner.names) if index not in kept]
    if replaced:
        names = ", ".join(f"'{name}'" for name in replaced)
        await run.notify(
            f"the new columns take the place of the query's {names}; "
            "to keep both, rename them in the query or set result_col",
            statement.query.span,
        )


async def _extended(
    chunks: AsyncIterator[AnsweredChunk], schema: pa.Schema, kept: list[int]
) -> AsyncIterator[pa.RecordBatch]:
    async for chunk in chunks:
        columns = [chunk.batch.column(index) for index in kept]
        heard = pa.array([None if answer.failed else answer.text for answer in chunk.answers], pa.string())
        failed = pa.array([_explanation(answer) for answer in chunk.answers], pa.string())
        yield pa.RecordBatch.from_arrays([*columns, heard, failed], schema=schema)


def _explanation(answer: RowAnswer) -> str | None:
    return f"{answer.reason}: {answer.message}" if answer.failed else None
