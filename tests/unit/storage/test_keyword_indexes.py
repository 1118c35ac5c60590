"""An index answers what reading the rows answers, and keeps up with its table."""

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.changing.changes import TableChanges
from services.storage.core.queries.connections import QueryLimits, open_connection
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.sandbox.sandbox import check
from services.storage.core.searching.indexed_words import IndexedRows
from services.storage.core.searching.keyword_indexes import KeywordIndexes
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import OpenVersion

Make = Callable[[str, pa.Table], None]

ALL = "SELECT * FROM spoken"
WORDS = [
    "the",
    "library",
    "libary",
    "is",
    "open",
    "학교에",
    "초등학교",
    "음성",
    "don't",
    "question",
    "to",
    "be",
]
INPUTS = [
    "library",
    "the open question",
    '"the library"',
    '"to be" open',
    "libraries",
    "qestion opne",
    "open~ library~",
    "학교",
    "학꾜",
    "음성학교 초등",
    '"학교 the"',
    "nothinglikeit",
]


def rows(seed: int, count: int = 300) -> pa.Table:
    chance = random.Random(seed)
    texts = [" ".join(chance.choices(WORDS, range(12, 0, -1), k=chance.randint(0, 9))) for _ in range(count)]
    texts = [text if chance.random() > 0.05 else None for text in texts]
    return pa.table(
        {"id": range(count), "speaker": [n % 7 for n in range(count)], "text": pa.array(texts, pa.string())}
    )


@pytest.fixture
def indexes(tmp_path: Path) -> Iterator[KeywordIndexes]:
    made = KeywordIndexes(tmp_path / "indexes", partial(open_connection, QueryLimits()), least_rows=1)
    yield made
    made.close()


@pytest.fixture
def indexed(tables: Tables, indexes: KeywordIndexes) -> QueryEngine:
    return QueryEngine(tables, QueryLimits(), indexes)


def wanted(search_input: str, **given: object) -> KeywordSearch:
    fields: dict[str, object] = {"text_col": "text", "result_col": "score", "top_k": 1000} | given
    return KeywordSearch(search_input=search_input, **fields)  # type: ignore[arg-type]


def found(
    engine: QueryEngine, search_input: str, sql: str = ALL, **given: object
) -> tuple[pa.Table, list[str]]:
    with engine.run(sql, ("spoken",), search=wanted(search_input, **given)) as running:
        return pa.Table.from_batches(running, schema=running.schema), list(running.remarks)


def is_indexed(indexes: KeywordIndexes, tables: Tables, sql: str = ALL) -> bool:
    version = OpenVersion(table="spoken", dataset=tables.dataset("spoken"))
    return isinstance(indexes.source(check(sql, ["spoken"]).tree, version, wanted("x")), IndexedRows)


def assert_same(plain: QueryEngine, indexed: QueryEngine, search_input: str, sql: str = ALL) -> None:
    expected, actual = found(plain, search_input, sql), found(indexed, search_input, sql)
    assert actual[1] == expected[1]
    assert actual[0].schema == expected[0].schema
    kept = [name for name in expected[0].column_names if name != "score"]
    assert actual[0].select(kept).to_pylist() == expected[0].select(kept).to_pylist()
    assert actual[0]["score"].to_pylist() == pytest.approx(expected[0]["score"].to_pylist())


def built(indexes: KeywordIndexes, tables: Tables) -> None:
    assert not is_indexed(indexes, tables)
    indexes.wait()
    assert is_indexed(indexes, tables)


@pytest.mark.parametrize("search_input", INPUTS)
def test_an_index_answers_what_reading_answers(
    engine: QueryEngine,
    indexed: QueryEngine,
    indexes: KeywordIndexes,
    tables: Tables,
    make: Make,
    search_input: str,
) -> None:
    make("spoken", rows(1))
    built(indexes, tables)
    assert_same(engine, indexed, search_input)
    where = "SELECT id AS n, Text FROM spoken AS s WHERE s.speaker = 3 OR id < 20"
    assert is_indexed(indexes, tables, where)
    assert_same(engine, indexed, search_input, where)


@pytest.mark.parametrize(
    ("sql", "through_index"),
    [
        (ALL, True),
        ("SELECT text FROM spoken", True),
        ("SELECT text FROM spoken WHERE lower(text) LIKE 'the%' AND id BETWEEN 1 AND 100", True),
        ("SELECT text FROM spoken LIMIT 5", False),
        ("SELECT DISTINCT text FROM spoken", False),
        ("SELECT upper(text) AS text FROM spoken", False),
        ("SELECT a.text FROM spoken a JOIN spoken b USING (id)", False),
        ("SELECT text FROM spoken WHERE id = (SELECT max(id) FROM spoken)", False),
        ("SELECT text FROM spoken WHERE len(list_filter([1], text -> text > id)) = 0", False),
        ("SELECT text FROM (SELECT * FROM spoken) AS s", False),
        ("SELECT text FROM spoken UNION ALL SELECT text FROM spoken", False),
        ("SELECT speaker AS text FROM spoken", False),
        ("SELECT text FROM spoken TABLESAMPLE 10 PERCENT", False),
    ],
)
def test_plain_reads_of_one_table_go_through_its_index(
    indexes: KeywordIndexes, tables: Tables, make: Make, sql: str, through_index: bool
) -> None:
    make("spoken", rows(2))
    built(indexes, tables)
    assert is_indexed(indexes, tables, sql) is through_index


