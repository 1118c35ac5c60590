"""The columns that PREDICT adds: the text, and beside it what was asked for."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from services.gateway.core.plan_parts import Detail
from services.gateway.core.plans import Predict
from services.gateway.core.records import Alternative, RowAnswer

CONFIDENCE_COLUMN = "confidence"
WORDS_COLUMN = "words"
ALTERNATIVES_COLUMN = "alternatives"


def transcript_fields(statement: Predict) -> list[pa.Field]:
    """Names and types of the columns."""
    detail = statement.detail
    fields = [pa.field(statement.result_col, pa.string()), *_told(detail)]
    if detail.n_best > 1:
        alternative = pa.struct([pa.field("text", pa.string()), *_told(detail)])
        fields.append(pa.field(ALTERNATIVES_COLUMN, pa.list_(alternative)))
    return fields


def transcript_columns(statement: Predict, answers: Sequence[RowAnswer]) -> list[pa.Array]:
    """The values of the columns; null where a row failed."""
    rows = [_row(statement, answer) for answer in answers]
    return [
        pa.array([row.get(field.name) for row in rows], field.type) for field in transcript_fields(statement)
    ]


def _told(detail: Detail) -> list[pa.Field]:
    sure = [pa.field(CONFIDENCE_COLUMN, pa.float64())] if detail.confidence else []
    if not detail.word_times:
        return sure
    times = [pa.field("start_s", pa.float64()), pa.field("end_s", pa.float64())]
    word = pa.struct([pa.field("text", pa.string()), *times, *sure])
    return [*sure, pa.field(WORDS_COLUMN, pa.list_(word))]


# Any: what a struct of Arrow is made of.
def _row(statement: Predict, answer: RowAnswer) -> dict[str, Any]:
    if answer.failed:
        return {}
    best = _alternative(answer.alternatives[0]) if answer.alternatives else {}
    told = {**best, ALTERNATIVES_COLUMN: [_alternative(one) for one in answer.alternatives]}
    return {**told, statement.result_col: answer.text}


def _alternative(alternative: Alternative) -> dict[str, Any]:
    words = [
        {
            "text": word.text,
            "start_s": round(word.start_s, 3),
            "end_s": round(word.end_s, 3),
            CONFIDENCE_COLUMN: _rounded(word.confidence),
        }
        for word in alternative.words
    ]
    confidence = _rounded(alternative.confidence)
    return {"text": alternative.text, CONFIDENCE_COLUMN: confidence, WORDS_COLUMN: words}


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, 3)
