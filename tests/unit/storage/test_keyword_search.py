"""SEARCH KEYWORD over the rows of any query: words, phrases, slips, Korean; scores, best first."""

import threading
import unicodedata
from collections.abc import Callable

import pyarrow as pa
import pytest

from services.storage.core.queries.connections import QueryLimits
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.tables.tables import Tables
from thanosql_runtime.errors import Reason, ThanosqlError

Make = Callable[[str, pa.Table], None]

TEXTS = [
    "TO BE OR NOT TO BE THAT IS THE QUESTION",
    "THE LIBRARY IS OPEN",
    "THE OLD LIBRARY NEAR THE OTHER LIBRARY",
    "HE DOESN'T READ, HE SINGS",
    "나는 학교에 갔다",
    "초등학교 앞에서 만나자",
    "도서관은 닫혔다",
    None,
    "",
    "Café am Fluß",
]


@pytest.fixture
def spoken(make: Make) -> None:
    make("spoken", pa.table({"id": range(len(TEXTS)), "text": TEXTS}))


def found(
    engine: QueryEngine, search_input: str, sql: str = "SELECT * FROM spoken", **given: object
) -> list[dict[str, object]]:
    fields: dict[str, object] = {"text_col": "text", "result_col": "search_result", "top_k": 1000} | given
    search = KeywordSearch(search_input=search_input, **fields)  # type: ignore[arg-type]
    with engine.run(sql, ("spoken",), search=search) as running:
        return [row for batch in running for row in batch.to_pylist()]


def ids(rows: list[dict[str, object]]) -> list[object]:
    return [row["id"] for row in rows]


def remarks(engine: QueryEngine, search_input: str) -> list[str]:
    search = KeywordSearch(search_input=search_input, text_col="text", result_col="score", top_k=10)
    with engine.run("SELECT * FROM spoken", ("spoken",), search=search) as running:
        assert running.schema.names == ["id", "text", "score"]
        return list(running.remarks)


@pytest.mark.parametrize(
    ("search_input", "expected"),
    [
        ("library", [2, 1]),
        ("Library OPEN", [1, 2]),
        ("to be or not", [0]),
        ('"to be or not to be"', [0]),
        ('"not to be or"', []),
        ('"library is"', [1]),
        ('"library is" old', [1, 2]),
        ("“library is”", [1]),
        ("doesn't", [3]),
        ("doesn’t", [3]),
        ("cafe", [9]),
        ("학교", [4, 5]),
        ("도서관", [6]),
        (unicodedata.normalize("NFD", "학교"), [4, 5]),
        ('"학교 갔다"', [4]),
        ("zzzzz", []),
    ],
)
def test_rows_are_found_best_first(
    engine: QueryEngine, spoken: None, search_input: str, expected: list[int]
) -> None:
    assert ids(found(engine, search_input)) == expected


@pytest.mark.parametrize(
    ("search_input", "expected"),
    [
        ("libary", [2, 1]),
        ("qestion", [0]),
        ("libary qestion", [2, 1, 0]),
        ('"teh library"', [1]),
        ('"libary is"', [1]),
        ("학꾜", [4]),
        ("도석관", [6]),
        ("singz", [3]),
    ],
)
def test_a_slip_finds_what_was_meant(
    engine: QueryEngine, spoken: None, search_input: str, expected: list[int]
) -> None:
    assert ids(found(engine, search_input)) == expected


def test_a_slip_is_told_with_the_words_that_were_searched_for(engine: QueryEngine, spoken: None) -> None:
    assert remarks(engine, "libary open") == ["no row has the word 'libary'; searched for 'library' instead"]
    assert remarks(engine, "xylophones") == ["no row has the word 'xylophones' or one like it"]
    assert remarks(engine, "library open 학교") == []


def test_korean_written_together_is_found_written_apart(engine: QueryEngine, make: Make) -> None:
    texts = ["새 음성 인식을 쓴다", "음성은 좋은 인식", "인식 음성"]
    make("spoken", pa.table({"id": [1, 2, 3], "text": texts}))
    assert ids(found(engine, "음성인식")) == [1]
    assert remarks(engine, "음성인식") == ["no row has the word '음성인식'; searched for '음성 인식' instead"]
    make("spoken", pa.table({"id": [1, 2], "text": ["음성인식을", "음성 인식"]}))
    assert ids(found(engine, "음성인식")) == [1]
    assert sorted(map(str, ids(found(engine, "음성 인식")))) == ["1", "2"]


