"""SEARCH AUDIO and SEARCH TEXT: the rows whose embeddings lie nearest to one, by cosine, in one pass.

Every row is compared, or those that the packed embeddings of the table name; only the best are kept. Scores
have six decimals, which is about what float32 can tell apart, so that equal rows have equal
scores and come in the order of the query.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from sqlglot import exp

from services.storage.core.names import column_not_found, find_column, fold, quoted
from services.storage.core.searching.answering import NO_ROWS, replaced
from services.storage.core.searching.best_rows import BestRows
from services.storage.core.searching.embeddings import MISSING, UNUSABLE, Numbers, cosines
from services.storage.core.searching.indexed_vectors import Found, IndexedVectors
from services.storage.core.types import OpenVersion
from thanosql_runtime.errors import Reason, ThanosqlError, error

MANNER = "by comparing every row"
_BATCH_ROWS = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorSearch:
    """Which rows of a query are wanted, and in which column their scores stand.

    Attributes:
        embedding: What the rows are compared with; not zero.
        emb_col: Column of the query that holds the embeddings.
        result_col: Name of the column with the scores.
        top_k: Rows at most.
        explain_only: Only check it, and remark how the rows would be found.
    """

    embedding: Numbers
    emb_col: str
    result_col: str
    top_k: int
    explain_only: bool = False


class VectorSources(Protocol):
    """Where rows can be found without reading all of them."""

    def source(self, tree: exp.Expr, version: OpenVersion, search: VectorSearch) -> IndexedVectors | None:
        """The rows of a query over one table through an index, or None where they must be read."""
        ...


def rank_nearest(
    connection: Any,
    sql: str,
    search: VectorSearch,
    memory_bytes: int,
    source: IndexedVectors | None = None,
) -> tuple[str, list[str]]:
    """Find the best rows; answers the query for them, and remarks for the user.

    Args:
        connection: Where the query runs.
        sql: The query, checked.
        search: What is wanted of it.
        memory_bytes: What the best rows may take.
        source: Finds them without reading every row.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND; INVALID_DATA for a column without embeddings, or with those of
            another model; QUERY_TOO_LARGE.
    """
    relation = connection.sql(sql)
    column = embedding_column(relation, search)
    if search.explain_only:
        return NO_ROWS, [source.manner if source else MANNER]
    if source is None:
        found = _compare_all(relation, column, search, memory_bytes)
    else:
        found = source.find(connection, search.embedding, search.top_k, memory_bytes)
    name = relation.columns[column]
    remarks = [*replaced(found.names, search.result_col), *left_out(name, found.missing, found.unusable)]
    return _answer(connection, found, search), remarks


def _compare_all(relation: Any, column: int, search: VectorSearch, memory_bytes: int) -> Found:
    reader = relation.to_arrow_reader(_BATCH_ROWS)
    best = BestRows(reader.schema, search.top_k, memory_bytes)
    missing = unusable = 0
    for batch in reader:
        scores, states = cosines(batch.column(column), search.embedding)
        missing += int(np.count_nonzero(states == MISSING))
        unusable += int(np.count_nonzero(states == UNUSABLE))
        best.add(batch, scores)
    return Found(names=relation.columns, best=best, missing=missing, unusable=unusable)


def embedding_column(relation: Any, search: VectorSearch) -> int:
    """Where the column of embeddings is.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND, or INVALID_DATA for a column whose embeddings cannot be compared.
    """
    name = find_column(relation.columns, search.emb_col)
    if name is None:
        missing = column_not_found(search.emb_col, relation.columns)
        missing.message += "; CONVERT adds a column of embeddings"
        raise _of_option(missing)
    column: int = relation.columns.index(name)
    kind = relation.types[column]
    if kind.id not in ("array", "list") or kind.children[0][1].id not in ("float", "double"):
        advice = "choose the column that CONVERT added, or cast numbers to REAL[]"
        message = f"column {name!r} holds {kind}, not embeddings; {advice}"
        raise _of_option(error(Reason.INVALID_DATA, message, column=name))
    if kind.id == "array" and kind.children[1][1] != len(search.embedding):
        raise _of_option(other_dimension(name, kind.children[1][1], len(search.embedding)))
    return column


def other_dimension(column: str, found: int, wanted: int) -> ThanosqlError:
    """The failure of a search with the embedding of another model."""
    advice = "search with the model that made the column"
    message = f"column {column!r} holds embeddings of {found} numbers, the model makes {wanted}; {advice}"
    return error(Reason.INVALID_DATA, message, column=column)


def left_out(column: str, missing: int, unusable: int) -> list[str]:
    """Remarks on rows that were not compared."""
    remarks = []
    if missing:
        remarks.append(f"{_rows(missing)} left out: '{column}' is NULL there")
    if unusable:
        why = "zero, not finite, or of another length than the model's"
        remarks.append(f"{_rows(unusable)} left out: '{column}' is {why} there")
    return remarks


def _rows(count: int) -> str:
    return "1 row was" if count == 1 else f"{count} rows were"


def _answer(connection: Any, found: Found, search: VectorSearch) -> str:
    names, (table, scores) = found.names, found.best.table()
    # A query may give two columns one name, which a table of DuckDB's may not have.
    plain = [f"c{number}" for number in range(len(names))]
    rows = table.rename_columns(plain).append_column("score", pa.array(scores, pa.float64()))
    connection.register("__search_best", rows)
    kept = [
        f"{alias} AS {quoted(name)}"
        for alias, name in zip(plain, names, strict=True)
        if fold(name) != fold(search.result_col)
    ]
    columns = ", ".join([*kept, f"score AS {quoted(search.result_col)}"])
    return f"SELECT {columns} FROM __search_best"  # noqa: S608 - names are quoted


def _of_option(failure: ThanosqlError) -> ThanosqlError:
    failure.metadata = {**failure.metadata, "option": "emb_col"}
    return failure
