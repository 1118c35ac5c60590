"""UPDATE, DELETE and ALTER: each computes the new table first, then commits it once.

DuckDB computes them, so that a condition means here what it means in a query; the table is written
anew from a spool while its lock is held, and readers keep the version that they opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from services.storage.core.names import column_not_found, fold
from services.storage.core.queries import QueryEngine
from services.storage.core.rows import Rows, aligned
from services.storage.core.sandbox import check_expression
from services.storage.core.spooling import Spool
from services.storage.core.tables import Tables
from services.storage.core.types import TableInfo
from thanosql_runtime.errors import Reason, error

_CHANGED = "__changed"


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One column that UPDATE sets, to a DuckDB expression over the table's columns."""

    column: str
    expression: str


class TableChanges:
    """Changes of tables that exist.

    Every method raises TABLE_NOT_FOUND, and COLUMN_NOT_FOUND for columns that are not there.
    """

    def __init__(self, tables: Tables, engine: QueryEngine) -> None:
        self._tables = tables
        self._engine = engine

    def update(self, name: str, assignments: Sequence[Assignment], condition: str = "") -> int:
        """Set columns in the rows where the condition holds, and say how many they were."""
        with self._tables.writing(fold(name)):
            schema = self._tables.schema(name)
            sql = _update_sql(name, schema, assignments, condition)
            with self._computed(sql) as spool:
                changed = sum(
                    pc.sum(batch.column(_CHANGED), min_count=0).as_py() for batch in spool.batches()
                )
                if changed:
                    kept = (batch.drop_columns([_CHANGED]) for batch in spool.batches())
                    rows = Rows(pa.schema([f for f in spool.schema if f.name != _CHANGED]), kept)
                    self._tables.replace(name, aligned(rows, schema, ()))
            return int(changed)

    def delete(self, name: str, condition: str = "") -> int:
        """Delete the rows where the condition holds, and say how many they were."""
        with self._tables.writing(fold(name)):
            before = self._tables.describe(name).row_count
            schema = self._tables.schema(name)
            sql = f"SELECT * FROM {_quoted(fold(name))} WHERE NOT {_decided(condition)}"  # noqa: S608 - checked
            with self._computed(sql) as spool:
                deleted = before - spool.row_count
                if deleted:
                    rows = Rows(spool.schema, spool.batches())
                    self._tables.replace(name, aligned(rows, schema, ()))
            return deleted

    def add_column(self, name: str, column: str, type_name: str) -> TableInfo:
        """Add a column of a DuckDB type, null in every row.

        Raises:
            ThanosqlError: INVALID_DATA when there is such a column.
        """
        with self._tables.change(name) as table:
            if fold(column) in {fold(known) for known in table.schema.names}:
                message = f"table {fold(name)!r} has a column {column!r} already"
                raise error(Reason.INVALID_DATA, message, column=column)
            if not column.strip() or column.startswith("__"):
                raise error(Reason.INVALID_NAME, f"{column!r} cannot be the name of a column")
            table.add_columns(pa.schema([pa.field(column, self._arrow_type(type_name))]))
            return self._tables.describe(name)

    def drop_column(self, name: str, column: str, *, if_exists: bool = False) -> TableInfo:
        """Drop a column."""
        with self._tables.change(name) as table:
            found = _find(table.schema, column)
            if found is None and not if_exists:
                raise column_not_found(column, table.schema.names)
            if found is not None:
                if len(table.schema.names) == 1:
                    raise error(Reason.INVALID_DATA, f"{column!r} is the only column of {fold(name)!r}")
                table.drop_columns([_lance_path(found)])
            return self._tables.describe(name)

    def rename_column(self, name: str, column: str, new_name: str) -> TableInfo:
        """Rename a column.

        Raises:
            ThanosqlError: INVALID_DATA when the new name is taken.
        """
        with self._tables.change(name) as table:
            found = _find(table.schema, column)
            if found is None:
                raise column_not_found(column, table.schema.names)
            taken = _find(table.schema, new_name)
            if taken is not None and taken != found:
                raise error(Reason.INVALID_DATA, f"table {fold(name)!r} has a column {new_name!r} already")
            if not new_name.strip() or new_name.startswith("__"):
                raise error(Reason.INVALID_NAME, f"{new_name!r} cannot be the name of a column")
            table.alter_columns({"path": _lance_path(found), "rename": new_name})
            return self._tables.describe(name)

    def _computed(self, sql: str) -> Spool:
        with self._engine.run(sql, tuple(self._tables.names())) as running:
            spool = Spool(running.schema)
            try:
                for batch in running:
                    spool.write(batch)
                spool.finish()
            except BaseException:
                spool.close()
                raise
            return spool

    def _arrow_type(self, type_name: str) -> pa.DataType:
        cast = f"CAST(NULL AS {type_name})"
        check_expression(cast)
        with self._engine.run(f"SELECT {cast} AS value") as running:
            return running.schema.field(0).type


def _update_sql(name: str, schema: pa.Schema, assignments: Sequence[Assignment], condition: str) -> str:
    new_values: dict[str, str] = {}
    for assignment in assignments:
        column = _find(schema, assignment.column)
        if column is None:
            raise column_not_found(assignment.column, schema.names)
        if column in new_values:
            raise error(Reason.INVALID_DATA, f"column {column!r} is set twice", column=column)
        check_expression(assignment.expression)
        new_values[column] = (
            f"CASE WHEN {_CHANGED} THEN (\n{assignment.expression}\n) ELSE {_quoted(column)} END"
        )
    columns = [f"{new_values.get(c, _quoted(c))} AS {_quoted(c)}" for c in schema.names]
    table = _quoted(fold(name))
    marked = f"SELECT *, {_decided(condition)} AS {_CHANGED} FROM {table}"  # noqa: S608 - checked
    return f"SELECT {', '.join(columns)}, {_CHANGED} FROM ({marked}) AS {table}"  # noqa: S608


def _decided(condition: str) -> str:
    if not condition.strip():
        return "true"
    check_expression(condition)
    return f"coalesce((\n{condition}\n), false)"


def _find(schema: pa.Schema, column: str) -> str | None:
    return next((name for name in schema.names if fold(name) == fold(column)), None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _lance_path(column: str) -> str:
    """Quote a name that Lance would otherwise read as a path into a structure."""
    return column if column.isidentifier() else f"`{column}`"
