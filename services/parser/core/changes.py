"""Reads the parts of UPDATE, DELETE FROM and ALTER TABLE that are SQL but no query."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from services.parser.core.faults import fault
from services.parser.core.fragment import Fragment
from services.parser.core.plan_changes import AddColumn, Assignment
from services.parser.core.plan_parts import Name
from services.parser.core.queries import check_expressions
from services.parser.core.rewriting import Rewritten, rewrite
from services.parser.core.sql import parse_sql, to_duckdb
from services.parser.core.swallowed import word_span


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What an UPDATE sets, where, and how that was written."""

    assignments: tuple[Assignment, ...]
    condition: str | None
    written: str


def read_changes(fragment: Fragment) -> Changes:
    """What stands after `UPDATE t SET`: the assignments, and the condition if there is one.

    Raises:
        ThanosqlError: It is not SQL, or has more than assignments and a condition.
    """
    rewritten = rewrite(fragment, "UPDATE t SET ")
    tree = _parse(rewritten, exp.Update, ("this", "expressions", "where"), "column = expression")
    where = tree.args.get("where")
    return Changes(
        assignments=tuple(_assignments(tree, rewritten)),
        condition=None if where is None else to_duckdb(where.this, fragment),
        written=rewritten.written(),
    )


def read_condition(fragment: Fragment) -> tuple[str, str]:
    """What stands after `DELETE FROM t WHERE`, for DuckDB and as it was written.

    Raises:
        ThanosqlError: It is not a condition on the table's own columns.
    """
    rewritten = rewrite(fragment, "DELETE FROM t WHERE ")
    tree = _parse(rewritten, exp.Delete, ("this", "where"), "a condition")
    where = tree.args.get("where")
    if where is None:
        raise fault("this is not a condition", fragment.span, expected=["a condition"])
    return to_duckdb(where.this, fragment), rewritten.written()


def read_column(name: Name, fragment: Fragment) -> AddColumn:
    """A new column, from its name and what stands behind it, which must be a type.

    Raises:
        ThanosqlError: It is not a type.
    """
    rewritten = rewrite(fragment, "SELECT CAST(NULL AS ")
    written = rewritten.written()
    rewritten.add(")")
    tree = parse_sql(rewritten)
    casts = tree.expressions if isinstance(tree, exp.Select) else []
    cast = casts[0] if len(casts) == 1 else None
    plain = isinstance(cast, exp.Cast) and not any(
        cast.args.get(key) for key in ("format", "action", "default")
    )
    if not isinstance(cast, exp.Cast) or not plain or cast.to.this is exp.DataType.Type.USERDEFINED:
        raise fault(
            "a new column takes a name and a type, and nothing else",
            fragment.span,
            expected=["a type such as VARCHAR"],
        )
    return AddColumn(column=name, type=to_duckdb(cast.to, fragment), written=written)


def _parse(rewritten: Rewritten, kind: type[exp.Expr], parts: tuple[str, ...], expected: str) -> exp.Expr:
    fragment = rewritten.fragment
    tree = parse_sql(rewritten)
    extra = [key.strip("_").upper() for key, value in tree.args.items() if value and key not in parts]
    if not isinstance(tree, kind) or extra:
        if extra:
            message = f"{kind.__name__.upper()} ... {extra[0]} is not supported"
            raise fault(message, word_span(fragment, extra[0]))
        raise fault(f"this is not {expected}", fragment.span, expected=[expected])
    check_expressions(tree, rewritten)
    if rewritten.nested or tree.find(exp.Query) is not None:
        message = "a query cannot be used here; use CREATE OR REPLACE TABLE t AS SELECT ..."
        raise fault(message, word_span(fragment, "SELECT"), expected=[expected])
    return tree


def _assignments(tree: exp.Expr, rewritten: Rewritten) -> Iterator[Assignment]:
    fragment = rewritten.fragment
    seen: set[str] = set()
    for item in tree.expressions:
        if not isinstance(item, exp.EQ) or not isinstance(item.this, exp.Column) or item.this.table:
            raise fault("this is not an assignment", fragment.span, expected=["column = expression"])
        start = item.this.this.meta.get("start")
        span = fragment.token_span(rewritten.token_at(start)) if isinstance(start, int) else fragment.span
        if item.this.name.lower() in seen:
            raise fault(f"column '{item.this.name}' is set twice", span)
        seen.add(item.this.name.lower())
        yield Assignment(
            column=Name(text=item.this.name, span=span),
            expression=to_duckdb(item.expression, fragment),
        )