def test_an_index_keeps_up_with_its_table(
    engine: QueryEngine,
    indexed: QueryEngine,
    indexes: KeywordIndexes,
    tables: Tables,
    changes: TableChanges,
    make: Make,
) -> None:
    make("spoken", rows(3))
    built(indexes, tables)
    more = rows(4, 50)
    tables.append("spoken", Rows(more.schema, more.to_batches()))
    assert is_indexed(indexes, tables)
    for search_input in INPUTS:
        assert_same(engine, indexed, search_input)
    assert_same(engine, indexed, "library", "SELECT * FROM spoken WHERE speaker = 2")
    changes.delete("spoken", "speaker = 1")
    assert_same(engine, indexed, "library")
    indexes.wait()
    assert is_indexed(indexes, tables)
    assert_same(engine, indexed, "library")
    changes.rename_column("spoken", "text", "said")
    changes.add_column("spoken", "text", "VARCHAR")
    assert found(indexed, "library")[0].num_rows == 0
    tables.drop("spoken")
    make("spoken", rows(5))
    assert_same(engine, indexed, "library")


@pytest.mark.parametrize("home", ["bucket"], indirect=True)
def test_tables_in_a_bucket_have_their_indexes_on_the_disk(
    engine: QueryEngine, indexed: QueryEngine, indexes: KeywordIndexes, tables: Tables, make: Make
) -> None:
    make("spoken", rows(12))
    built(indexes, tables)
    more = rows(13, 20)
    tables.append("spoken", Rows(more.schema, more.to_batches()))
    assert_same(engine, indexed, "library 학교")
    assert_same(engine, indexed, '"the library"', "SELECT * FROM spoken WHERE speaker = 2")


def test_a_column_of_the_result_columns_name_is_replaced_there_too(
    engine: QueryEngine, indexed: QueryEngine, indexes: KeywordIndexes, tables: Tables, make: Make
) -> None:
    make("spoken", rows(14))
    built(indexes, tables)
    assert_same(engine, indexed, "library", "SELECT id, text, speaker AS Score FROM spoken")


def test_many_new_rows_are_put_into_the_index(
    indexed: QueryEngine, indexes: KeywordIndexes, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("spoken", rows(6))
    built(indexes, tables)
    before = list((tmp_path / "indexes").glob("*/*/*"))
    more = rows(7, 2000)
    tables.append("spoken", Rows(more.schema, more.to_batches()))
    found(indexed, "library")
    indexes.wait()
    after = list((tmp_path / "indexes").glob("*/*/*"))
    assert len(after) == 1
    assert after != before


def test_explaining_tells_the_way_and_builds_nothing(
    indexed: QueryEngine, indexes: KeywordIndexes, tables: Tables, make: Make
) -> None:
    make("spoken", rows(15))
    empty, told = found(indexed, "library", explain_only=True)
    assert (empty.num_rows, told) == (0, ["by reading every row"])
    built(indexes, tables)
    assert found(indexed, "library", explain_only=True)[1] == ["through the index of the words in 'text'"]
    assert found(indexed, "library", ALL + " LIMIT 9", explain_only=True)[1] == ["by reading every row"]


def test_a_damaged_index_is_not_used_and_made_again(
    engine: QueryEngine,
    indexed: QueryEngine,
    indexes: KeywordIndexes,
    tables: Tables,
    make: Make,
    tmp_path: Path,
) -> None:
    make("spoken", rows(8))
    built(indexes, tables)
    for facts in (tmp_path / "indexes").rglob("facts.json"):
        facts.write_text("{")
    built(indexes, tables)
    assert_same(engine, indexed, "library open")


def test_a_build_that_fails_is_tried_again_after_some_minutes(
    tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("spoken", rows(16))
    now_s, attempts = [0.0], []

    def failing(spill: str) -> object:
        attempts.append(spill)
        raise MemoryError("too large")

    indexes = KeywordIndexes(tmp_path / "indexes", failing, least_rows=1, clock=lambda: now_s[0])
    for now_s[0], attempts_then in [(0.0, 1), (1.0, 1), (599.0, 1), (601.0, 2), (602.0, 2)]:
        assert not is_indexed(indexes, tables)
        indexes.wait()
        assert len(attempts) == attempts_then
    assert list((tmp_path / "indexes").glob("*/*/*")) == []
    indexes.close()


def test_a_folder_that_cannot_be_made_leaves_searches_to_read(
    engine: QueryEngine, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("spoken", rows(17))
    (tmp_path / "indexes").write_text("no folder")
    indexes = KeywordIndexes(tmp_path / "indexes", partial(open_connection, QueryLimits()), least_rows=1)
    reading = QueryEngine(tables, QueryLimits(), indexes)
    assert_same(engine, reading, "library")
    indexes.wait()
    assert_same(engine, reading, "library")
    indexes.close()


def test_indexes_of_dropped_tables_are_forgotten(
    indexes: KeywordIndexes, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("spoken", rows(9))
    built(indexes, tables)
    indexes.forget_others(tables.names)
    assert is_indexed(indexes, tables)
    tables.drop("spoken")
    indexes.forget_others(tables.names)
    assert list((tmp_path / "indexes").iterdir()) == []


def test_closing_ends_a_build(tmp_path: Path, tables: Tables, make: Make) -> None:
    make("spoken", rows(10, 20_000))
    indexes = KeywordIndexes(tmp_path / "indexes", partial(open_connection, QueryLimits()), least_rows=1)
    assert not is_indexed(indexes, tables)
    indexes.close()
    assert not is_indexed(indexes, tables)


def test_small_tables_are_read(tmp_path: Path, tables: Tables, make: Make) -> None:
    make("spoken", rows(11))
    indexes = KeywordIndexes(tmp_path / "indexes", partial(open_connection, QueryLimits()))
    assert not is_indexed(indexes, tables)
    indexes.wait()
    assert not is_indexed(indexes, tables)
    indexes.close()
