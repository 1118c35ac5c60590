"""The columns in which EVALUATE answers scores: a row for all, and one for each slice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from services.gateway.core.records import Evaluated, Scores, TableVersion

_RATE, _COUNT = pa.float64(), pa.int64()
_SCHEMA = pa.schema(
    [
        ("wer", _RATE),
        ("wer_low", _RATE),
        ("wer_high", _RATE),
        ("cer", _RATE),
        ("cer_low", _RATE),
        ("cer_high", _RATE),
        ("substitutions", _COUNT),
        ("deletions", _COUNT),
        ("insertions", _COUNT),
        ("reference_words", _COUNT),
        ("rows", _COUNT),
        ("rows_left_out", _COUNT),
        ("audio_seconds", _RATE),
        ("real_time_factor", _RATE),
        ("normaliser", pa.string()),
    ]
)
ALL = "(all)"
"""Stands in the columns of the slices where all rows are meant."""
SCORE_COLUMNS = frozenset(_SCHEMA.names)


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord:
    """One evaluation that is kept; see trainer.proto. It has no time before it is kept."""

    model: str
    version: int
    statement: str
    tables: Sequence[TableVersion]
    rows_mark: str
    scores: Scores
    elapsed_s: float
    time: datetime | None = None


def evaluation_values(record: EvaluationRecord) -> dict[str, object]:
    """The columns of one that is kept."""
    return {
        **_values(record.scores),
        "real_time_factor": _factor(record.scores, record.elapsed_s),
        "time": record.time,
        "model": record.model,
        "version": record.version,
        "tables": ", ".join(f"{item.table} AT VERSION {item.version}" for item in record.tables),
        "rows_mark": record.rows_mark,
        "statement": record.statement,
    }


def score_schema(slice_names: Sequence[str]) -> pa.Schema:
    """The columns, those of the slices first."""
    return pa.schema([*(pa.field(name, pa.string()) for name in slice_names), *_SCHEMA])


def score_table(
    evaluated: Evaluated, elapsed_s: float, slice_names: Sequence[str], labels: Mapping[int, Sequence[str]]
) -> pa.Table:
    """All rows first, then each slice: the highest word error rate first, and those without rows last.

    Args:
        evaluated: The scores.
        elapsed_s: Seconds of work; the real-time factor is that for a second of audio.
        slice_names: The columns of the slices.
        labels: What stands in them, by the number of the slice.
    """
    total = evaluated.total
    factor = _factor(total, elapsed_s)
    scored = [(labels[number], scores) for number, scores in evaluated.slices.items()]
    scored.sort(key=lambda item: (item[1].rows == 0, -item[1].wer, item[0]))
    rows = [_values(scores) | dict(zip(slice_names, label, strict=True)) for label, scores in scored]
    whole = _values(total) | {"real_time_factor": factor} | dict.fromkeys(slice_names, ALL)
    return pa.Table.from_pylist([whole, *rows], schema=score_schema(slice_names))


def _factor(scores: Scores, elapsed_s: float) -> float | None:
    return elapsed_s / scores.audio_s if scores.audio_s else None


def _values(scores: Scores) -> dict[str, object]:
    compared = scores.rows > 0
    return {
        "wer": scores.wer if compared else None,
        "wer_low": scores.wer_low,
        "wer_high": scores.wer_high,
        "cer": scores.cer if compared else None,
        "cer_low": scores.cer_low,
        "cer_high": scores.cer_high,
        "substitutions": scores.substitutions,
        "deletions": scores.deletions,
        "insertions": scores.insertions,
        "reference_words": scores.reference_words,
        "rows": scores.rows,
        "rows_left_out": scores.rows_left_out,
        "audio_seconds": scores.audio_s,
        "normaliser": scores.normaliser,
    }
