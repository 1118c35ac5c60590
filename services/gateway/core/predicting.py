"""PREDICT: the rows of a query with what was heard in each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pyarrow as pa

from services.gateway.core.added_columns import extended, extended_schema, kept_columns, tell_replaced
from services.gateway.core.columns import find_column
from services.gateway.core.new_rows import asked_rows
from services.gateway.core.plans import Predict
from services.gateway.core.progress import RowProgress
from services.gateway.core.queries import counting, open_query
from services.gateway.core.records import Rows
from services.gateway.core.run import Run
from services.gateway.core.transcribing import Task, open_transcription
from services.gateway.core.transcript_columns import transcript_columns, transcript_fields


@asynccontextmanager
async def open_prediction(run: Run, statement: Predict) -> AsyncIterator[Rows]:
    """The rows of the query, then the result column, what was asked for beside it, and `error`."""
    asked = await asked_rows(run, statement)
    async with open_query(run, asked.query) as rows:
        schema = prediction_schema(run.text, statement, rows.schema)
        results = transcript_fields(statement)
        await tell_replaced(run, statement, rows.schema, results)
        task = Task(
            model=statement.model,
            batch_size=statement.batch_size,
            input_index=find_column(rows.schema, statement.audio_col, "recordings"),
            precision=statement.precision,
            reuse=statement.reuse,
            only_unkept=asked.only_unkept,
            beam=statement.beam,
            wish=statement.wish,
            span=statement.span,
            detail=statement.detail,
        )
        async with counting(run, asked.query, rows.schema) as totals:
            progress = RowProgress(run, "transcribing", totals)
            async with open_transcription(run, task, rows, progress) as transcribed:
                kept = kept_columns(rows.schema, results)
                heard = partial(transcript_columns, statement)
                yield Rows(schema=schema, batches=extended(transcribed.chunks, schema, kept, heard))


def prediction_schema(text: str, statement: Predict, inner: pa.Schema) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement."""
    return extended_schema(text, statement, inner, transcript_fields(statement))
