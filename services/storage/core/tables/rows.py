"""A stream of rows, fitted to the table that takes it, that remembers why it broke."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from services.storage.core.names import check_column_name, column_not_found, fold
from services.storage.core.tables.outages import in_short, is_outage, store_failed
from services.storage.core.tables.plain import plain_batch, plain_schema
from services.storage.core.types import RowPlace
from thanosql_runtime.errors import Reason, ThanosqlError, error


class Rows:
    """Record batches of one schema, read once.

    Lance turns an exception of its source into a text; `guarded` brings back the exception itself.

    Args:
        schema: Columns of every batch.
        batches: The rows.
        remarks: Kept with the schema of a table that is made of these rows.
        places: Where each row stands in what is copied; None where that is their order.

    Attributes:
        schema: The columns.
        row_count: How many rows have passed.
        places: As given.
    """

    def __init__(
        self,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        remarks: Mapping[str, str] | None = None,
        places: Iterable[RowPlace] | None = None,
    ) -> None:
        self.schema = plain_schema(schema).with_metadata(remarks)
        self.row_count = 0
        self.places = places
        self._batches = batches
        self._failure: Exception | None = None

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows as a stream for Arrow; `row_count` grows as they pass."""
        return pa.RecordBatchReader.from_batches(self.schema, self._counted())

    def check_names(self) -> None:
        """Refuse columns that a statement could not tell apart.

        Raises:
            ThanosqlError: INVALID_DATA.
        """
        counts = Counter(fold(name) for name in self.schema.names)
        twice = sorted(name for name, count in counts.items() if count > 1)
        if twice:
            message = f"column names must differ, whatever their case; given twice: {', '.join(twice)}"
            raise error(Reason.INVALID_DATA, message, column=twice[0])
        for name in self.schema.names:
            check_column_name(name, Reason.INVALID_DATA)
        if not self.schema.names:
            raise error(Reason.INVALID_DATA, "a table needs at least one column")

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Raise what really went wrong: the source's own error, or the store's in our words."""
        try:
            yield
        except ThanosqlError:
            raise
        except (OSError, RuntimeError, ValueError, TypeError, NotImplementedError) as problem:
            if self._failure is not None:
                raise self._failure from problem
            raise _store_error(problem) from problem

    def _counted(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._batches:
                self.row_count += batch.num_rows
                yield plain_batch(batch, self.schema)
        except Exception as problem:
            self._failure = problem
            raise


def aligned(rows: Rows, target: pa.Schema, columns: tuple[str, ...]) -> Rows:
    """Return the rows with the columns and types of a table.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND, or INVALID_DATA for a wrong number of columns.
    """
    names = _target_names(rows.schema, target, columns)
    plan = [_Source(field=field, index=names.get(fold(field.name))) for field in target]

    def fit(batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [_fitted(batch, source) for source in plan]
        return pa.record_batch(arrays, schema=target)

    return Rows(target, _mapped(rows, fit))


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where a column of the table gets its values: a column of the rows, or nothing."""

    field: pa.Field
    index: int | None


def _target_names(given: pa.Schema, target: pa.Schema, columns: tuple[str, ...]) -> dict[str, int]:
    names = columns or tuple(given.names)
    if len(names) != len(given.names):
        message = f"{len(names)} columns are named, but the rows have {len(given.names)}"
        raise error(Reason.INVALID_DATA, message)
    known = {fold(name) for name in target.names}
    for name in names:
        if fold(name) not in known:
            raise column_not_found(name, target.names)
    positions = {fold(name): index for index, name in enumerate(names)}
    if len(positions) != len(names):
        raise error(Reason.INVALID_DATA, f"a column is named twice: {', '.join(names)}")
    return positions


def _fitted(batch: pa.RecordBatch, source: _Source) -> pa.Array:
    if source.index is None:
        return pa.nulls(batch.num_rows, source.field.type)
    column = batch.column(source.index)
    if column.type.equals(source.field.type):
        return column
    try:
        return pc.cast(column, source.field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        name = source.field.name
        message = f"column {name!r} holds {source.field.type}, which these rows do not fit: {problem}"
        raise error(Reason.INVALID_DATA, message, column=name) from problem


def _mapped(rows: Rows, change: Callable[[pa.RecordBatch], pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in rows.reader():
        yield change(batch)


def _store_error(problem: Exception) -> ThanosqlError:
    if is_outage(problem) or isinstance(problem, OSError):
        return store_failed(problem, "the tables cannot be written")
    return error(Reason.INVALID_DATA, f"these rows cannot be kept in a table: {in_short(problem)}")
