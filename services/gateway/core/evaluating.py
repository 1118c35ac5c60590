"""EVALUATE: what a model hears in the rows of a query, compared with what was said."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pyarrow as pa

from services.gateway.core.added_columns import ERROR_COLUMN, keep_input, tell_replaced
from services.gateway.core.columns import recordings_column, texts, texts_column
from services.gateway.core.ordering import AnsweredChunk
from services.gateway.core.plans import Evaluate
from services.gateway.core.progress import RowProgress
from services.gateway.core.queries import counting, open_query
from services.gateway.core.records import Evaluated, Rows, ScoredRow, Scores
from services.gateway.core.row_scores import row_score_fields, row_score_schema, row_scores
from services.gateway.core.run import Run, count_of
from services.gateway.core.score_columns import EvaluationRecord, score_schema, score_table
from services.gateway.core.slicing import RowsMark, Slices
from services.gateway.core.transcribing import Task, open_transcription
from thanosql_runtime.errors import Reason, ThanosqlError, error

_LONGEST_STATEMENT = 10_000


@asynccontextmanager
async def open_evaluation(run: Run, statement: Evaluate) -> AsyncIterator[Rows]:
    """The scores of all rows and of each slice, or the rows with the errors of each.

    Rows that fail or have no text are counted, and have no part in the scores.
    """
    begun_s = run.clock()
    query = statement.query
    async with open_query(run, query) as rows, counting(run, query, rows.schema) as totals:
        task = evaluation_task(run.text, statement, rows.schema)
        slices = Slices(run.text, statement, rows.schema)
        if statement.per_row:
            _keep_inputs(run.text, statement)
            await tell_replaced(run, statement, rows.schema, row_score_fields())
        progress = RowProgress(run, "transcribing", totals)
        async with open_transcription(run, task, rows, progress) as transcribed:
            if statement.per_row:
                batches = row_scores(run, task, rows, transcribed.chunks)
            else:
                evaluation = _Evaluation(run, statement, task, slices, begun_s)
                batches = evaluation.batches(transcribed.chunks, progress)
            yield Rows(schema=evaluation_schema(statement, rows.schema, slices), batches=batches)


def evaluation_schema(statement: Evaluate, inner: pa.Schema, slices: Slices) -> pa.Schema:
    """The columns of the answer."""
    return row_score_schema(inner) if statement.per_row else score_schema(slices.names)


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


def _keep_inputs(text: str, statement: Evaluate) -> None:
    added = [*(field.name for field in row_score_fields()), ERROR_COLUMN]
    for option, column in (("audio_col", statement.audio_col), ("text_col", statement.text_col)):
        keep_input(text, statement, option, column, added)


class _Evaluation:
    """One that answers scores, once all rows are heard."""

    def __init__(self, run: Run, statement: Evaluate, task: Task, slices: Slices, begun_s: float) -> None:
        self._run = run
        self._statement = statement
        self._task = task
        self._slices = slices
        self._begun_s = begun_s
        self._mark = RowsMark()

    async def batches(
        self, chunks: AsyncIterator[AnsweredChunk], progress: RowProgress
    ) -> AsyncIterator[pa.RecordBatch]:
        evaluated = await self._run.peers.trainer.evaluate(self._pairs(chunks))
        if evaluated.total.rows == 0:
            raise error(
                Reason.NO_USABLE_ROWS,
                f"none of {count_of(progress.rows, 'row')} could be compared; "
                "check the recordings and the texts that the query answers",
                rows=str(progress.rows),
            )
        elapsed_s = self._run.clock() - self._begun_s
        self._tell(evaluated)
        await self._keep(evaluated.total, elapsed_s)
        slices = self._slices
        for batch in score_table(evaluated, elapsed_s, slices.names, slices.labels()).to_batches():
            yield batch

    async def _pairs(self, chunks: AsyncIterator[AnsweredChunk]) -> AsyncIterator[ScoredRow]:
        assert self._task.text_index is not None
        async for chunk in chunks:
            references = texts(chunk.batch, self._task.text_index)
            self._mark.add(chunk.batch.column(self._task.input_index).to_pylist(), references)
            numbers, groups = self._slices.numbers(chunk.batch), self._slices.groups(chunk.batch)
            for reference, answer, number, group in zip(
                references, chunk.answers, numbers, groups, strict=True
            ):
                yield ScoredRow(
                    reference=reference or "",
                    hypothesis=answer.text,
                    audio_s=answer.audio_s,
                    failed=answer.failed,
                    slice=number,
                    group=group,
                )

    async def _keep(self, scores: Scores, elapsed_s: float) -> None:
        """Have the scores kept; they are answered all the same where that fails."""
        run = self._run
        assert run.outcome.model is not None
        record = EvaluationRecord(
            model=run.outcome.model.name,
            version=run.outcome.model.version,
            statement=run.plan.canonical_text[:_LONGEST_STATEMENT],
            tables=run.outcome.tables_read,
            rows_mark=self._mark.text,
            scores=scores,
            elapsed_s=elapsed_s,
        )
        try:
            await run.peers.trainer.record(f"{run.request_id}:{self._statement.span.start}", record)
        except ThanosqlError as failure:
            await run.notify(f"SHOW EVALUATIONS will not have this one: {failure.message}")

    def _tell(self, evaluated: Evaluated) -> None:
        """The outcome of the statement, unless this one stands in it."""
        if self._run.plan.statement is not self._statement:
            return
        scores = evaluated.total
        self._run.outcome.scores = scores
        rate = f"word error rate {scores.wer:.2%}{_interval(scores)}"
        self._run.outcome.message = f"{rate} over {count_of(scores.rows, 'row')}"


def _interval(scores: Scores) -> str:
    if scores.wer_low is None or scores.wer_high is None:
        return ""
    return f" ({scores.wer_low:.2%} to {scores.wer_high:.2%})"
