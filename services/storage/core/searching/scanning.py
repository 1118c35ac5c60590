"""The words of the rows of any query, read from the rows themselves."""

from collections.abc import Sequence
from typing import Any

from services.storage.core.names import column_not_found, find_column, fold, quoted
from services.storage.core.searching.ranking import Extent
from services.storage.core.searching.wanted import KeywordSearch
from thanosql_runtime.errors import Reason, ThanosqlError, error

_ROWS = """
CREATE OR REPLACE TEMP TABLE __search_rows AS SELECT row_number() OVER () AS __search_row, * FROM {rows}
"""
_TERMS = """
CREATE OR REPLACE TEMP TABLE __search_terms AS
SELECT doc, generate_subscripts(words, 1)::INT AS pos, unnest(words) AS term
FROM (SELECT __search_row AS doc, __search_words({texts}) AS words FROM __search_rows)
"""
_DICTIONARY = "CREATE OR REPLACE TEMP TABLE __search_dictionary AS SELECT DISTINCT term FROM __search_terms"
_EXTENT = "SELECT count({texts}), (SELECT count(*) FROM __search_terms) FROM __search_rows"
_HITS = """
INSERT INTO __search_hits SELECT unit, place, word, term, weight, doc, pos
FROM __search_matches JOIN __search_terms USING (term)
"""
_LENGTHS = """
CREATE OR REPLACE TEMP TABLE __search_lengths AS
SELECT doc, count(*) AS length FROM __search_terms SEMI JOIN __search_hits USING (doc) GROUP BY doc
"""


class ScannedRows:
    """A `Source` that keeps the rows of a query, and their words, in temporary tables.

    Args:
        sql: The query, checked.
        search: What is wanted of it.
    """

    def __init__(self, sql: str, search: KeywordSearch) -> None:
        self.manner = "by reading every row"
        self.names: Sequence[str] = ()
        self._sql = sql
        self._search = search

    def open(self, connection: Any) -> Extent:
        """See `Source.open`.

        Raises:
            ThanosqlError: COLUMN_NOT_FOUND, or INVALID_DATA for a column without text.
        """
        relation = connection.sql(self._sql)
        self.names = relation.columns
        column = text_column(relation, self._search)
        rows, texts = f"(\n{self._sql}\n)", quoted(column)
        for statement in (_ROWS, _TERMS, _DICTIONARY):
            connection.execute(statement.format(rows=rows, texts=texts))
        extent = connection.execute(_EXTENT.format(texts=texts)).fetchone()
        return Extent(texts=extent[0], words=extent[1])

    def add_hits(self, connection: Any) -> None:
        """See `Source.add_hits`."""
        connection.execute(_HITS)

    def measure(self, connection: Any) -> None:
        """See `Source.measure`."""
        connection.execute(_LENGTHS)

    def answer(self, connection: Any) -> str:
        """See `Source.answer`."""
        names = connection.sql("SELECT * FROM __search_rows").columns[1:]
        kept = [f"r.{quoted(name)}" for name in names if fold(name) != fold(self._search.result_col)]
        columns = ", ".join([*kept, f"s.score AS {quoted(self._search.result_col)}"])
        return (
            f"SELECT {columns} FROM __search_scores AS s "  # noqa: S608 - names are quoted
            "JOIN __search_rows AS r ON s.doc = r.__search_row ORDER BY s.score DESC, s.doc"
        )


def text_column(relation: Any, search: KeywordSearch) -> str:
    """The column that is searched, by its own name.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND, or INVALID_DATA for a column without text.
    """
    column = find_column(relation.columns, search.text_col)
    if column is None:
        raise _of_option(column_not_found(search.text_col, relation.columns))
    kind = str(relation.types[relation.columns.index(column)])
    if kind not in ("VARCHAR", '"NULL"', "NULL"):
        message = f"column {column!r} holds {kind}, not text; choose a column of text"
        raise _of_option(error(Reason.INVALID_DATA, message, column=column))
    return column


def _of_option(failure: ThanosqlError) -> ThanosqlError:
    failure.metadata = {**failure.metadata, "option": "text_col"}
    return failure
