"""The scores of SEARCH KEYWORD: BM25 over the words that match, computed by DuckDB in temporary tables.

A step at a time: the words asked for, the words of the texts that match them, where these stand, the score of
each text. Where the words of the texts come from is the business of a `Source`, so that scores are the same
whether an index was read or the rows themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlglot import exp

from services.storage.core.searching.answering import NO_ROWS, replaced
from services.storage.core.searching.splitting import add_split
from services.storage.core.searching.wanted import MOST_WORDS, KeywordSearch, bad_input, read_pieces
from services.storage.core.searching.words import ANALYSER
from services.storage.core.types import OpenVersion

# The usual weights of BM25: how soon more of a word counts no more, and how much the length of a text counts.
_SATURATION = 1.2
_LENGTH = 0.75

_EXACT = """
CREATE OR REPLACE TEMP TABLE __search_matches AS
SELECT unit, place, word, term, 1.0::DOUBLE AS weight
FROM __search_asked JOIN __search_dictionary ON term = word WHERE NOT __search_unspaced(word)
UNION ALL
SELECT unit, place, word, term, __search_part(word, term)
FROM (SELECT * FROM __search_asked WHERE __search_unspaced(word))
JOIN __search_dictionary ON contains(term, word)
"""
_FOUND = "CREATE OR REPLACE TEMP TABLE __search_found AS SELECT DISTINCT unit, place FROM __search_hits"
_TO_MEND = """
SELECT count(*) FROM __search_asked
WHERE is_loose OR (unit, place) NOT IN (SELECT (unit, place) FROM __search_found)
"""
_ALIKE = """
CREATE OR REPLACE TEMP TABLE __search_matches AS
SELECT unit, place, word, term, 0.5 ** slips AS weight FROM (
  SELECT *, __search_distance(word, term) AS slips
  FROM (
    SELECT *, __search_slips(__search_letters(word)) AS allowed FROM __search_asked
    WHERE is_loose OR (unit, place) NOT IN (SELECT (unit, place) FROM __search_hits)
  )
  JOIN __search_dictionary ON length(term) BETWEEN length(word) - allowed
    AND CASE WHEN __search_unspaced(word) THEN 1000 ELSE length(word) + allowed END
  WHERE allowed > 0
) WHERE slips BETWEEN 1 AND allowed
"""
_HITS = """
CREATE OR REPLACE TEMP TABLE __search_hits (unit INT, place INT, word VARCHAR, term VARCHAR, weight DOUBLE,
  doc BIGINT, pos INT)
"""
# Words in the right places make one occurrence of their phrase, which counts as much as the worst of them.
_SCORES = f"""
CREATE OR REPLACE TEMP TABLE __search_scores AS
WITH placed AS (
  SELECT unit, place, doc, pos, max(weight) AS weight FROM __search_hits GROUP BY ALL
), occurrence AS (
  SELECT unit, doc, pos - place AS start, min(weight) AS weight FROM placed JOIN __search_units USING (unit)
  GROUP BY unit, doc, start, size HAVING count(*) = size
), frequency AS (
  SELECT unit, doc, sum(weight) AS tf FROM occurrence GROUP BY unit, doc
), rarity AS (
  SELECT unit, ln(1 + ($texts - count(*) + 0.5) / (count(*) + 0.5)) AS idf FROM frequency GROUP BY unit
)
SELECT doc, sum(idf * tf * {_SATURATION + 1}
  / (tf + {_SATURATION} * ({1 - _LENGTH} + {_LENGTH} * length / $average))) AS score
