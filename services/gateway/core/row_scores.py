"""EVALUATE row by row: what was heard in each row, its errors, and where the texts differ."""

from collections.abc import AsyncIterator, Iterator, Sequence

import pyarrow as pa

from services.gateway.core.added_columns import ERROR_COLUMN, kept_columns
from services.gateway.core.columns import texts
from services.gateway.core.comparisons import TextComparison, TextPair
from services.gateway.core.ordering import AnsweredChunk
from services.gateway.core.records import RowAnswer, RowError, Rows
from services.gateway.core.run import Run
from services.gateway.core.transcribing import Task

_FIELDS = pa.schema(
    [
        ("predicted", pa.string()),
        ("wer", pa.float64()),
        ("cer", pa.float64()),
        ("word_errors", pa.int64()),
        ("substitutions", pa.int64()),
        ("deletions", pa.int64()),
        ("insertions", pa.int64()),
        ("reference_words", pa.int64()),
        ("difference", pa.string()),
    ]
)
_LONGEST_SUBJECT = 100
_PAIRS_A_CALL = 64
_CHARACTERS_A_CALL = 250_000


def row_score_fields() -> Sequence[pa.Field]:
    """The columns that are added, but for `error`."""
    return list(_FIELDS)


def row_score_schema(inner: pa.Schema) -> pa.Schema:
    """The query's columns, then those of each row's errors."""
    fields = [inner.field(index) for index in kept_columns(inner, row_score_fields())]
    return pa.schema([*fields, *_FIELDS, pa.field(ERROR_COLUMN, pa.string())])


async def row_scores(
    run: Run, task: Task, rows: Rows, chunks: AsyncIterator[AnsweredChunk]
) -> AsyncIterator[pa.RecordBatch]:
    """The rows with their errors; one that cannot be compared has a reason in the column `error`."""
    schema, kept = row_score_schema(rows.schema), kept_columns(rows.schema, row_score_fields())
    async for chunk in chunks:
        compared = await _compared(run, task, chunk)
        columns = [chunk.batch.column(index) for index in kept]
        told = [_told(*pair) for pair in zip(chunk.answers, compared, strict=True)]
        added = [pa.array([row.get(name) for row in told], schema.field(name).type) for name in _added()]
        yield pa.RecordBatch.from_arrays([*columns, *added], schema=schema)


async def _compared(run: Run, task: Task, chunk: AnsweredChunk) -> list[TextComparison | None]:
    """The comparison of each row; None where nothing was heard."""
    assert task.text_index is not None
    references = texts(chunk.batch, task.text_index)
    heard = [index for index, answer in enumerate(chunk.answers) if not answer.failed]
    pairs = [
        TextPair(reference=references[index] or "", hypothesis=chunk.answers[index].text) for index in heard
    ]
    compared: list[TextComparison | None] = [None] * len(chunk.answers)
    comparisons = [item for part in _calls(pairs) for item in await run.peers.trainer.compare(part)]
    for index, comparison in zip(heard, comparisons, strict=True):
        compared[index] = comparison
    await run.report(
        [
            RowError(
                row=chunk.first_key + index,
                subject=(references[index] or "")[:_LONGEST_SUBJECT],
                reason=item.reason,
                message=item.message,
            )
            for index, item in enumerate(compared)
            if item is not None and item.reason
        ]
    )
    return compared


def _calls(pairs: Sequence[TextPair]) -> Iterator[Sequence[TextPair]]:
    """The pairs in parts that fit into a message; one pair at least in each."""
    part: list[TextPair] = []
    characters = 0
    for pair in pairs:
        size = len(pair.reference) + len(pair.hypothesis)
        if part and (len(part) == _PAIRS_A_CALL or characters + size > _CHARACTERS_A_CALL):
            yield part
            part, characters = [], 0
        part.append(pair)
        characters += size
    if part:
        yield part


def _told(answer: RowAnswer, compared: TextComparison | None) -> dict[str, object]:
    if compared is None:
        return {ERROR_COLUMN: f"{answer.reason}: {answer.message}"}
    if compared.reason:
        return {"predicted": answer.text, ERROR_COLUMN: f"{compared.reason}: {compared.message}"}
    return {
        "predicted": answer.text,
        "wer": compared.wer,
        "cer": compared.cer,
        "word_errors": compared.word_errors,
        "substitutions": compared.substitutions,
        "deletions": compared.deletions,
        "insertions": compared.insertions,
        "reference_words": compared.reference_words,
        "difference": compared.difference,
    }


def _added() -> list[str]:
    return [*_FIELDS.names, ERROR_COLUMN]
