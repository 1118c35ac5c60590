"""Which queries are a plain read of one table, so that an index of the table can stand for their rows."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from services.storage.core.names import find_column, fold

TABLE = "__search_table"
"""Stands for the table in the query for the rows that the condition lets through."""

_PARTS = frozenset({"expressions", "from_", "from", "where", "kind"})
_NOT_OF_ONE_ROW = (exp.Query, exp.AggFunc, exp.Window, exp.Explode, exp.Unnest, exp.Columns, exp.Star)


@dataclass(frozen=True, kw_only=True)
class PlainRead:
    """A read of columns of one table.

    Attributes:
        searched: The table's column that is searched.
        columns: Names in the answer, each with the table's column behind it.
        condition: Query for the addresses of the rows that count; empty for all.
        condition_columns: The table's columns that it needs.
    """

    searched: str
    columns: tuple[tuple[str, str], ...]
    condition: str = ""
    condition_columns: tuple[str, ...] = ()


def plain_read(
    tree: exp.Expr, schema: pa.Schema, searched: str, fits: Callable[[pa.DataType], bool]
) -> PlainRead | None:
    """Return what the query reads, or None where it is more than that or names what is not there.

    Args:
        tree: The query.
        schema: Of the table.
        searched: Name of the query's column that is searched.
        fits: Whether a column of this type can be.
    """
    if not isinstance(tree, exp.Select) or any(
        value and key not in _PARTS for key, value in tree.args.items()
    ):
        return None
    source = tree.args.get("from_") or tree.args.get("from")
    table = source.this if source is not None else None
    if not isinstance(table, exp.Table) or not _is_plain(table):
        return None
    columns = _columns(tree, schema, table.alias_or_name)
    if columns is None or len({fold(name) for name, _column in columns}) < len(columns):
        return None
    found = next((column for name, column in columns if fold(name) == fold(searched)), None)
    if found is None or not fits(schema.field(found).type):
        return None
    read = PlainRead(searched=found, columns=tuple(columns))
    where = tree.args.get("where")
    return read if where is None else _with_condition(read, where.this, schema, table.alias_or_name)


def _is_plain(table: exp.Table) -> bool:
    alias = table.args.get("alias")
    is_named = isinstance(table.this, exp.Identifier) and not (alias and alias.args.get("columns"))
    return is_named and not any(value and key not in ("this", "alias") for key, value in table.args.items())


def _columns(tree: exp.Select, schema: pa.Schema, table: str) -> list[tuple[str, str]] | None:
    found: list[tuple[str, str]] = []
    for item in tree.expressions:
        node = item.this if isinstance(item, exp.Alias) else item
        if isinstance(node, exp.Star) and not any(node.args.values()):
            found += [(name, name) for name in schema.names]
            continue
        column = _column(node, schema, table)
        if column is None:
            return None
        found.append((item.alias if isinstance(item, exp.Alias) else column, column))
    return found


def _column(node: exp.Expr, schema: pa.Schema, table: str) -> str | None:
    if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier):
        return None
    is_own = not node.args.get("db") and (not node.table or fold(node.table) == fold(table))
    return find_column(schema.names, node.name) if is_own else None


def _with_condition(read: PlainRead, condition: exp.Expr, schema: pa.Schema, table: str) -> PlainRead | None:
    # A lambda that DuckDB refuses (`x -> x`) would be written anew here as one that it takes.
    if condition.find(*_NOT_OF_ONE_ROW, exp.Lambda) is not None:
        return None
    needed = [_column(node, schema, table) for node in condition.find_all(exp.Column)]
    names = {name for name in needed if name is not None}
    if None in needed or not names:
        return None
    rows = exp.select("_rowid").from_(exp.to_table(TABLE).as_(table, quoted=True)).where(condition.copy())
    return PlainRead(
        searched=read.searched,
        columns=read.columns,
        condition=rows.sql("duckdb", comments=False),
        condition_columns=tuple(name for name in schema.names if name in names),
    )
