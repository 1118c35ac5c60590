"""What a user's SQL may be, decided before any of it runs.

DuckDB's own locks (no files, no extensions, no settings) stand behind this; here we refuse what
those would still allow, and say so in words that help.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from services.storage.core.names import fold, table_not_found
from services.storage.core.sandbox.scoping import means_with
from services.storage.core.sandbox.sizes import check_sizes
from thanosql_runtime.errors import Reason, ThanosqlError, error

_TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each", "json_tree"})
_FORBIDDEN_FUNCTIONS = re.compile(
    r"""(read|scan|sniff|duckdb|pragma|pg|parquet|enable|disable|load|install|force|register|deregister
        |create|destroy|write|pandas|python|arrow|seq|from_substrait|get_substrait|icu|test)_.*
        |getenv|current_setting|set_config|getvariable|query|query_table|glob|checkpoint|which_secret
        |json_(execute|serialize|deserialize)_.*|nextval|currval|.*_scan|copy_database|truncate_duckdb_logs
        |__.*|repeat_row|summary|in_search_path|has_.*_privilege|current_(query|query_id|connection_id|transaction_id)|txid_current""",
    re.VERBOSE,
)
_ALLOWED_FUNCTIONS = frozenset({"pg_typeof"})
_NOT_ONE_VALUE = (exp.AggFunc, exp.Window, exp.Explode, exp.Unnest, exp.Columns, exp.Star)
_SET_FUNCTIONS = frozenset({"generate_subscripts"})
_CATALOGS = frozenset({"system", "memory", "temp", "main", "pg_catalog", "information_schema"})
_STATEMENTS = (
    exp.Insert, exp.Update, exp.Delete, exp.Create, exp.Drop, exp.Alter, exp.Command, exp.Copy, exp.Attach,
    exp.Detach, exp.Pragma, exp.Set, exp.Use, exp.Into, exp.Merge, exp.Describe, exp.TruncateTable,
)  # fmt: skip
_SYSTEM_NAMES = re.compile(r"(duckdb|pg|sqlite|pragma)_.*|pragma")
_FILE_LIKE = re.compile(
    r".*[/\\:*?].*|.*\.(csv|tsv|json|jsonl|ndjson|parquet|db|txt|gz|xlsx|arrow)", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class CheckedQuery:
    """One query that may run.

    Attributes:
        sql: Its text, as it was given.
        tree: What it says.
        tables: Folded names of the tables that it reads, in order.
    """

    sql: str
    tree: exp.Expr
    tables: tuple[str, ...]

    def spellings(self, table: str) -> set[str]:
        """Return the folded name of a table and those that the text gives it; DuckDB folds ASCII only."""
        written = {node.name for node in self.tree.find_all(exp.Table)}
        return {table} | {name for name in written if fold(name) == table}


def check(sql: str, allowed: Collection[str]) -> CheckedQuery:
    """Accept one SELECT over the allowed tables, and nothing else.

    Args:
        sql: DuckDB SQL.
        allowed: Names of the tables that exist for this query.

    Raises:
        ThanosqlError: QUERY_REJECTED for what no query may do, SYNTAX_ERROR, TABLE_NOT_FOUND.
    """
    tree = _parse_one_query(sql)
    for node in tree.walk():
        _check_node(node)
    check_sizes(tree)
    known = {fold(name) for name in allowed}
    return CheckedQuery(sql=sql, tree=tree, tables=_check_tables(tree, known, allowed))


def check_expression(text: str) -> None:
    """Accept one expression that can stand in parentheses without ending the query around it.

    Raises:
        ThanosqlError: SYNTAX_ERROR or QUERY_REJECTED.
    """
    tree = _parse_one_query(f"SELECT (\n{text}\n)")
    is_single = len(tree.expressions) == 1 and isinstance(tree.expressions[0], exp.Paren | exp.Subquery)
    extras = [key for key, value in tree.args.items() if value and key not in ("expressions", "kind")]
    if not is_single or extras:
        raise rejected("this is not one expression")
    _check_one_value(tree)


def rejected(what: str) -> ThanosqlError:
    """Build the error for SQL that is refused, whatever it would answer."""
    message = (
        f"{what}; a query is one SELECT over the workspace's tables, without files, settings or side effects"
    )
    return error(Reason.QUERY_REJECTED, message)


def _check_one_value(tree: exp.Expr) -> None:
    """Refuse what is not one value for each row: sets, aggregates, windows, several columns."""
    pending = list(tree.iter_expressions())
    while pending:
        node = pending.pop()
        if isinstance(node, exp.Query):
            continue  # A query inside makes its own rows.
        if isinstance(node, _NOT_ONE_VALUE) or _makes_rows(node):
            raise rejected(f"{node.sql('duckdb')!r} is not one value for each row")
        pending += node.iter_expressions()


def _makes_rows(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and fold(node.name) in _SET_FUNCTIONS


def _parse_one_query(sql: str) -> exp.Expr:
    try:
        parsed = sqlglot.parse(sql, read="duckdb")
    except SqlglotError as problem:
        details = getattr(problem, "errors", None) or [{}]
        what = (details[0].get("description") or str(problem)).split("\n", 1)[0].split(" but got", 1)[0]
        raise error(Reason.SYNTAX_ERROR, f"the query cannot be read: {what}") from problem
    except RecursionError as problem:
        raise error(Reason.QUERY_TOO_LARGE, "the query is nested too deeply") from problem
    # Some text makes sqlglot fail in ways of its own: `SELECT TIMESTAMP()` looks for the name of nothing.
    except Exception as problem:
        raise error(Reason.SYNTAX_ERROR, "the query cannot be read as SQL") from problem
    # What follows the last semicolon may be a comment, which sqlglot keeps as a node of its own.
    statements = [tree for tree in parsed if tree is not None and not isinstance(tree, exp.Semicolon)]
    if len(statements) != 1:
        raise rejected(f"{len(statements)} statements where one query is expected")
    tree = statements[0]
    if not isinstance(tree, exp.Query | exp.Values):
        raise rejected(f"a {tree.key.upper()} statement is not a query")
    return tree


def _check_node(node: exp.Expr) -> None:
    if isinstance(node, _STATEMENTS):
        raise rejected(f"{node.key.upper()} is not allowed inside a query")
    if isinstance(node, exp.Parameter | exp.Placeholder | exp.SessionParameter):
        raise rejected("parameters are not allowed")
    if isinstance(node, exp.Dot):
        _check_qualified_function(node)
    if isinstance(node, exp.Func):
        _check_function(node)


def _check_qualified_function(node: exp.Dot) -> None:
    """Refuse `system.main.f(...)`, which would go round the guards that stand for `f`."""
    if not isinstance(node.expression, exp.Func):
        return
    for name in node.this.find_all(exp.Identifier):
        if fold(name.name) in _CATALOGS:
            raise rejected(f"{name.name!r} cannot be named")


def _check_function(node: exp.Func) -> None:
    name = fold(node.name if isinstance(node, exp.Anonymous) else node.sql_name())
    if name not in _ALLOWED_FUNCTIONS and _FORBIDDEN_FUNCTIONS.fullmatch(name):
        raise rejected(f"function {name!r} is not allowed")


def _check_tables(tree: exp.Expr, known: set[str], allowed: Collection[str]) -> tuple[str, ...]:
    read: dict[str, None] = {}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            _check_table_function(table.this)
            continue
        name = fold(table.name)
        if table.db or table.catalog:
            raise rejected(f"{table.sql('duckdb')!r} is not a table of the workspace")
        if name in known:
            read[name] = None
        elif not means_with(table):
            raise _unknown_table(table.name, allowed)
    return tuple(read)


def _check_table_function(function: exp.Func) -> None:
    name = fold(function.name if isinstance(function, exp.Anonymous) else function.sql_name())
    if name not in _TABLE_FUNCTIONS:
        raise rejected(f"function {name!r} is not allowed (files are read with COPY)")


def _unknown_table(name: str, allowed: Collection[str]) -> ThanosqlError:
    if _FILE_LIKE.fullmatch(name):
        return rejected(f"{name!r} looks like a file, which only COPY can read")
    if _SYSTEM_NAMES.fullmatch(fold(name)):
        return rejected(f"{name!r} is not a table of the workspace")
    return table_not_found(name, [known for known in allowed if not known.startswith("__")])
