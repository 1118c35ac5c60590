"""The words of a table's rows, read from an index; rows that it does not hold yet are read themselves."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from services.storage.core.names import fold
from services.storage.core.searching.keyword_files import KeywordIndex
from services.storage.core.searching.plain_reads import PlainRead
from services.storage.core.searching.ranking import Extent
from services.storage.core.searching.table_rows import TAKEN_ROWS, arrays_at, register_rows
from services.storage.core.searching.wanted import KeywordSearch

_NEW = """
CREATE OR REPLACE TEMP TABLE __search_new AS SELECT row_number() OVER () - 1 + $first AS doc, address,
CASE WHEN text IS NOT NULL THEN __search_words(text) END AS words FROM __search_new_rows
"""
_TERMS = """
CREATE OR REPLACE TEMP TABLE __search_terms AS
SELECT doc, generate_subscripts(words, 1)::INT AS pos, unnest(words) AS term FROM __search_new
"""
_DOCS = """
CREATE OR REPLACE TEMP VIEW __search_docs AS SELECT doc, address, length FROM __search_indexed
UNION ALL SELECT doc, address, coalesce(len(words), -1) FROM __search_new
"""
_DICTIONARY = """
CREATE OR REPLACE TEMP VIEW __search_dictionary AS SELECT term FROM __search_vocabulary
UNION ALL SELECT term FROM (SELECT DISTINCT term FROM __search_terms)
ANTI JOIN __search_vocabulary USING (term)
"""
_ALLOWED = """
CREATE OR REPLACE TEMP TABLE __search_allowed AS
SELECT doc, length FROM __search_docs SEMI JOIN ({condition}) AS r ON address = r._rowid
"""
_WANTED = """
SELECT number, first, count FROM __search_vocabulary SEMI JOIN __search_matches USING (term)
"""
_HITS = """
INSERT INTO __search_hits SELECT unit, place, word, term, weight, doc, pos FROM (
  SELECT term, doc, pos FROM __search_places JOIN __search_vocabulary USING (number)
  UNION ALL SELECT term, doc, pos FROM __search_terms
) JOIN __search_matches USING (term)
"""
_LENGTHS = """
CREATE OR REPLACE TEMP TABLE __search_lengths AS
SELECT doc, length FROM {docs} SEMI JOIN __search_hits USING (doc)
"""
_BEST = """
SELECT address, score FROM __search_scores JOIN __search_docs USING (doc) ORDER BY score DESC, doc
"""


class IndexedRows:
    """A `Source` that reads the words from an index, and from the table only what is answered.

    Args:
        index: The index of the column.
        dataset: The version of the table that is searched; the index holds all of it, or its first parts.
        new_fragments: The parts of the table that the index does not hold.
        read: What the query reads.
        search: What is wanted of it.
    """

    def __init__(
        self,
        index: KeywordIndex,
        dataset: Any,
        *,
        new_fragments: Sequence[Any],
        read: PlainRead,
        search: KeywordSearch,
    ) -> None:
        self.manner = f"through the index of the words in '{read.searched}'"
        self.names: Sequence[str] = [name for name, _column in read.columns]
        self._index = index
        self._dataset = dataset
        self._new_fragments = new_fragments
        self._read = read
        self._search = search

    def open(self, connection: Any) -> Extent:
        """See `Source.open`."""
        index = self._index
        connection.register("__search_vocabulary", index.vocabulary)
        docs = {"doc": np.arange(len(index.addresses)), "address": index.addresses, "length": index.lengths}
        connection.register("__search_indexed", pa.table(docs))
        connection.register("__search_new_rows", self._new_rows())
        connection.execute(_NEW, {"first": len(index.addresses)})
        for statement in (_TERMS, _DOCS, _DICTIONARY):
            connection.execute(statement)
        if not self._read.condition:
            count = "SELECT count(words), (SELECT count(*) FROM __search_terms) FROM __search_new"
            texts, words = connection.execute(count).fetchone()
            return Extent(texts=index.facts.texts + texts, words=index.facts.words + words)
        register_rows(connection, self._dataset, self._read)
        connection.execute(_ALLOWED.format(condition=self._read.condition))
        count = "SELECT count(*) FILTER (length >= 0), sum(greatest(length, 0)) FROM __search_allowed"
        texts, words = connection.execute(count).fetchone()
        return Extent(texts=texts, words=words or 0)

    def add_hits(self, connection: Any) -> None:
        """See `Source.add_hits`."""
        wanted = connection.execute(_WANTED).fetchnumpy()
        connection.register("__search_places", self._index.places(wanted))
        allowed = " SEMI JOIN __search_allowed USING (doc)" if self._read.condition else ""
        connection.execute(_HITS + allowed)

    def measure(self, connection: Any) -> None:
        """See `Source.measure`."""
        docs = "__search_allowed" if self._read.condition else "__search_docs"
        connection.execute(_LENGTHS.format(docs=docs))

    def answer(self, connection: Any) -> str:
        """See `Source.answer`."""
        best = connection.sql(_BEST).to_arrow_table()
        wanted = [(n, c) for n, c in self._read.columns if fold(n) != fold(self._search.result_col)]
        fields = [self._dataset.schema.field(column).with_name(name) for name, column in wanted]
        schema = pa.schema([*fields, pa.field(self._search.result_col, pa.float64())])
        batches = self._taken(best, [column for _name, column in wanted], schema)
        connection.register("__search_best", pa.RecordBatchReader.from_batches(schema, batches))
        return "SELECT * FROM __search_best"

    def _new_rows(self) -> Any:
        if self._new_fragments:
            return indexed_rows(self._dataset, self._read.searched, self._new_fragments)
        return pa.table({"text": pa.array([], pa.string()), "address": pa.array([], pa.uint64())})

    def _taken(self, best: pa.Table, columns: list[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for start in range(0, best.num_rows, TAKEN_ROWS):
            part = best.slice(start, TAKEN_ROWS).combine_chunks()
            arrays = arrays_at(self._dataset, part.column("address").to_pylist(), columns)
            scores = part.column("score").combine_chunks()
            yield from pa.table([*(arrays[column] for column in columns), scores], schema=schema).to_batches()


def indexed_rows(dataset: Any, column: str, fragments: Sequence[Any]) -> pa.RecordBatchReader:
    """The rows of some parts of a table as an index takes them: `text` and `address`."""
    scanner = dataset.scanner(columns=[column], with_row_id=True, fragments=list(fragments))
    schema = pa.schema([("text", dataset.schema.field(column).type), ("address", pa.uint64())])

    def renamed() -> Iterator[pa.RecordBatch]:
        for batch in scanner.to_reader():
            yield pa.record_batch([batch.column(column), batch.column("_rowid")], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, renamed())