FROM frequency JOIN rarity USING (unit) JOIN __search_lengths USING (doc)
GROUP BY doc ORDER BY score DESC, doc LIMIT $top_k
"""  # noqa: S608 - numbers of our own
_CORRECTIONS = """
SELECT word, list(DISTINCT h.term ORDER BY h.term)[:6]
FROM __search_asked LEFT JOIN (SELECT unit, place, term FROM __search_hits) AS h USING (unit, place)
WHERE (unit, place) NOT IN (SELECT (unit, place) FROM __search_found)
GROUP BY word ORDER BY word
"""


@dataclass(frozen=True, kw_only=True)
class Extent:
    """What BM25 must know of all texts together."""

    texts: int
    words: int


class Source(Protocol):
    """Where the words of the texts are.

    Attributes:
        manner: How it finds them, in words.
        names: The columns of the query, once it is open.
    """

    manner: str
    names: Sequence[str]

    def open(self, connection: Any) -> Extent:
        """Make `__search_dictionary` (term), the words of all texts, each once."""
        ...

    def add_hits(self, connection: Any) -> None:
        """Add to `__search_hits` where the terms of `__search_matches` stand."""
        ...

    def measure(self, connection: Any) -> None:
        """Make `__search_lengths` (doc, length) for the texts in `__search_hits`."""
        ...

    def answer(self, connection: Any) -> str:
        """The query for the rows of the texts in `__search_scores`, best first."""
        ...


class Indexes(Protocol):
    """Where rows can be searched without reading all of them."""

    def source(self, tree: exp.Expr, version: OpenVersion, search: KeywordSearch) -> Source | None:
        """The rows of a query over one table through an index, or None where they must be read."""
        ...


def rank(connection: Any, search: KeywordSearch, source: Source) -> tuple[str, list[str]]:
    """Compute the scores; answers the query for the rows, and remarks for the user.

    Raises:
        ThanosqlError: INVALID_OPTION_VALUE for an input without words, and what the source raises.
    """
    _ask(connection, search)
    if search.explain_only:
        return NO_ROWS, [source.manner]
    extent = source.open(connection)
    connection.execute(_HITS)
    connection.execute(_EXACT)
    source.add_hits(connection)
    remarks = [*replaced(source.names, search.result_col), *_add_alike(connection, source)]
    source.measure(connection)
    average = max(1.0, extent.words / max(1, extent.texts))
    connection.execute(_SCORES, {"texts": extent.texts, "average": average, "top_k": search.top_k})
    return source.answer(connection), remarks


def _ask(connection: Any, search: KeywordSearch) -> None:
    """Put the words of the input into `__search_asked`, their counts into `__search_units`."""
    pieces = read_pieces(search.search_input)
    for statement in ANALYSER:
        connection.execute(statement)
    sql = "SELECT list_transform($texts, lambda s: __search_words(s))"
    words = connection.execute(sql, {"texts": [piece.text for piece in pieces]}).fetchone()[0]
    asked: list[tuple[int, int, str, bool]] = []
    unit = 0
    for piece, found in zip(pieces, words, strict=True):
        for place, word in enumerate(found):
            asked.append((unit, place if piece.is_phrase else 0, word, piece.is_loose))
            unit += not piece.is_phrase
        unit += piece.is_phrase
    if not asked:
        raise bad_input(f"search_input {search.search_input!r} has no word to search for")
    if len(asked) > MOST_WORDS:
        raise bad_input(f"search_input has {len(asked)} words, {MOST_WORDS} are taken; leave some out")
    _insert_asked(connection, asked)


def _insert_asked(connection: Any, asked: Sequence[tuple[int, int, str, bool]]) -> None:
    units, places, words, loose = zip(*asked, strict=True)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE __search_asked AS SELECT unnest($units::INT[]) AS unit, "
        "unnest($places::INT[]) AS place, unnest($words::VARCHAR[]) AS word, "
        "unnest($loose::BOOLEAN[]) AS is_loose",
        {"units": list(units), "places": list(places), "words": list(words), "loose": list(loose)},
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE __search_units AS "
        "SELECT unit, count(*) AS size FROM __search_asked GROUP BY unit"
    )


def _add_alike(connection: Any, source: Source) -> list[str]:
    """Search for words like those that no text has, and say so."""
    connection.execute(_FOUND)
    if not connection.execute(_TO_MEND).fetchone()[0]:
        return []
    add_split(connection, source)
    connection.execute(_ALIKE)
    source.add_hits(connection)
    return [_remark(word, alike) for word, alike in connection.execute(_CORRECTIONS).fetchall()]


def _remark(word: str, alike: Sequence[str | None]) -> str:
    known = [term for term in alike or () if term is not None]
    if not known:
        return f"no row has the word '{word}' or one like it"
    listing = ", ".join(f"'{term}'" for term in known[:5]) + (", ..." if len(known) > 5 else "")
    return f"no row has the word '{word}'; searched for {listing} instead"
