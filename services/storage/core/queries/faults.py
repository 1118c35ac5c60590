"""DuckDB's errors in our words."""

import re
from collections.abc import Sequence

import duckdb

from services.storage.core.names import column_not_found, table_not_found
from services.storage.core.sandbox.sandbox import rejected
from services.storage.core.tables.outages import is_outage, store_unreadable
from thanosql_runtime.errors import Reason, ThanosqlError, error

_COLUMN = re.compile(r'(?:Referenced column|does not have a column named|Column) "([^"]+)"(?! must)')
_TABLE = re.compile(r"Table with name (\S+) does not exist")
_LONGEST = 500
_KIND = re.compile(r"^(?P<kind>(\w+ )+)Error: ")
# How DuckDB begins where what it reads from has failed.
_SOURCE_FAILED = ("reading the stream registered as ", "exporting a stream from the object ")


def translate(problem: Exception, *, tables: Sequence[str], columns: Sequence[str]) -> ThanosqlError:
    """Return the error that a user may see, naming what they may have meant.

    Args:
        problem: What DuckDB raised.
        tables: Names of the tables of the query.
        columns: Names of all their columns.
    """
    text = str(problem)
    if _is_outage(problem):
        return store_unreadable(problem, "the tables of the query")
    if isinstance(problem, duckdb.OutOfMemoryException) or "Out of Memory" in text:
        message = "the query needs more memory than one query may use; select fewer rows or columns"
        return error(Reason.QUERY_TOO_LARGE, message)
    if isinstance(problem, duckdb.PermissionException) or "has been locked" in text:
        return rejected("the query reaches outside the tables")
    table = _TABLE.search(text)
    if isinstance(problem, duckdb.CatalogException) and table:
        return table_not_found(table[1], tables)
    column = _COLUMN.search(text)
    if isinstance(problem, duckdb.BinderException) and column:
        return column_not_found(column[1], columns)
    if isinstance(problem, duckdb.ParserException | duckdb.SyntaxException):
        return error(Reason.SYNTAX_ERROR, f"the query cannot be read: {_sentence(text)}")
    return error(Reason.QUERY_FAILED, f"the query failed: {_sentence(text)}")


def _sentence(text: str) -> str:
    """Return DuckDB's message without its kind, its drawing and its advice on settings."""
    body = text.split("\n\nLINE ", 1)[0].split("\n\nPossible solutions", 1)[0]
    return " ".join(_KIND.sub("", body, count=1).split())[:_LONGEST]


def _is_outage(problem: Exception) -> bool:
    """Tell a store that failed from a query that did, whose values may say what they like.

    Behind the first rows of an answer, Arrow hands on whatever DuckDB raises as an error of the system.
    """
    text = str(problem)
    said = _KIND.match(text)
    if said is None or said["kind"] == "IO ":
        return is_outage(problem)
    return text.startswith(_SOURCE_FAILED, said.end()) and is_outage(RuntimeError(text))
