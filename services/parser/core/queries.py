"""Reads the SQL query inside a statement, with the statements nested in it."""

from collections.abc import Callable, Iterator

from sqlglot import exp

from services.parser.core.faults import fault, nearest, shorten
from services.parser.core.fragment import Fragment
from services.parser.core.nesting import (
    MAX_NESTING,
    NESTABLE,
    QUERY_STARTS,
    refuse_misplaced,
    starts_nested,
    starts_query,
)
from services.parser.core.plan import Plan
from services.parser.core.plan_parts import Name, Nested, Query
from services.parser.core.render import render
from services.parser.core.rewriting import Rewritten, relation, rewrite, rewrite_nested
from services.parser.core.scanner import shown
from services.parser.core.sql import parse_sql, scopes, to_duckdb
from thanosql_runtime.errors import Reason, Span

_GENERATORS = (exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.Unnest)
_TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest", "json_each"})
_CHANGES = (exp.DML, exp.DDL, exp.Command, exp.Drop, exp.Into)


class QueryReader:
    """Reads queries; the statements nested in them are read by `read_statement`."""

    def __init__(self, read_statement: Callable[[Fragment], Plan]) -> None:
        self._read_statement = read_statement

    def read(self, fragment: Fragment) -> Query:
        """The query that a fragment holds, which may be one nested statement alone.

        Raises:
            ThanosqlError: It is no query, or something in it may not stand there.
        """
        body = fragment.without_outer_brackets()
        if not body:
            raise fault("a query is missing", fragment.span, expected=["a query", *NESTABLE])
        if starts_nested(body, body.low):
            rewritten = rewrite_nested(body)
        else:
            _require_query(body)
            rewritten = rewrite(body)
        return self._build(fragment, rewritten)

    def _build(self, fragment: Fragment, rewritten: Rewritten) -> Query:
        nested = tuple(self._nested(rewritten))
        tree = parse_sql(rewritten)
        if isinstance(tree, exp.Values):
            tree = exp.select("*").from_(tree, copy=False)
        check_expressions(tree, rewritten)
        if not isinstance(tree, exp.Query):
            raise fault("this is not a query", fragment.span, expected=["a query"])
        return Query(
            tables=tuple(_tables(tree, rewritten)),
            sql=to_duckdb(tree, fragment),
            written=rewritten.written(render(part.plan) for part in nested),
            nested=nested,
            span=fragment.span,
        )

    def _nested(self, rewritten: Rewritten) -> Iterator[Nested]:
        for number, statement in enumerate(rewritten.nested, start=1):
            if statement.depth > MAX_NESTING:
                message = f"statements are nested deeper than {MAX_NESTING}"
                raise fault(message, statement.token_span(statement.low))
            yield Nested(relation=relation(number), plan=self._read_statement(statement))


def check_expressions(tree: exp.Expr, rewritten: Rewritten) -> None:
    """Refuse what parses as SQL and has no place in a query here.

    Raises:
        ThanosqlError: The tree changes something, has parameters, or selects nothing.
    """
    fragment = rewritten.fragment
    for node in tree.walk():
        if isinstance(node, _CHANGES) and not isinstance(node, exp.Query) and node is not tree:
            what = "INTO" if isinstance(node, exp.Into) else node.key.upper()
            raise fault(
                f"{what} cannot stand inside a query", word_span(fragment, what), expected=["a query"]
            )
        if isinstance(node, exp.Placeholder | exp.Parameter):
            message = "parameters have no value here; write the value itself"
            raise fault(message, _parameter_span(fragment), expected=["a value"])
        if isinstance(node, exp.Select) and not node.expressions:
            message = "SELECT selects no columns"
            raise fault(message, word_span(fragment, "SELECT"), expected=["columns, or *"])


def _require_query(body: Fragment) -> None:
    refuse_misplaced(body, body.low)
    if starts_query(body, body.low):
        return
    token = body.tokens[body.low]
    starts = (*QUERY_STARTS, *NESTABLE)
    raise fault(
        f"{shown(token)} does not begin a query",
        body.token_span(body.low),
        expected=["a query"],
        suggestion=nearest(token.upper, starts),
        known=starts,
    )


def _tables(query: exp.Query, rewritten: Rewritten) -> Iterator[Name]:
    """The stored tables that a query reads, each once, as first written."""
    found: dict[str, Name] = {}
    own = {relation(number) for number in range(1, len(rewritten.nested) + 1)}
    for scope in scopes(query, rewritten.fragment):
        for source in scope.sources.values():
            if isinstance(source, exp.Table) and source.name not in own:
                name = _table_name(source, rewritten)
                if name is not None:
                    found.setdefault(name.text.lower(), name)
    yield from sorted(found.values(), key=lambda name: name.span.start)


def _table_name(table: exp.Table, rewritten: Rewritten) -> Name | None:
    if not isinstance(table.this, exp.Identifier):
        _refuse_table_function(table, rewritten)
        return None
    span = _identifier_span(table.this, rewritten)
    if table.args.get("db") is not None:
        message = f"'{shorten(table.sql(dialect='postgres'))}' names a schema; tables here have none"
        index = rewritten.token_at(table.this.meta.get("start", 0))
        span = rewritten.fragment.token_span(max(index - 2, rewritten.fragment.low), index)
        raise fault(message, span, reason=Reason.INVALID_NAME, suggestion=table.name)
    return Name(text=table.name, span=span)


def _refuse_table_function(table: exp.Table, rewritten: Rewritten) -> None:
    function = table.this
    if isinstance(function, _GENERATORS):
        return
    name = function.name if isinstance(function, exp.Anonymous) else function.key
    if name.lower() in _TABLE_FUNCTIONS:
        return
    index = _called_in_from(rewritten.fragment)
    name = name if index is None else rewritten.fragment.tokens[index].text
    raise fault(
        f"the table function '{shorten(name)}' is not allowed; COPY brings files into tables",
        rewritten.fragment.span if index is None else rewritten.fragment.token_span(index),
        reason=Reason.QUERY_REJECTED,
        known=sorted(_TABLE_FUNCTIONS),
    )


def _called_in_from(fragment: Fragment) -> int | None:
    """Where the first function that is not allowed is called in FROM or JOIN, if that is plain to see."""
    first = _first(fragment, "FROM")
    for index in range(fragment.low + 1, fragment.high):
        called = fragment.word_at(index) and fragment.symbol_at(index + 1, "(")
        before = fragment.word_at(index - 1) in ("FROM", "JOIN", "LATERAL") or fragment.symbol_at(
            index - 1, ","
        )
        if called and before and index > first and fragment.word_at(index).lower() not in _TABLE_FUNCTIONS:
            return index
    return None


def _first(fragment: Fragment, word: str) -> int:
    places = (index for index in range(fragment.low, fragment.high) if fragment.word_at(index) == word)
    return next(places, fragment.high)


def _identifier_span(identifier: exp.Identifier, rewritten: Rewritten) -> Span:
    offset = identifier.meta.get("start")
    if not isinstance(offset, int):
        return rewritten.fragment.span
    return rewritten.fragment.token_span(rewritten.token_at(offset))


def word_span(fragment: Fragment, word: str) -> Span:
    """The place of the first such word in capitals; that of everything where there is none."""
    for index in range(fragment.low, fragment.high):
        if fragment.word_at(index) == word:
            return fragment.token_span(index)
    return fragment.span


def _parameter_span(fragment: Fragment) -> Span:
    for index in range(fragment.low, fragment.high):
        if fragment.tokens[index].text in ("$", "?", ":", "@", "%"):
            return fragment.token_span(index)
    return fragment.span
