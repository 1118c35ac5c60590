"""sqlglot at arm's length: PostgreSQL's dialect in, a tree or an error with the user's place out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError
from sqlglot.optimizer.scope import Scope, traverse_scope

from services.parser.core.faults import fault, nearest, quoted, shorten
from services.parser.core.fragment import Fragment
from services.parser.core.rewriting import Rewritten
from services.parser.core.swallowed import refuse_stray_commas
from thanosql_runtime.errors import Reason, ThanosqlError

_CLAUSES = (
    "SELECT",
    "DISTINCT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "LEFT",
    "RIGHT",
    "FULL",
    "INNER",
    "CROSS",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "BETWEEN",
    "VALUES",
    "WITH",
    "USING",
    "WINDOW",
    "LATERAL",
    "WHEN",
    "THEN",
    "ELSE",
)
_DESCRIPTIONS = (
    (re.compile(r"^Expecting (\S+)"), r"'\1'"),
    (re.compile(r"^Expected table name"), "a table name"),
    (re.compile(r"^Expected (.+?)(?: but got .*)?\.?$", re.DOTALL), r"\1"),
)
_LOOK_BACK = 3
_END_OF_CASE = "END after CASE"
_UNREADABLE = "the query is not valid SQL"


def parse_sql(rewritten: Rewritten) -> exp.Expr:
    """The one statement that a text holds.

    Raises:
        ThanosqlError: The text is not SQL, has a stray comma, or is nested too deeply for the parser.
    """
    fragment = rewritten.fragment
    refuse_stray_commas(rewritten)
    with _sqlglot_at_work(fragment):
        try:
            statements = sqlglot.parse(rewritten.text, read="postgres")
        except ParseError as problem:
            raise _misfit(rewritten, problem) from problem
    if len(statements) != 1 or not isinstance(statements[0], exp.Expr):
        raise fault(_UNREADABLE, fragment.span)
    return statements[0]


def scopes(query: exp.Query, fragment: Fragment) -> list[Scope]:
    """The scopes of a query, which tell its tables from its common table expressions.

    Raises:
        ThanosqlError: The query is nested too deeply, or its tables cannot be told apart.
    """
    with _sqlglot_at_work(fragment):
        found = traverse_scope(query)
        for scope in found:
            # Worked out on first use, which may fail.
            _ = scope.sources
        return found


def to_duckdb(expression: exp.Expr, fragment: Fragment) -> str:
    """The text of an expression in DuckDB's dialect; the expression is spent.

    Raises:
        ThanosqlError: The expression is nested too deeply, or has no form in that dialect.
    """
    with _sqlglot_at_work(fragment):
        return expression.sql("duckdb", copy=False, comments=False, unsupported_level=ErrorLevel.IGNORE)


@contextmanager
def _sqlglot_at_work(fragment: Fragment) -> Iterator[None]:
    """Turn whatever sqlglot raises into an error at the place of the SQL."""
    try:
        yield
    except ThanosqlError:
        raise
    except RecursionError as problem:
        message = "the query is nested too deeply"
        raise fault(message, fragment.span, reason=Reason.STATEMENT_TOO_LARGE) from problem
    except Exception as problem:
        # Text that nobody means makes sqlglot fail in ways of its own, not only with its errors:
        # `SELECT TIMESTAMP()` looks for the name of nothing.
        raise fault(_UNREADABLE, fragment.span) from problem


def _misfit(rewritten: Rewritten, problem: ParseError) -> ThanosqlError:
    """Say what sqlglot said, at the token of the user's text that it stumbled over."""
    fragment = rewritten.fragment
    details = problem.errors[0] if problem.errors else {}
    index = rewritten.token_ending(details.get("line") or 1, details.get("col") or 1)
    expected = _expected(str(details.get("description") or ""))
    slip, meant = _slip(fragment, index)
    if slip is None:
        known = _known_slip(fragment, index, expected)
        if known is not None:
            return known
    else:
        index = slip
    text = shorten(fragment.tokens[index].text)
    at_end = index == fragment.high - 1 and not meant
    message = f"syntax error in the query {'after' if at_end else 'at'} '{text}'"
    return fault(message, fragment.token_span(index), expected=expected, suggestion=meant)


def _known_slip(fragment: Fragment, index: int, expected: list[str]) -> ThanosqlError | None:
    """The error for what is often written wrong, said better than sqlglot can."""
    if expected == [_END_OF_CASE]:
        opened = _open_case(fragment, index)
        return fault("this CASE has no END", fragment.token_span(opened), expected=[quoted("END")])
    for position in range(index, max(fragment.low, index - _LOOK_BACK) - 1, -1):
        word, behind = fragment.word_at(position), fragment.word_at(position + 1)
        if word in ("ORDER", "GROUP") and behind not in ("", "BY"):
            place = fragment.token_span(position + 1)
            return fault(f"{word} is not followed by BY", place, expected=[quoted("BY")])
        if word == "RETURNING":
            return fault("RETURNING is not supported", fragment.token_span(position))
    return None


def _open_case(fragment: Fragment, index: int) -> int:
    """The innermost CASE before a token that has no END before it."""
    opened: list[int] = []
    for position in range(fragment.low, index + 1):
        word = fragment.word_at(position)
        if word == "CASE":
            opened.append(position)
        elif word == "END" and opened:
            opened.pop()
    return opened[-1] if opened else index


def _expected(description: str) -> list[str]:
    for pattern, replacement in _DESCRIPTIONS:
        match = pattern.match(description)
        if match:
            return [match.expand(replacement)]
    return []


def _slip(fragment: Fragment, index: int) -> tuple[int | None, str]:
    """The misspelt keyword at or shortly before a token: `FORM t` fails only at `t`."""
    for position in range(index, max(fragment.low, index - _LOOK_BACK) - 1, -1):
        word = fragment.word_at(position)
        meant = nearest(word, _CLAUSES) if word and word not in _CLAUSES else ""
        if meant and fragment.word_at(position - 1) not in ("FROM", "JOIN", "SELECT", "AS", "TABLE"):
            return position, meant
    return None, ""
