"""CONVERT: the rows of a query with the embedding of each recording, or of each text."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import pyarrow as pa

from services.gateway.core.added_columns import extended, extended_schema, kept_columns, tell_replaced
from services.gateway.core.columns import find_column
from services.gateway.core.places import placed_at
from services.gateway.core.plan_parts import Name
from services.gateway.core.plans import Convert, split_version
from services.gateway.core.ports import SendRow
from services.gateway.core.progress import RowProgress
from services.gateway.core.queries import counting, open_query
from services.gateway.core.records import Embedding, InputRow, ModelVersion, RowAnswer, Rows
from services.gateway.core.run import Run
from services.gateway.core.transcribing import Ask, Task, open_answers
from thanosql_runtime.errors import Reason, ThanosqlError, error


@asynccontextmanager
async def open_conversion(run: Run, statement: Convert) -> AsyncIterator[Rows]:
    """The rows of the query, then the column of embeddings and `error`."""
    async with open_query(run, statement.query) as rows:
        # Checked before anything is computed; how many numbers an embedding has, the model says.
        conversion_schema(run.text, statement, rows.schema, dimension=1)
        await tell_replaced(run, statement, rows.schema, [_field(statement, dimension=1)])
        task = Task(
            model=statement.model,
            batch_size=statement.batch_size,
            input_index=find_column(rows.schema, statement.input_col, statement.input_words),
            reads_texts=bool(statement.text_col),
        )
        async with counting(run, statement.query, rows.schema) as totals:
            progress = RowProgress(run, "embedding", totals, of_audio=not task.reads_texts)
            embed = _embedding_of(run, texts=task.reads_texts)
            async with open_answers(run, task, rows, progress, embed) as embedded:
                dimension = embedded.call.dimension
                schema = conversion_schema(run.text, statement, rows.schema, dimension)
                kept = kept_columns(rows.schema, [_field(statement, dimension)])
                results = partial(_embeddings, dimension=dimension)
                yield Rows(schema=schema, batches=extended(embedded.chunks, schema, kept, results))


def conversion_schema(text: str, statement: Convert, inner: pa.Schema, dimension: int) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement."""
    return extended_schema(text, statement, inner, [_field(statement, dimension)])


async def embedding_dimension(run: Run, statement: Convert) -> tuple[ModelVersion, int]:
    """The model, and how many numbers its embeddings have; it is loaded for that."""
    model, embed = statement.model, _embedding_of(run, texts=bool(statement.text_col))

    async def send_nothing(_send: SendRow) -> None:
        return

    with placed_at(model.span):
        async with embed(*split_version(model.text), send_nothing) as call:
            return call.model, call.dimension


async def embed_one(
    run: Run, model: Name, content: str, *, texts: bool
) -> tuple[ModelVersion, Sequence[float]]:
    """The embedding of one recording of the workspace, by its path, or of one text.

    Raises:
        ThanosqlError: What a row with it would have in `error`.
    """

    async def send_one(send: SendRow) -> None:
        await send(InputRow(key=0, content=content))

    async with _embedding_of(run, texts=texts)(*split_version(model.text), send_one) as call:
        async for answer in call.answers:
            if answer.failed:
                raise ThanosqlError(reason=Reason(answer.reason), message=answer.message)
            return call.model, answer.embedding
    raise error(Reason.INTERNAL, "the predictor ended without an answer")


def _embedding_of(run: Run, *, texts: bool) -> Ask[Embedding]:
    return run.peers.predictor.embed_texts if texts else run.peers.predictor.embed


def _field(statement: Convert, dimension: int) -> pa.Field:
    return pa.field(statement.result_col, _type(dimension))


def _type(dimension: int) -> pa.DataType:
    return pa.list_(pa.float32(), dimension)


def _embeddings(answers: Sequence[RowAnswer], dimension: int) -> list[pa.Array]:
    values = [None if answer.failed else answer.embedding for answer in answers]
    return [pa.array(values, _type(dimension))]
