"""What INSERT, UPDATE and DELETE ask of a table's columns, checked without touching its rows."""

from collections.abc import Sequence

import pyarrow as pa

from services.gateway.core.columns import index_of, missing_column
from services.gateway.core.places import placed_at, placed_at_column
from services.gateway.core.plan_changes import Delete, Insert, Update
from services.gateway.core.ports import BoundQuery
from services.gateway.core.records import Table
from services.gateway.core.run import Run, count_of
from thanosql_runtime.errors import Reason, error


async def check_insert(run: Run, statement: Insert, rows: pa.Schema) -> None:
    """Check that rows of these columns fit the table.

    Raises:
        ThanosqlError: TABLE_NOT_FOUND, COLUMN_NOT_FOUND, or INVALID_DATA for a wrong number of columns.
    """
    with placed_at(statement.table.span):
        table = await run.peers.tables.get(statement.table.text)
    names = statement.columns or [name for name, _type in table.columns]
    with placed_at_column(run.plan.span, run.text):
        _check_names(table, names)
    if len(names) != len(rows.names):
        wanted = f"{count_of(len(names), 'column')} {'are' if len(names) != 1 else 'is'} to be filled"
        message = f"{wanted} in table '{table.name}', but the rows have {len(rows.names)}"
        with placed_at(statement.query.span):
            raise error(Reason.INVALID_DATA, message, table=table.name)


async def check_expressions(run: Run, statement: Update | Delete) -> None:
    """Check the columns and expressions of a change: storage binds them in a query that reads no row.

    Raises:
        ThanosqlError: TABLE_NOT_FOUND, COLUMN_NOT_FOUND, or what storage says of an expression.
    """
    assignments = statement.assignments if isinstance(statement, Update) else ()
    with placed_at(statement.table.span):
        table = await run.peers.tables.get(statement.table.text)
    with placed_at_column(run.plan.span, run.text):
        _check_names(table, [column for column, _expression in assignments])
        sql = _probe(table.name, [expression for _column, expression in assignments], statement.condition)
        async with run.peers.tables.query(BoundQuery(sql=sql, tables=[table.name])):
            pass


def _check_names(table: Table, names: Sequence[str]) -> None:
    known = [name for name, _type in table.columns]
    for name in names:
        if index_of(known, name) is None:
            raise missing_column(known, name, f"table '{table.name}' has no column '{name}'")


def _probe(table: str, expressions: Sequence[str], condition: str) -> str:
    """The expressions where the change has them: a row each, so no aggregate stands beside `*`."""
    held = f"CAST((\n{condition}\n) AS BOOLEAN)" if condition.strip() else "true"
    values = "".join(f", CASE WHEN {held} THEN (\n{expression}\n) END" for expression in expressions)
    name = '"' + table.replace('"', '""') + '"'
    return f"SELECT *, {held}{values} FROM {name} LIMIT 0"  # noqa: S608 - storage's sandbox reads it
