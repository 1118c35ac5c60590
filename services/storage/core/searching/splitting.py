"""Words written together in a search and apart in the texts, as happens in Korean: 음성인식, 음성 인식.

Only words that no text has are looked for in two parts, side by side in a text.
"""

from typing import Any, Protocol

_MOST_LETTERS = 20

_SPLITS = f"""
CREATE OR REPLACE TEMP TABLE __search_splits AS
SELECT -(row_number() OVER ()) AS split, unit, word, left(word, i) AS head, substr(word, i + 1) AS tail
FROM __search_asked JOIN __search_units USING (unit), range(1, {_MOST_LETTERS}) AS r(i)
WHERE size = 1 AND __search_unspaced(word) AND length(word) <= {_MOST_LETTERS} AND i < length(word)
  AND (unit, place) NOT IN (SELECT (unit, place) FROM __search_hits)
"""  # noqa: S608 - numbers of our own
_PARTS = """
CREATE OR REPLACE TEMP TABLE __search_matches AS
SELECT split::INT AS unit, 0 AS place, word, term, 1.0::DOUBLE AS weight
FROM __search_splits JOIN __search_dictionary ON suffix(term, head)
UNION ALL
SELECT split::INT, 1, word, term, 1.0 FROM __search_splits JOIN __search_dictionary ON starts_with(term, tail)
"""
# They count as a word that begins with the one searched for.
_SIDE_BY_SIDE = """
INSERT INTO __search_hits
SELECT s.unit, 0, s.word, s.head || ' ' || s.tail, 0.8, h.doc, h.pos
FROM __search_splits AS s
JOIN __search_hits AS h ON h.unit = s.split AND h.place = 0
JOIN __search_hits AS t ON t.unit = s.split AND t.place = 1 AND t.doc = h.doc AND t.pos = h.pos + 1
"""
_FORGET_PARTS = "DELETE FROM __search_hits WHERE unit < 0"


class Places(Protocol):
    """Knows where terms stand."""

    def add_hits(self, connection: Any) -> None:
        """Add to `__search_hits` where the terms of `__search_matches` stand."""
        ...


def add_split(connection: Any, places: Places) -> None:
    """Add to `__search_hits` the words without hits whose two parts stand side by side."""
    connection.execute(_SPLITS)
    if not connection.execute("SELECT count(*) FROM __search_splits").fetchone()[0]:
        return
    connection.execute(_PARTS)
    places.add_hits(connection)
    connection.execute(_SIDE_BY_SIDE)
    connection.execute(_FORGET_PARTS)
