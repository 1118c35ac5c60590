"""EVALUATE: what a model hears in the rows of a query, compared with what was said."""

from collections.abc import AsyncIterator

import pyarrow as pa

from services.gateway.core.columns import recordings_column, texts, texts_column
from services.gateway.core.ordering import AnsweredChunk
from services.gateway.core.plans import Evaluate
from services.gateway.core.progress import RowProgress
from services.gateway.core.queries import counting, open_query
from services.gateway.core.records import Rows, ScoredRow, Scores
from services.gateway.core.run import Run, count_of
from services.gateway.core.transcribing import Task, open_transcription
from thanosql_runtime.errors import Reason, error


async def run_evaluate(run: Run, statement: Evaluate) -> None:
    """Answer one row of scores; rows that failed or have no text are left out and counted."""
    begun_s = run.clock()
    query = statement.query
    async with open_query(run, query) as rows, counting(run, query, rows.schema) as totals:
        task = evaluation_task(run.text, statement, rows.schema)
        progress = RowProgress(run, "transcribing", totals)
        scores = await _score(run, task, rows, progress)
    if scores.rows == 0:
        raise error(
            Reason.NO_USABLE_ROWS,
            f"none of {count_of(progress.rows, 'row')} could be compared; "
            "check the recordings and the texts that the query answers",
            rows=str(progress.rows),
        )
    run.outcome.scores = scores
    await run.answer_table(_as_table(scores, run.clock() - begun_s))
    run.outcome.message = f"word error rate {scores.wer:.2%} over {count_of(scores.rows, 'row')}"


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


async def _score(run: Run, task: Task, rows: Rows, progress: RowProgress) -> Scores:
    async with open_transcription(run, task, rows, progress) as transcribed:
        return await run.peers.trainer.evaluate(_pairs(transcribed.chunks, task))


async def _pairs(chunks: AsyncIterator[AnsweredChunk], task: Task) -> AsyncIterator[ScoredRow]:
    assert task.text_index is not None
    async for chunk in chunks:
        references = texts(chunk.batch, task.text_index)
        for reference, answer in zip(references, chunk.answers, strict=True):
            yield ScoredRow(
                reference=reference or "",
                hypothesis=answer.text,
                audio_s=answer.audio_s,
                failed=answer.failed,
            )


def _as_table(scores: Scores, elapsed_s: float) -> pa.Table:
    """One row; the real-time factor is seconds of work for a second of audio."""
    values = {
        "wer": scores.wer,
        "cer": scores.cer,
        "substitutions": scores.substitutions,
        "deletions": scores.deletions,
        "insertions": scores.insertions,
        "reference_words": scores.reference_words,
        "rows": scores.rows,
        "rows_left_out": scores.rows_left_out,
        "audio_seconds": scores.audio_s,
        "real_time_factor": elapsed_s / scores.audio_s if scores.audio_s else None,
    }
    return pa.table({name: [value] for name, value in values.items()})
