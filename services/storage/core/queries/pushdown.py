"""Limits and simple filters that Lance applies while it reads, because DuckDB does not hand them down.

Only queries whose answer cannot change are touched: plain columns of one table, a literal LIMIT,
and a WHERE of plain comparisons between columns and literals of the same kind. DuckDB applies both
again, so that a filter handed down can only save work.
"""

from collections.abc import Collection
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

from services.storage.core.names import fold

_MAX_LIMIT = 1_000_000
_COMPARISONS: dict[type, str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_SELECT_PARTS = frozenset({"expressions", "from_", "from", "where", "kind"})
_LIMITED_PARTS = frozenset({"limit", "offset"})


@dataclass(frozen=True, kw_only=True)
class Pushdown:
    """What Lance is told.

    Attributes:
        limit: Rows at most.
        columns: The table's columns that the query names, in the table's order.
        condition: Lance's own filter language; empty for every row.
    """

    limit: int
    columns: tuple[str, ...]
    condition: str


def plan(tree: exp.Expr, schema: pa.Schema) -> Pushdown | None:
    """Return what can be handed down for a query over one table, or None."""
    if not isinstance(tree, exp.Select) or not is_of_one_table(tree, _LIMITED_PARTS):
        return None
    limit = _literal(tree.args.get("limit"))
    offset = _literal(tree.args.get("offset")) if tree.args.get("offset") else 0
    if limit is None or offset is None or limit + offset > _MAX_LIMIT:
        return None
    columns = _columns(tree, schema)
    where = tree.args.get("where")
    condition = _condition(where.this, tree, schema) if where else ""
    if columns is None or condition is None:
        return None
    return Pushdown(limit=limit + offset, columns=columns, condition=condition)


def counts_rows(tree: exp.Expr) -> bool:
    """Tell whether a query asks for nothing but how many rows its one table has."""
    if not isinstance(tree, exp.Select) or tree.args.get("where") or not is_of_one_table(tree, ()):
        return False
    items = [item.this if isinstance(item, exp.Alias) else item for item in tree.expressions]
    return bool(items) and all(_is_count_of_rows(item) for item in items)


def is_of_one_table(tree: exp.Select, more: Collection[str]) -> bool:
    """Tell whether a query reads one table under one name, and has no parts but the plainest and `more`."""
    if any(value and key not in _SELECT_PARTS and key not in more for key, value in tree.args.items()):
        return False
    source = tree.args.get("from_") or tree.args.get("from")
    if source is None or not isinstance(source.this, exp.Table):
        return False
    table = source.this
    if any(value and key not in ("this", "alias") for key, value in table.args.items()):
        return False
    alias = table.args.get("alias")
    return isinstance(table.this, exp.Identifier) and not (alias and alias.args.get("columns"))


def _is_count_of_rows(node: exp.Expr) -> bool:
    if not isinstance(node, exp.Count) or not isinstance(node.this, exp.Star):
        return False
    others = [key for key, value in node.args.items() if value and key not in ("this", "big_int")]
    return not others and not any(node.this.args.values())


def _literal(node: exp.Expr | None) -> int | None:
    if not isinstance(node, exp.Limit | exp.Offset):
        return None
    if any(other for key, other in node.args.items() if key != "expression"):
        return None  # Such as LIMIT 10%.
    value = node.expression
    if isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit():
        return int(value.name)
    return None


def _columns(tree: exp.Select, schema: pa.Schema) -> tuple[str, ...] | None:
    wanted: set[str] = set()
    for item in tree.expressions:
        node = item.this if isinstance(item, exp.Alias) else item
        if isinstance(node, exp.Star) and not any(node.args.values()):
            return tuple(schema.names)
        if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier) and _is_of(node, tree):
            wanted.add(fold(node.name))
        elif not isinstance(node, exp.Literal):
            return None
    where = tree.args.get("where")
    wanted |= {fold(column.name) for column in where.find_all(exp.Column)} if where else set()
    if not wanted or not wanted <= {fold(name) for name in schema.names}:
        return None
    return tuple(name for name in schema.names if fold(name) in wanted)


def _condition(node: exp.Expr, tree: exp.Select, schema: pa.Schema) -> str | None:
    """Write a condition in Lance's language; None where the two might not agree."""
    if isinstance(node, exp.Paren):
        return _condition(node.this, tree, schema)
    if isinstance(node, exp.And):
        left, right = _condition(node.left, tree, schema), _condition(node.right, tree, schema)
        return f"{left} AND {right}" if left and right else None
    operator = _COMPARISONS.get(type(node))
    if operator is None or not isinstance(node, exp.Binary):
        return None
    field = field_of(node.left, tree, schema)
    value = _value(node.right, field) if field is not None else None
    return f"`{field.name}` {operator} {value}" if field is not None and value is not None else None


def field_of(node: exp.Expr, tree: exp.Select, schema: pa.Schema) -> pa.Field | None:
    """Return the column that an expression is, in a query that reads one table."""
    if not isinstance(node, exp.Column) or not _is_of(node, tree):
        return None
    matches = [field for field in schema if fold(field.name) == fold(node.name)]
    return matches[0] if len(matches) == 1 and "`" not in matches[0].name else None


def _is_of(column: exp.Column, tree: exp.Select) -> bool:
    """Tell a column of the table from a part of a structure: `s.k` may be either."""
    source = tree.args.get("from_") or tree.args["from"]
    is_named = not column.table or fold(column.table) == fold(source.this.alias_or_name)
    return is_named and not column.args.get("db")


def _value(node: exp.Expr, field: pa.Field) -> str | None:
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string and (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
        return "'" + node.name.replace("'", "''") + "'"
    fits = not node.is_string and pa.types.is_integer(field.type) and node.name.isdigit()
    return node.name if fits and _holds(field.type, node.name) else None


def _holds(kind: pa.DataType, digits: str) -> bool:
    """Tell whether the column's type holds the number, which Lance would refuse to compare otherwise."""
    try:
        pa.scalar(int(digits), kind)
    except (pa.ArrowInvalid, OverflowError):
        return False
    return len(digits) < 10
