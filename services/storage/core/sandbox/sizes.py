"""Bounds on what a query asks for, read from its text before anything runs.

Some functions cannot be bounded while they run (see `guards`): `printf` takes any number of arguments, and a
list that is made for each item of a list is memory that DuckDB's limit does not see. Planning a query of
thousands of parts cannot be interrupted.
"""

import math
import re

from sqlglot import exp

from services.storage.core.names import fold
from thanosql_runtime.errors import Reason, ThanosqlError, error

_MOST_NODES = 200_000
_MOST_PARTS = 500
_MOST_JOINS = 64
_MOST_WITH_LAMBDAS = 10_000
_FORMATS = frozenset({"printf", "format"})
# A width or a precision of five digits, one that comes as an argument, or one inside braces of its own.
_WIDE = re.compile(r"[0-9]{5}|%[^a-zA-Z%]*\*|\{[^{}]*\{")
_MAKERS = frozenset(
    {"range", "generate_series", "repeat", "lpad", "rpad", "list_resize", "array_resize", "bitstring"}
)


def check_sizes(tree: exp.Expr) -> None:
    """Refuse a query whose text asks for too much.

    Raises:
        ThanosqlError: QUERY_TOO_LARGE.
    """
    nodes = parts = joins = 0
    makers, has_lambda = [], False
    for node in tree.walk():
        nodes += 1
        parts += isinstance(node, exp.SetOperation | exp.CTE)
        joins += isinstance(node, exp.Join)
        has_lambda = has_lambda or isinstance(node, exp.Lambda | exp.Comprehension)
        if isinstance(node, exp.Func):
            _check_format(node)
            if _name(node) in _MAKERS and not isinstance(node.parent, exp.Table):
                makers.append(node)
    if nodes > _MOST_NODES or parts > _MOST_PARTS or joins > _MOST_JOINS:
        limits = f"{_MOST_JOINS} joins, {_MOST_PARTS} set operations and WITHs, and {_MOST_NODES} words"
        raise _too_large(f"a query may have {limits}; put a part of it into a table")
    if has_lambda:
        _check_made(makers)


def _check_format(node: exp.Func) -> None:
    if _name(node) not in _FORMATS:
        return
    text = node.this if isinstance(node, exp.Format) else next(iter(node.expressions), None)
    is_method = isinstance(node.parent, exp.Dot)
    if is_method or not isinstance(text, exp.Literal) or not text.is_string or _WIDE.search(text.name):
        name = _name(node)
        raise _too_large(f"{name} needs its format as a text with widths of at most four digits")


def _check_made(makers: list[exp.Func]) -> None:
    """Bound what is made beside a lambda, which may make it once for each item."""
    sizes = [_size(node) for node in makers]
    if None in sizes or math.prod(max(1, size or 0) for size in sizes) > _MOST_WITH_LAMBDAS:
        made = ", ".join(sorted({_name(node) for node in makers}))
        message = (
            f"beside a lambda, {made} may make {_MOST_WITH_LAMBDAS} items in all, given as plain numbers"
        )
        raise _too_large(f"{message}; use FROM range(...) for more")


def _size(node: exp.Func) -> int | None:
    match node:
        case exp.GenerateSeries():
            start, end = _whole(node.args.get("start")), _whole(node.args.get("end"))
            return None if start is None or end is None else abs(end - start) + 1
        case exp.Repeat():
            return _whole(node.args.get("times"))
        case exp.Pad():
            return _whole(node.expression)
    numbers = [_whole(argument) for argument in node.expressions]
    if _name(node) in ("range", "generate_series") or isinstance(node.parent, exp.Dot):
        return None if None in numbers else sum(abs(number or 0) for number in numbers) + 1
    return numbers[1] if len(numbers) > 1 else None


def _whole(node: exp.Expr | None) -> int | None:
    if isinstance(node, exp.Neg):
        number = _whole(node.this)
        return None if number is None else -number
    is_whole = isinstance(node, exp.Literal) and not node.is_string and node.name.isdigit()
    return int(node.name) if is_whole and node is not None else None


def _name(node: exp.Func) -> str:
    match node:
        case exp.Anonymous():
            return fold(node.name)
        case exp.GenerateSeries():
            return "range"
        case exp.Pad():
            return "lpad"
    return fold(node.sql_name())


def _too_large(message: str) -> ThanosqlError:
    return error(Reason.QUERY_TOO_LARGE, message)