def test_words_that_rows_have_are_not_mended_unless_asked(engine: QueryEngine, make: Make) -> None:
    make("spoken", pa.table({"id": [1, 2], "text": ["from here", "the form"]}))
    assert ids(found(engine, "form")) == [2]
    assert ids(found(engine, "form~")) == [2, 1]


def test_scores_are_those_of_bm25(engine: QueryEngine, make: Make) -> None:
    make("spoken", pa.table({"id": [1, 2, 3], "text": ["a b", "a a c d", "e"]}))
    scores = {row["id"]: row["search_result"] for row in found(engine, "a")}
    # ln(1 + (3 - 2 + 0.5) / (2 + 0.5)), texts of 2 and 4 words, 7 / 3 on average.
    assert scores == pytest.approx(
        {
            1: 0.470004 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 6 / 7)),
            2: 0.470004 * 4.4 / (2 + 1.2 * (0.25 + 0.75 * 12 / 7)),
        },
        rel=1e-5,
    )


def test_the_inner_query_filters_renames_and_limits(engine: QueryEngine, spoken: None) -> None:
    sql = "SELECT id, lower(text) AS said FROM spoken WHERE id <> 2"
    rows = found(engine, "library", sql, text_col="Said", result_col="score")
    assert [(row["id"], row["said"]) for row in rows] == [(1, "the library is open")]
    assert list(rows[0]) == ["id", "said", "score"]
    assert ids(found(engine, "library", "SELECT * FROM spoken ORDER BY id LIMIT 2")) == [1]
    joined = "SELECT a.*, b.text AS other FROM spoken a JOIN spoken b ON a.id = b.id + 1"
    assert ids(found(engine, "question", joined, text_col="other")) == [1]


def test_the_best_are_kept(engine: QueryEngine, spoken: None) -> None:
    assert ids(found(engine, "library the", top_k=1)) == [2]


def test_a_column_of_the_result_columns_name_is_replaced(engine: QueryEngine, spoken: None) -> None:
    rows = found(engine, "open", "SELECT text, id AS Score FROM spoken", result_col="score")
    assert list(rows[0]) == ["text", "score"]
    assert isinstance(rows[0]["score"], float)
    search = KeywordSearch(search_input="open", text_col="text", result_col="ID", top_k=10)
    with engine.run("SELECT * FROM spoken", ("spoken",), search=search) as running:
        assert running.schema.names == ["text", "ID"]
        assert "take the place of the query's column 'id'" in running.remarks[0]


def test_what_is_too_long_for_a_word_is_not_compared(engine: QueryEngine, make: Make) -> None:
    make("spoken", pa.table({"id": [1], "text": ["a" * 300_000]}))
    assert ids(found(engine, "a" * 299_999)) == []


@pytest.mark.parametrize(
    ("search_input", "given", "reason", "option"),
    [
        ("library", {"text_col": "texts"}, Reason.COLUMN_NOT_FOUND, "text_col"),
        ("library", {"text_col": "id"}, Reason.INVALID_DATA, "text_col"),
        ("?!", {}, Reason.INVALID_OPTION_VALUE, "search_input"),
        ('"library', {}, Reason.INVALID_OPTION_VALUE, "search_input"),
        ("a " * 101, {}, Reason.INVALID_OPTION_VALUE, "search_input"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    engine: QueryEngine,
    spoken: None,
    search_input: str,
    given: dict[str, object],
    reason: Reason,
    option: str,
) -> None:
    with pytest.raises(ThanosqlError) as failure:
        found(engine, search_input, **given)
    assert (failure.value.reason, failure.value.metadata["option"]) == (reason, option)


def test_a_search_is_stopped_by_its_time_and_by_its_caller(tables: Tables, make: Make) -> None:
    make("spoken", pa.table({"text": ["some words here"] * 10}))
    sql = "SELECT a.text FROM spoken a, spoken b, spoken c, range(1000000) r"
    with pytest.raises(ThanosqlError) as late:
        found(QueryEngine(tables, QueryLimits(compute_s=0.3)), "words", sql)
    assert late.value.reason is Reason.QUERY_TOO_LARGE
    search = KeywordSearch(search_input="words", text_col="text", result_col="score", top_k=10)
    with QueryEngine(tables).run(sql, ("spoken",), search=search) as running:
        threading.Timer(0.2, running.interrupt).start()
        with pytest.raises(ThanosqlError) as cancelled:
            list(running)
    assert cancelled.value.reason is Reason.CANCELLED
