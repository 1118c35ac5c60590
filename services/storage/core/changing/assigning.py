"""What an UPDATE asks DuckDB for, and how old and new values become rows again.

New values come in columns of their own. Mixed with the old ones in one expression, both would take
a common type: a `DOUBLE` assigned to one row would round every large `BIGINT` of the others.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from services.storage.core.names import column_not_found, find_column, fold, quoted
from services.storage.core.sandbox.sandbox import check_expression
from thanosql_runtime.errors import Reason, error


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One column that UPDATE sets, to a DuckDB expression over the table's columns."""

    column: str
    expression: str


@dataclass(frozen=True, kw_only=True)
class UpdatePlan:
    """A query whose rows are those of the table, in order, with what becomes of them.

    Attributes:
        sql: The query.
        schema: The table's columns.
        marker: Column that says which rows change.
        new_values: By the table's column, the column with its new values.
    """

    sql: str
    schema: pa.Schema
    marker: str
    new_values: Mapping[str, str]

    def merged(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return rows of the table as they are after the update.

        Raises:
            ThanosqlError: INVALID_DATA for a value that the column cannot hold as it is.
        """
        changed = batch.column(self.marker)
        columns = []
        for field in self.schema:
            old = _cast(batch.column(field.name), field)
            if field.name in self.new_values:
                new = _cast(batch.column(self.new_values[field.name]), field)
                old = pc.if_else(changed, new, old)
            columns.append(old)
        return pa.record_batch(columns, schema=self.schema)


def plan_update(
    name: str, schema: pa.Schema, assignments: Sequence[Assignment], condition: str
) -> UpdatePlan:
    """Check an UPDATE and write its query.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND, INVALID_DATA for a column set twice, QUERY_REJECTED, SYNTAX_ERROR.
    """
    # A name that nobody can guess: neither a column of the table nor the user's expressions meet it.
    marker = f"changed_{secrets.token_hex(8)}"
    targets = _targets(schema, assignments)
    new_values = {column: f"{marker}_{number}" for number, column in enumerate(targets)}
    selected = [quoted(column) for column in schema.names]
    for column, expression in targets.items():
        value = f"({expression}\n)"
        if _is_text(schema.field(column).type):
            value = f"CAST({value} AS VARCHAR)"
        selected.append(f"CASE WHEN {marker} THEN {value} END AS {new_values[column]}")
    table = quoted(fold(name))
    marked = f"SELECT *, {decided(condition)} AS {marker} FROM {table}"  # noqa: S608 - checked
    sql = f"SELECT {', '.join(selected)}, {marker} FROM ({marked}) AS {table}"  # noqa: S608
    return UpdatePlan(sql=sql, schema=schema, marker=marker, new_values=new_values)


def decided(condition: str) -> str:
    """Write a condition that is true or false for each row; null counts as false."""
    if not condition.strip():
        return "true"
    check_expression(condition)
    return f"coalesce(CAST((\n{condition}\n) AS BOOLEAN), false)"


def _targets(schema: pa.Schema, assignments: Sequence[Assignment]) -> dict[str, str]:
    targets: dict[str, str] = {}
    for assignment in assignments:
        column = find_column(schema.names, assignment.column)
        if column is None:
            raise column_not_found(assignment.column, schema.names)
        if column in targets:
            raise error(Reason.INVALID_DATA, f"column {column!r} is set twice", column=column)
        check_expression(assignment.expression)
        targets[column] = assignment.expression
    return targets


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _cast(values: pa.Array, field: pa.Field) -> pa.Array:
    if values.type.equals(field.type):
        return values
    if values.null_count == len(values):
        return pa.nulls(len(values), field.type)
    try:
        return pc.cast(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        message = f"column {field.name!r} holds {field.type}, which the new values do not fit: {problem}"
        raise error(Reason.INVALID_DATA, message, column=field.name) from problem
