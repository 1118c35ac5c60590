"""UPDATE, DELETE and ALTER: each computes the new table first, then commits it once.

DuckDB computes them, so that a condition means here what it means in a query; the table is written
anew from a spool while its lock is held, and readers keep the version that they opened.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from services.storage.core.cancelling import Cancellation
from services.storage.core.changing.assigning import Assignment, decided, plan_update
from services.storage.core.names import check_column_name, column_not_found, find_column, fold, quoted
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.sandbox.sandbox import check_expression, rejected
from services.storage.core.spooling import Spool
from services.storage.core.tables.commits import repeated
from services.storage.core.tables.outages import changed_but_unread
from services.storage.core.tables.rows import Rows, aligned
from services.storage.core.tables.tables import Tables
from services.storage.core.types import OpenVersion, Operation, TableInfo
from thanosql_runtime.errors import Reason, ThanosqlError, error


class TableChanges:
    """Changes of tables that exist.

    Every method raises TABLE_NOT_FOUND, and COLUMN_NOT_FOUND for columns that are not there. A
    cancellation that is asked for before the commit raises CANCELLED, and nothing is changed.
    """

    def __init__(self, tables: Tables, engine: QueryEngine) -> None:
        self._tables = tables
        self._engine = engine

    def update(
        self,
        name: str,
        assignments: Sequence[Assignment],
        condition: str = "",
        cancellation: Cancellation | None = None,
    ) -> int:
        """Set columns in the rows where the condition holds, and say how many they were."""
        cancelling = cancellation or Cancellation()
        with self._tables.writing(fold(name)):
            return repeated(lambda: self._update(name, assignments, condition, cancelling))

    def delete(self, name: str, condition: str = "", cancellation: Cancellation | None = None) -> int:
        """Delete the rows where the condition holds, and say how many they were."""
        cancelling = cancellation or Cancellation()
        with self._tables.writing(fold(name)):
            return repeated(lambda: self._delete(name, condition, cancelling))

    def add_column(self, name: str, column: str, type_name: str) -> TableInfo:
        """Add a column of a DuckDB type, null in every row.

        Raises:
            ThanosqlError: INVALID_DATA when there is such a column, INVALID_NAME.
        """
        with self._tables.change(name) as table:
            if find_column(table.schema.names, column) is not None:
                message = f"table {fold(name)!r} has a column {column!r} already"
                raise error(Reason.INVALID_DATA, message, column=column)
            check_column_name(column, Reason.INVALID_NAME)
            added = pa.schema([pa.field(column, self._arrow_type(type_name))])
            columns = [*table.schema.names, column]
            return self._altered(name, table, columns, lambda: table.add_columns(added))

    def drop_column(self, name: str, column: str, *, if_exists: bool = False) -> TableInfo:
        """Drop a column."""
        with self._tables.change(name) as table:
            found = find_column(table.schema.names, column)
            if found is None and not if_exists:
                raise column_not_found(column, table.schema.names)
            if found is None:
                return self._tables.describe(name)
            if len(table.schema.names) == 1:
                raise error(Reason.INVALID_DATA, f"{column!r} is the only column of {fold(name)!r}")
            columns = [other for other in table.schema.names if other != found]
            return self._altered(name, table, columns, lambda: table.drop_columns([_lance_path(found)]))

    def rename_column(self, name: str, column: str, new_name: str) -> TableInfo:
        """Rename a column.

        Raises:
            ThanosqlError: INVALID_DATA when the new name is taken, INVALID_NAME.
        """
        with self._tables.change(name) as table:
            found = find_column(table.schema.names, column)
            if found is None:
                raise column_not_found(column, table.schema.names)
            taken = find_column(table.schema.names, new_name)
            if taken is not None and taken != found:
                raise error(Reason.INVALID_DATA, f"table {fold(name)!r} has a column {new_name!r} already")
            check_column_name(new_name, Reason.INVALID_NAME)
            columns = [new_name if other == found else other for other in table.schema.names]
            renaming = {"path": _lance_path(found), "rename": new_name}
            return self._altered(name, table, columns, lambda: table.alter_columns(renaming))

    def _altered(self, name: str, table: Any, columns: list[str], alter: Callable[[], object]) -> TableInfo:
        """Change columns, in a commit of LanceDB's own; one whose answer is lost is looked for."""
        before = int(table.version)
        try:
            alter()
        except (OSError, RuntimeError, ValueError) as problem:
            if not self._tables.has_changed_to(name, columns, before, problem):
                raise
        return self._changed(name)

    def _changed(self, name: str) -> TableInfo:
        """Describe a table whose columns were changed, which is so even if it cannot be read any more."""
        try:
            return self._tables.describe(name)
        except ThanosqlError as problem:
            if problem.reason is not Reason.STORE_UNAVAILABLE:
                raise  # Dropped meanwhile.
            raise changed_but_unread(problem, f"table {fold(name)!r}") from problem

    def _update(
        self, name: str, assignments: Sequence[Assignment], condition: str, cancellation: Cancellation
    ) -> int:
        version = self._tables.dataset(name)
        before = version.count_rows()
        plan = plan_update(name, version.schema, assignments, condition)
        with self._computed(plan.sql, name, version, cancellation) as spool:
            if spool.row_count != before:
                raise rejected(f"the expressions make {spool.row_count} rows of {before}")
            changed = sum(_true_count(batch.column(plan.marker)) for batch in spool.batches())
            if changed:
                rows = Rows(plan.schema, map(plan.merged, cancellation.heeded(spool.batches())))
                self._tables.rewrite(name, version, rows, Operation.UPDATE)
            return changed

    def _delete(self, name: str, condition: str, cancellation: Cancellation) -> int:
        version = self._tables.dataset(name)
        sql = f"SELECT * FROM {quoted(fold(name))} WHERE NOT {decided(condition)}"  # noqa: S608 - checked
        with self._computed(sql, name, version, cancellation) as spool:
            deleted = int(version.count_rows()) - spool.row_count
            if deleted:
                rows = Rows(spool.schema, cancellation.heeded(spool.batches()))
                fitting = aligned(rows, version.schema, ())
                self._tables.rewrite(name, version, fitting, Operation.DELETE)
            return deleted

    def _computed(self, sql: str, name: str, version: Any, cancellation: Cancellation) -> Spool:
        opened = {fold(name): OpenVersion(table=fold(name), dataset=version)}
        names = tuple(self._tables.names())
        # What is written is computed from what was written: no copy of it comes between.
        with (
            self._engine.run(sql, names, versions=opened, by_extracts=False) as running,
            cancellation.stopping(running.interrupt),
        ):
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


def _true_count(values: pa.Array) -> int:
    return int(pc.sum(values, min_count=0).as_py())


def _lance_path(column: str) -> str:
    """Quote a name that Lance would otherwise read as a path into a structure."""
    return column if column.isidentifier() else f"`{column}`"
