"""What a running statement sends, in order: it starts, says things, and is done.

Events between a `StatementStarted` and the next `StatementDone` belong to one statement.
"""

from dataclasses import dataclass
from typing import Any

from thanosql.values import Job, Media, Model, Notice, Progress, RowError, Scores


@dataclass(frozen=True, kw_only=True)
class StatementStarted:
    """A statement begins."""

    index: int
    kind: str
    canonical_text: str


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The schema of the rows that follow, a `pyarrow.Schema`."""

    schema: Any  # pyarrow has no types


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Some rows of the result, a `pyarrow.RecordBatch`."""

    batch: Any  # pyarrow has no types


@dataclass(frozen=True, kw_only=True)
class StatementDone:
    """A statement ended well."""

    index: int
    message: str
    rows: int
    rows_changed: int
    row_errors: int
    elapsed_s: float
    model: Model | None = None
    scores: Scores | None = None
    rows_reused: int = 0


Event = StatementStarted | Columns | Rows | Progress | Notice | Media | Job | RowError | StatementDone
