"""PREDICT: the rows of a query with what was heard in each."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pyarrow as pa

from services.gateway.core.added_columns import extended, extended_schema, kept_columns, tell_replaced
from services.gateway.core.columns import find_column
from services.gateway.core.new_rows import asked_rows
from services.gateway.core.plans import Predict
from services.gateway.core.progress import RowProgress
from services.gateway.core.queries import counting, open_query
from services.gateway.core.records import RowAnswer, Rows
from services.gateway.core.run import Run
from services.gateway.core.transcribing import Task, open_transcription


@asynccontextmanager
async def open_prediction(run: Run, statement: Predict) -> AsyncIterator[Rows]:
    """The rows of the query, then the result column and `error`."""
    asked = await asked_rows(run, statement)
    async with open_query(run, asked.query) as rows:
        schema = prediction_schema(run.text, statement, rows.schema)
        await tell_replaced(run, statement, rows.schema)
        task = Task(
            model=statement.model,
            batch_size=statement.batch_size,
            input_index=find_column(rows.schema, statement.audio_col, "recordings"),
            precision=statement.precision,
            reuse=statement.reuse,
            only_unkept=asked.only_unkept,
            beam=statement.beam,
            span=statement.span,
        )
        async with counting(run, asked.query, rows.schema) as totals:
            progress = RowProgress(run, "transcribing", totals)
            async with open_transcription(run, task, rows, progress) as transcribed:
                kept = kept_columns(statement, rows.schema)
                yield Rows(schema=schema, batches=extended(transcribed.chunks, schema, kept, _heard))


def prediction_schema(text: str, statement: Predict, inner: pa.Schema) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement."""
    return extended_schema(text, statement, inner, pa.string())


def _heard(answers: Sequence[RowAnswer]) -> pa.Array:
    return pa.array([None if answer.failed else answer.text for answer in answers], pa.string())
