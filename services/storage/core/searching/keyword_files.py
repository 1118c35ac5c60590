"""A full-text index of one column, as files: which words there are, where they stand, how long the texts are.

It is made from what it indexes and may be deleted at any time. The files are mapped, not read: a search
touches the pages of the words that it asks for.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.storage.core.searching.words import ANALYSER

FORMAT = 1
_FACTS = "facts.json"
_VOCABULARY = "vocabulary.arrow"
_ADDRESSES = "addresses.bin"
_LENGTHS = "lengths.bin"
_PLACES = "places.bin"
_BATCH_ROWS = 65_536

_DOCS = """
CREATE TEMP TABLE docs AS SELECT row_number() OVER () - 1 AS doc, address, text IS NULL AS absent,
__search_words(text) AS words FROM read
"""
_TERMS = """
CREATE TEMP TABLE terms AS
SELECT doc::INT AS doc, generate_subscripts(words, 1)::INT AS pos, unnest(words) AS term FROM docs
"""
_WORDS = """
SELECT row_number() OVER (ORDER BY term) - 1 AS number, term,
  (sum(count) OVER (ORDER BY term) - count)::BIGINT AS first, count
FROM (SELECT term, count(*) AS count FROM terms GROUP BY term) ORDER BY term
"""


@dataclass(frozen=True, kw_only=True)
class IndexFacts:
    """What an index holds.

    Attributes:
        fragments: The parts of the table, by their numbers, each with what tells its content.
        texts: Rows that have a text.
        words: Words of all texts.
        format: Of the files and the analyser.
    """

    fragments: Mapping[str, str]
    texts: int
    words: int
    format: int = FORMAT


class KeywordIndex:
    """An index that was written before.

    Attributes:
        facts: What it holds.
        vocabulary: Its words: `number`, `term`, `first` place, `count` of places.
        addresses: Where in the table each text is.
        lengths: Words of each text; -1 where there is no text.

    Raises:
        OSError: It is gone.
        ValueError: It is not whole, or of another release.
    """

    def __init__(self, folder: Path) -> None:
        self.facts = IndexFacts(**json.loads((folder / _FACTS).read_text()))
        if self.facts.format != FORMAT:
            raise ValueError(f"the index in {folder} is of another release")
        self.vocabulary = pa.ipc.open_file(pa.memory_map(str(folder / _VOCABULARY))).read_all()
        self.addresses = _mapped(folder / _ADDRESSES, np.uint64)
        self.lengths = _mapped(folder / _LENGTHS, np.int32)
        self._places = _mapped(folder / _PLACES, np.int32).reshape(-1, 2)
        if len(self._places) != self.facts.words or len(self.lengths) != len(self.addresses):
            raise ValueError(f"the index in {folder} is not whole")

    @property
    def fragments(self) -> Mapping[str, str]:
        """The parts of the table that it holds."""
        return self.facts.fragments

    def places(self, words: Mapping[str, npt.NDArray[Any]]) -> pa.RecordBatchReader:
        """Where words of the vocabulary stand: `number` of the word, `doc`, `pos`; read as they are taken."""
        schema = pa.schema([("number", pa.int64()), ("doc", pa.int32()), ("pos", pa.int32())])
        return pa.RecordBatchReader.from_batches(schema, self._places_of(words, schema))

    def _places_of(
        self, words: Mapping[str, npt.NDArray[Any]], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        for number, first, count in zip(words["number"], words["first"], words["count"], strict=True):
            for start in range(int(first), int(first + count), _BATCH_ROWS):
                found = self._places[start : min(start + _BATCH_ROWS, int(first + count))]
                columns = [np.full(len(found), number), found[:, 0].copy(), found[:, 1].copy()]
                yield pa.record_batch(columns, schema=schema)


def write_index(
    connection: Any, rows: pa.RecordBatchReader, fragments: Mapping[str, str], folder: Path
) -> None:
    """Write the index of `text` in the rows, whose `address` tells them apart.

    Args:
        connection: A DuckDB of its own; what does not fit into its memory goes to its disk.
        rows: Columns `text` and `address`.
        fragments: What the facts say of the table's parts.
        folder: Where to; it exists and is empty.
    """
    for statement in ANALYSER:
        connection.execute(statement)
    connection.register("read", rows)
    connection.execute(_DOCS)
    connection.execute(_TERMS)
    _stream(connection, "SELECT address::UBIGINT AS v FROM docs ORDER BY doc", folder / _ADDRESSES)
    lengths = "SELECT CASE WHEN absent THEN -1 ELSE len(words) END::INT AS v FROM docs ORDER BY doc"
    _stream(connection, lengths, folder / _LENGTHS)
    connection.execute("ALTER TABLE docs DROP COLUMN words")
    _stream(connection, "SELECT doc, pos FROM terms ORDER BY term, doc, pos", folder / _PLACES)
    words = connection.sql(_WORDS).to_arrow_reader(_BATCH_ROWS)
    with pa.ipc.new_file(str(folder / _VOCABULARY), words.schema) as writer:
        for batch in words:
            writer.write_batch(batch)
    sql = "SELECT count(*) FILTER (NOT absent), (SELECT count(*) FROM terms) FROM docs"
    texts, word_count = connection.execute(sql).fetchone()
    facts = IndexFacts(fragments=dict(fragments), texts=texts, words=word_count)
    (folder / _FACTS).write_text(json.dumps(asdict(facts)))


def _stream(connection: Any, sql: str, path: Path) -> None:
    """Write numbers row by row, one column beside the other."""
    with path.open("wb") as file:
        for batch in connection.sql(sql).to_arrow_reader(_BATCH_ROWS):
            columns = [column.to_numpy(zero_copy_only=False) for column in batch.columns]
            np.column_stack(columns).tofile(file)


def _mapped(path: Path, kind: type[np.generic]) -> npt.NDArray[Any]:
    if path.stat().st_size == 0:  # Nothing cannot be mapped.
        return np.empty(0, kind)
    return np.memmap(path, kind, mode="r")
