"""Rows of texts into embeddings, several at a time; a text that has none fails alone."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial

import structlog

from services.predictor.core.flow import answer_each
from services.predictor.core.texts.encoder import LoadedEncoder
from services.predictor.core.types import Embedding, RowAnswer, TextRow
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.long_texts import why_too_long

_log = structlog.get_logger("texts")


def embed_texts(
    encoder: LoadedEncoder, rows: AsyncIterator[TextRow], in_flight: int
) -> AsyncGenerator[RowAnswer[Embedding], None]:
    """Answer every row once, in any order; closing the iterator drops the rows in flight.

    Args:
        encoder: What embeds.
        rows: The texts.
        in_flight: Most texts at a time, so many that batches of nearly the same length form.
    """
    return answer_each(rows, partial(_answer, encoder), in_flight)


async def _answer(encoder: LoadedEncoder, row: TextRow) -> RowAnswer[Embedding]:
    counters = encoder.counters
    try:
        values = await encoder.embed(_checked(row.text))
    except asyncio.CancelledError:
        counters.rows_cancelled += 1
        raise
    except ThanosqlError as failure:
        counters.rows_failed += 1
        return RowAnswer(row_key=row.row_key, outcome=failure)
    except Exception as failure:  # noqa: BLE001 - one row must not end the others
        counters.rows_failed += 1
        _log.exception("text failed unexpectedly", row_key=row.row_key)
        text = f"this row failed unexpectedly ({type(failure).__name__}); the server's log has the details"
        return RowAnswer(row_key=row.row_key, outcome=error(Reason.INTERNAL, text))
    counters.rows_succeeded += 1
    return RowAnswer(row_key=row.row_key, outcome=Embedding(values=values, audio_s=0.0))


def _checked(text: str) -> str:
    if not text.strip():
        raise error(Reason.TEXT_EMPTY, "the text is empty, so it has no embedding")
    if too_long := why_too_long(text):
        raise error(Reason.INVALID_DATA, too_long)
    return text
