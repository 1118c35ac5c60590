"""What a statement gave: rows as Arrow, pandas or dictionaries, recordings, scores, a model."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from thanosql.events import Columns, Event, Rows, StatementDone, StatementStarted
from thanosql.html import result_html
from thanosql.values import Job, Media, Model, Notice, Progress, RowError, Scores

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]  # a cell holds whatever its column holds


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """What one statement gave.

    Attributes:
        kind: The statement in words, such as `BUILD MODEL`.
        canonical_text: The statement with its defaults written out.
        message: One sentence, such as `96 rows copied into t`.
        notices: What the user should know.
        row_errors: Rows that failed; the statement did not.
        media: Recordings of a PRINT statement, with their bytes.
        model: The model that was used or made.
        scores: The scores of an EVALUATE statement.
        job: The training run behind the statement.
        rows_changed: Rows changed in a table.
        rows_reused: Rows whose transcript was kept from before, and not computed.
        elapsed_s: Wall time in the server.
    """

    kind: str = ""
    canonical_text: str = ""
    message: str = ""
    notices: tuple[Notice, ...] = ()
    row_errors: tuple[RowError, ...] = ()
    row_error_count: int = 0
    media: tuple[Media, ...] = ()
    model: Model | None = None
    scores: Scores | None = None
    job: Job | None = None
    rows_changed: int = 0
    rows_reused: int = 0
    elapsed_s: float = 0.0
    _table: Any = None  # pyarrow has no types

    @property
    def has_rows(self) -> bool:
        """True when the statement answers with a table, be it an empty one."""
        return self._table is not None

    def arrow(self) -> Any:
        """The rows as a `pyarrow.Table`; one without columns when the statement has none."""
        return self._table if self._table is not None else pa.table({})

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a `pandas.DataFrame`.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401 - asked for here so that the message can say what to do
        except ImportError as failure:
            raise ImportError("pandas is not installed; run: pip install 'thanosql[notebook]'") from failure
        frame: pd.DataFrame = self.arrow().to_pandas()
        return frame

    def head(self, count: int) -> "Result":
        """The same result with its first `count` rows alone."""
        return self if self._table is None else replace(self, _table=self._table.slice(0, count))

    @property
    def rows(self) -> list[Row]:
        """The rows as dictionaries."""
        rows: list[Row] = self.arrow().to_pylist()
        return rows

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.arrow().column_names)

    def __iter__(self) -> Iterator[Row]:
        for batch in self.arrow().to_batches():
            yield from batch.to_pylist()

    def __len__(self) -> int:
        return int(self.arrow().num_rows)

    def __repr__(self) -> str:
        shape = f", {len(self)} rows of {', '.join(self.columns)}" if self.has_rows else ""
        return f"<Result of {self.kind or 'nothing'}: {self.message!r}{shape}>"

    def __bool__(self) -> bool:
        return True

    def _repr_html_(self) -> str:
        return result_html(self)


class ResultBuilder:
    """Collects the events of a call into one result a statement."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self._started: StatementStarted | None = None
        self._events: list[Event] = []

    def add(self, event: Event) -> Result | None:
        """Take an event; answers the result when it completes one."""
        if isinstance(event, StatementStarted):
            self._started, self._events = event, []
        elif isinstance(event, StatementDone):
            self.results.append(_result(self._started, self._events, event))
            self._events = []
            return self.results[-1]
        elif not isinstance(event, Progress):
            self._events.append(event)
        return None


def _result(started: StatementStarted | None, events: list[Event], done: StatementDone) -> Result:
    jobs = [event for event in events if isinstance(event, Job)]
    row_errors = tuple(event for event in events if isinstance(event, RowError))
    return Result(
        kind=started.kind if started else "",
        canonical_text=started.canonical_text if started else "",
        message=done.message,
        notices=tuple(event for event in events if isinstance(event, Notice)),
        row_errors=row_errors,
        row_error_count=max(done.row_errors, len(row_errors)),
        media=tuple(event for event in events if isinstance(event, Media)),
        model=done.model,
        scores=done.scores,
        job=jobs[-1] if jobs else None,
        rows_changed=done.rows_changed,
        rows_reused=done.rows_reused,
        elapsed_s=done.elapsed_s,
        _table=_table(events),
    )


def _table(events: list[Event]) -> Any:
    schemas = [event.schema for event in events if isinstance(event, Columns)]
    batches = [event.batch for event in events if isinstance(event, Rows)]
    return pa.Table.from_batches(batches, schema=schemas[-1]) if schemas else None
