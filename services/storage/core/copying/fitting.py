"""Rows for a table that exists: matched by name, widened where their types differ but agree."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from services.storage.core.copying.sources import shown
from services.storage.core.names import column_not_found, find_column, fold
from services.storage.core.tables.rows import Rows
from thanosql_runtime.errors import Reason, ThanosqlError, error

_LONGEST_VALUE = 40


@dataclass(frozen=True, kw_only=True)
class Fit:
    """How rows become rows of a table.

    Attributes:
        table: Name of the table.
        source: What the rows come from.
        held: The table's own columns.
        schema: The same columns, each wide enough for what it holds and for the rows.
        missing: Columns that the rows lack.
    """

    table: str
    source: str
    held: pa.Schema
    schema: pa.Schema
    missing: tuple[str, ...]

    @property
    def is_wider(self) -> bool:
        """Whether the table must be written anew, with wider types."""
        return not self.schema.equals(self.held)

    @property
    def notices(self) -> tuple[str, ...]:
        """What became of columns that did not match."""
        return self._told("was")

    @property
    def foretold(self) -> tuple[str, ...]:
        """What would become of columns that do not match."""
        return self._told("would be")

    def _told(self, verb: str) -> tuple[str, ...]:
        pairs = zip(self.held, self.schema, strict=True)
        wider = [(old, new) for old, new in pairs if not old.type.equals(new.type)]
        return (
            *(f"column {old.name!r} {verb} widened from {old.type} to {new.type}" for old, new in wider),
            *(f"column {name!r} is not in {shown(self.source)}: NULL in these rows" for name in self.missing),
        )

    def appended(self, rows: Rows) -> Rows:
        """Return the rows as rows of the table; a column that they lack is NULL."""
        return Rows(self.schema, self._fitted(rows))

    def rewritten(self, held: Iterator[pa.RecordBatch], rows: Rows) -> Rows:
        """Return what the table holds, and the rows behind it, in the wider schema."""

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in held:
                yield self._batch(batch.columns)
            yield from self._fitted(rows)

        return Rows(self.schema, batches())

    def _fitted(self, rows: Rows) -> Iterator[pa.RecordBatch]:
        positions = {fold(name): index for index, name in enumerate(rows.schema.names)}
        indices = [positions.get(fold(field.name)) for field in self.schema]
        for batch in rows.reader():
            nothing = pa.nulls(batch.num_rows)
            yield self._batch([nothing if index is None else batch.column(index) for index in indices])

    def _batch(self, columns: list[pa.Array]) -> pa.RecordBatch:
        pairs = zip(columns, self.schema, strict=True)
        return pa.record_batch([self._cast(column, field) for column, field in pairs], schema=self.schema)

    def _cast(self, column: pa.Array, field: pa.Field) -> pa.Array:
        if column.type.equals(field.type):
            return column
        if column.null_count == len(column):
            return pa.nulls(len(column), field.type)
        if pa.types.is_string(column.type):
            # Text is not read as something else: '007' would become 7.
            value = str(column.drop_null()[0])[:_LONGEST_VALUE]
            raise self._misfit(field, f"text such as {value!r}")
        try:
            return pc.cast(column, field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
            raise self._misfit(field, f"{column.type} that does not fit ({problem})") from problem

    def _misfit(self, field: pa.Field, given: str) -> ThanosqlError:
        return _misfit(self.table, self.source, field, given)


def fit(rows: pa.Schema, held: pa.Schema, *, table: str, source: str) -> Fit:
    """Plan how rows are added to a table.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND for a column that the table lacks, INVALID_DATA for one whose
            type has nothing in common with the table's.
    """
    for name in rows.names:
        if find_column(held.names, name) is None:
            raise _unknown(name, held, table, source)
    fields, missing = [], []
    for field in held:
        name = find_column(rows.names, field.name)
        if name is None:
            missing.append(field.name)
            fields.append(field)
            continue
        given = rows.field(name).type
        wider = _wider(field.type, given)
        if wider is None:
            raise _misfit(table, source, field, str(given))
        fields.append(field.with_type(wider))
    schema = pa.schema(fields)
    return Fit(table=table, source=source, held=held, schema=schema, missing=tuple(missing))


def _wider(held: pa.DataType, given: pa.DataType) -> pa.DataType | None:
    """Return the type for both; None where there is none.

    Text that meets another type is let through, because a column without a single value is text too.
    """
    if held.equals(given) or pa.types.is_string(given):
        return held
    if pa.types.is_string(held):
        return None if pa.types.is_nested(given) else held
    if pa.types.is_date32(held) and pa.types.is_timestamp(given):
        return given
    if pa.types.is_timestamp(held) and pa.types.is_date32(given):
        return held
    try:
        pair = [pa.schema([("value", held)]), pa.schema([("value", given)])]
        return pa.unify_schemas(pair, promote_options="permissive").field(0).type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None


def _unknown(name: str, held: pa.Schema, table: str, source: str) -> ThanosqlError:
    message = (
        f"{shown(source)} has a column {name!r}, which table {table!r} lacks; "
        "add it with ALTER TABLE ... ADD COLUMN, or leave it out"
    )
    return replace(column_not_found(name, held.names), message=message)


def _misfit(table: str, source: str, field: pa.Field, given: str) -> ThanosqlError:
    message = (
        f"column {field.name!r} of table {table!r} holds {field.type}, but {shown(source)} gives {given}; "
        "mend the file, or copy into another table"
    )
    return error(Reason.INVALID_DATA, message, column=field.name, table=table)
