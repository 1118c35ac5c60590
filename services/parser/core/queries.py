"""Reads the SQL query inside a statement, with the statements nested in it."""

from collections.abc import Callable, Iterator

from sqlglot import exp

from services.parser.core.faults import fault, nearest, quoted, shorten
from services.parser.core.fragment import Fragment
from services.parser.core.nesting import (
    MAX_NESTING,
    NESTABLE,
    QUERY_STARTS,
    refuse_misplaced,
    starts_nested,
    starts_query,
)
from services.parser.core.parameters import parameter_span
from services.parser.core.plan import Plan
from services.parser.core.plan_parts import Name, Nested, Query
from services.parser.core.render import render
from services.parser.core.rewriting import Rewritten, relation, rewrite, rewrite_nested
from services.parser.core.scanner import TokenKind, shown
from services.parser.core.sql import parse_sql, scopes, to_duckdb
from services.parser.core.swallowed import refuse_dropped, word_span
from services.parser.core.versions import each_once, name_versions
from thanosql_runtime.errors import Reason, Span, ThanosqlError

_GENERATORS = (exp.GenerateSeries, exp.ExplodingGenerateSeries, exp.Unnest)
_TABLE_FUNCTIONS = frozenset({"generate_series", "range", "unnest", "json_each"})
_CHANGES = (exp.DML, exp.DDL, exp.Command, exp.Drop)
_OWN_SCHEMAS = frozenset({"main", "public"})
_CATALOGS = frozenset({"information_schema", "pg_catalog"})
_LISTS = {"tables": "LIST TABLE", "pg_tables": "LIST TABLE", "pg_class": "LIST TABLE"}


class QueryReader:
    """Reads queries; the statements nested in them are read by `read_statement`."""

    def __init__(self, read_statement: Callable[[Fragment], Plan]) -> None:
        self._read_statement = read_statement

    def read(self, fragment: Fragment) -> Query:
        """The query that a fragment holds, which may be one nested statement alone.

        Raises:
            ThanosqlError: It is not a query, or something in it may not be used there.
        """
        body = fragment.without_outer_brackets()
        if not body:
            raise fault("a query is missing", fragment.span, expected=["a query", *map(quoted, NESTABLE)])
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
            versions=each_once(rewritten.versions),
            sql=to_duckdb(tree, fragment),
            written=rewritten.written(render(part.plan) for part in nested),
            nested=nested,
            span=fragment.span,
        )

    def _nested(self, rewritten: Rewritten) -> Iterator[Nested]:
        for number, statement in enumerate(rewritten.nested, start=1):
            if statement.depth > MAX_NESTING:
                message = f"statements are nested deeper than {MAX_NESTING}"
                place = statement.token_span(statement.low)
                raise fault(message, place, reason=Reason.STATEMENT_TOO_LARGE)
            yield Nested(relation=relation(number), plan=self._read_statement(statement))


def check_expressions(tree: exp.Expr, rewritten: Rewritten) -> None:
    """Refuse what parses as SQL and may not be used in a query here.

    Raises:
        ThanosqlError: The tree changes something, has parameters, selects nothing, or has parts that
            would be dropped, or has AT VERSION where no table stands.
    """
    fragment = rewritten.fragment
    name_versions(tree, rewritten.versions)
    for node in tree.walk():
        refuse_dropped(node, fragment)
        if isinstance(node, exp.Into):
            table = node.find(exp.Table)
            name = "t" if table is None else shorten(table.name)
            message = f"SELECT INTO is not supported; write CREATE TABLE {name} AS SELECT ..."
            raise fault(message, word_span(fragment, "INTO"))
        if isinstance(node, _CHANGES) and not isinstance(node, exp.Query) and node is not tree:
            what = node.key.upper()
            message = f"{what} cannot be used inside a query"
            raise fault(message, word_span(fragment, what), expected=["a query"])
        if isinstance(node, exp.Placeholder | exp.Parameter):
            message = "query parameters are not supported; write the value itself"
            raise fault(message, parameter_span(rewritten), expected=["a value"])
        if isinstance(node, exp.Select) and not node.expressions:
            message = "SELECT selects no columns"
            raise fault(message, word_span(fragment, "SELECT"), expected=["columns, or *"])


def _require_query(body: Fragment) -> None:
    refuse_misplaced(body, body.low)
    if starts_query(body, body.low):
        return
    token = body.tokens[body.low]
    starts = (*QUERY_STARTS, *NESTABLE)
    message, place = f"a query cannot start with {shown(token)}", body.token_span(body.low)
    suggestion = nearest(token.upper, starts)
    if not suggestion and body.high - body.low == 1 and token.kind in (TokenKind.WORD, TokenKind.QUOTED):
        raise fault(message, place, suggestion=f"SELECT * FROM {token.text}")  # noqa: S608 - text to show
    raise fault(message, place, expected=["a query"], suggestion=suggestion, known=starts)


def _tables(query: exp.Query, rewritten: Rewritten) -> Iterator[Name]:
    """The stored tables that a query reads, each once, as first written."""
    found: dict[str, Name] = {}
    own = {relation(number) for number in range(1, len(rewritten.nested) + 1)}
    own |= {item.relation for item in rewritten.versions}
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
    if table.args.get("db") is not None:
        raise _has_schema(table, rewritten)
    return Name(text=table.name, span=_identifier_span(table.this, rewritten))


def _has_schema(table: exp.Table, rewritten: Rewritten) -> ThanosqlError:
    fragment = rewritten.fragment
    last = first = rewritten.token_at(table.this.meta.get("start", 0))
    while fragment.symbol_at(first - 1, ".") and first - 2 >= fragment.low:
        first -= 2
    schema = table.db.lower()
    suggestion = table.name if schema in _OWN_SCHEMAS and not table.catalog else ""
    suggestion = _LISTS.get(table.name.lower(), "") if schema in _CATALOGS else suggestion
    return fault(
        f"'{shorten(table.sql(dialect='postgres'))}' names a schema; there are no schemas here",
        fragment.token_span(first, last),
        reason=Reason.INVALID_NAME,
        suggestion=suggestion,
    )


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
        f"the table function '{shorten(name)}' is not allowed; use COPY to load a file into a table",
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
