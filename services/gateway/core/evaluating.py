"""EVALUATE: what a model hears in the rows of a query, compared with what was said."""

from collections.abc import AsyncIterator

import pyarrow as pa

from services.gateway.core.columns import recordings_column, texts, texts_column
from services.gateway.core.ordering import AnsweredChunk
from services.gateway.core.plans import Evaluate
from services.gateway.core.progress import RowProgress
from services.gateway.core.queries import counting, open_query
from services.gateway.core.records import Evaluated, Rows, ScoredRow, Scores
from services.gateway.core.run import Run, count_of
from services.gateway.core.score_columns import score_table
from services.gateway.core.slicing import Slices
from services.gateway.core.transcribing import Task, open_transcription
from thanosql_runtime.errors import Reason, error


async def run_evaluate(run: Run, statement: Evaluate) -> None:
    """Answer the scores of all rows and of each slice; rows that failed or have no text are counted alone."""
    begun_s = run.clock()
    query = statement.query
    async with open_query(run, query) as rows, counting(run, query, rows.schema) as totals:
        task = evaluation_task(run.text, statement, rows.schema)
        slices = Slices(run.text, statement, rows.schema)
        progress = RowProgress(run, "transcribing", totals)
        evaluated = await _score(run, task, rows, slices, progress)
    scores = evaluated.total
    if scores.rows == 0:
        raise error(
            Reason.NO_USABLE_ROWS,
            f"none of {count_of(progress.rows, 'row')} could be compared; "
            "check the recordings and the texts that the query answers",
            rows=str(progress.rows),
        )
    run.outcome.scores = scores
    elapsed_s = run.clock() - begun_s
    await run.answer_table(score_table(evaluated, elapsed_s, slices.names, slices.labels()))
    run.outcome.message = (
        f"word error rate {scores.wer:.2%}{_interval(scores)} over {count_of(scores.rows, 'row')}"
    )


def evaluation_task(text: str, statement: Evaluate, schema: pa.Schema) -> Task:
    """What to transcribe; raises where the query's columns do not fit the statement."""
    return Task(
        model=statement.model,
        batch_size=statement.batch_size,
        input_index=recordings_column(text, statement, schema, statement.audio_col),
        text_index=texts_column(text, statement, schema, statement.text_col),
        precision=statement.precision,
        reuse=statement.reuse,
        beam=statement.beam,
        span=statement.span,
    )


async def _score(run: Run, task: Task, rows: Rows, slices: Slices, progress: RowProgress) -> Evaluated:
    async with open_transcription(run, task, rows, progress) as transcribed:
        return await run.peers.trainer.evaluate(_pairs(transcribed.chunks, task, slices))


async def _pairs(
    chunks: AsyncIterator[AnsweredChunk], task: Task, slices: Slices
) -> AsyncIterator[ScoredRow]:
    assert task.text_index is not None
    async for chunk in chunks:
        references = texts(chunk.batch, task.text_index)
        parts = zip(slices.numbers(chunk.batch), slices.groups(chunk.batch), strict=True)
        for reference, answer, (part, group) in zip(references, chunk.answers, parts, strict=True):
            yield ScoredRow(
                reference=reference or "",
                hypothesis=answer.text,
                audio_s=answer.audio_s,
                failed=answer.failed,
                slice=part,
                group=group,
            )


def _interval(scores: Scores) -> str:
    if scores.wer_low is None or scores.wer_high is None:
        return ""
    return f" ({scores.wer_low:.2%} to {scores.wer_high:.2%})"
