"""Packed embeddings answer what comparing every row answers, and keep up with their table."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from services.storage.core.changing.changes import TableChanges
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.sandbox.sandbox import check
from services.storage.core.searching.nearest import VectorSearch
from services.storage.core.searching.vector_indexes import VectorIndexes
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import OpenVersion

Make = Callable[[str, pa.Table], None]

ALL = "SELECT * FROM heard"
DIMENSION = 24
WANTED = np.random.default_rng(9).normal(size=DIMENSION)
THROUGH = "through the index of the embeddings in 'emb'"


def rows(seed: int, count: int = 400) -> pa.Table:
    """Rows near and far, some twice, some zero, missing or not finite."""
    chance = np.random.default_rng(seed)
    vectors = (WANTED + chance.normal(scale=1.5, size=(count, DIMENSION))).astype(np.float32)
    vectors *= chance.uniform(0.1, 9.0, size=(count, 1)).astype(np.float32)
    vectors[10:20] = vectors[:10]
    vectors[20], vectors[21, 3] = 0.0, np.inf
    cells = [None if number % 17 == 16 else vector.tolist() for number, vector in enumerate(vectors)]
    column = pa.array(cells, pa.list_(pa.float32(), DIMENSION))
    return pa.table({"id": range(count), "speaker": [n % 7 for n in range(count)], "emb": column})


@pytest.fixture
def indexes(tmp_path: Path) -> Iterator[VectorIndexes]:
    made = VectorIndexes(tmp_path / "indexes", least_rows=10)
    yield made
    made.close()


@pytest.fixture
def indexed(tables: Tables, indexes: VectorIndexes) -> QueryEngine:
    return QueryEngine(tables, vectors=indexes)


def search(top_k: int = 1000, **given: object) -> VectorSearch:
    fields: dict[str, object] = {"emb_col": "emb", "result_col": "score"} | given
    return VectorSearch(embedding=WANTED, top_k=top_k, **fields)  # type: ignore[arg-type]


def answer(
    engine: QueryEngine, sql: str = ALL, wanted: VectorSearch | None = None
) -> tuple[list[dict[str, object]], list[str]]:
    with engine.run(sql, ("heard",), search=wanted or search()) as running:
        return [row for batch in running for row in batch.to_pylist()], list(running.remarks)


def is_indexed(indexes: VectorIndexes, tables: Tables, sql: str = ALL, emb_col: str = "emb") -> bool:
    version = OpenVersion(table="heard", dataset=tables.dataset("heard"))
    tree = check(sql, ["heard"]).tree
    return indexes.source(tree, version, search(explain_only=True, emb_col=emb_col)) is not None


def build(indexed: QueryEngine, indexes: VectorIndexes, tables: Tables) -> None:
    answer(indexed)
    indexes.wait()
    assert is_indexed(indexes, tables)


@pytest.mark.parametrize("top_k", [1, 5, 12, 100, 1000])
@pytest.mark.parametrize(
    "sql",
    [
        ALL,
        "SELECT emb, id AS number FROM heard",
        "SELECT h.id, emb FROM heard AS h WHERE h.speaker IN (1, 3)",
        "SELECT * FROM heard WHERE id % 17 = 16",
        "SELECT * FROM heard WHERE speaker > 100",
        "SELECT id, speaker AS score, emb FROM heard",
    ],
)
def test_an_index_answers_what_comparing_every_row_answers(
    engine: QueryEngine,
    indexed: QueryEngine,
    indexes: VectorIndexes,
    tables: Tables,
    make: Make,
    sql: str,
    top_k: int,
) -> None:
    make("heard", rows(1))
    build(indexed, indexes, tables)
    assert is_indexed(indexes, tables, sql)
    found, remarks = answer(indexed, sql, search(top_k))
    expected, expected_remarks = answer(engine, sql, search(top_k))
    assert repr(found) == repr(expected)
    assert remarks == expected_remarks


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM heard LIMIT 50",
        "SELECT id + 1 AS id, emb FROM heard",
        "SELECT DISTINCT * FROM heard",
        "SELECT a.* FROM heard AS a JOIN heard AS b USING (id)",
    ],
)
def test_other_queries_are_compared_row_by_row(
    indexed: QueryEngine, indexes: VectorIndexes, tables: Tables, make: Make, sql: str
) -> None:
    make("heard", rows(1))
    build(indexed, indexes, tables)
    assert not is_indexed(indexes, tables, sql)


def test_an_index_keeps_up_with_its_table(
    engine: QueryEngine,
    indexed: QueryEngine,
    indexes: VectorIndexes,
    tables: Tables,
    changes: TableChanges,
    make: Make,
) -> None:
    make("heard", rows(1))
    build(indexed, indexes, tables)
    more = rows(2, 60)
    tables.append("heard", Rows(more.schema, more.to_batches()), ())
    assert is_indexed(indexes, tables)
    assert repr(answer(indexed)) == repr(answer(engine))
    changes.delete("heard", "id < 5")
    assert not is_indexed(indexes, tables)
    assert repr(answer(indexed)) == repr(answer(engine))
    indexes.wait()
    assert is_indexed(indexes, tables)
    assert repr(answer(indexed)) == repr(answer(engine))
    make("heard", rows(3))
    assert not is_indexed(indexes, tables)


def test_many_new_rows_are_put_into_the_index(
    indexed: QueryEngine, indexes: VectorIndexes, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("heard", rows(1))
    build(indexed, indexes, tables)
    before = list((tmp_path / "indexes").glob("heard/*/*"))
    more = rows(2, 1500)
    tables.append("heard", Rows(more.schema, more.to_batches()), ())
    answer(indexed)
    indexes.wait()
    after = list((tmp_path / "indexes").glob("heard/*/*"))
    assert len(before) == len(after) == 1
    assert before != after


def test_explaining_tells_the_way_and_builds_nothing(
    indexed: QueryEngine, indexes: VectorIndexes, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("heard", rows(1))
    explain = search(explain_only=True)
    assert answer(indexed, ALL, explain) == ([], ["by comparing every row"])
    assert not (tmp_path / "indexes").exists()
    build(indexed, indexes, tables)
    assert answer(indexed, ALL, explain) == ([], [THROUGH])


def test_a_damaged_index_is_not_used_and_made_again(
    engine: QueryEngine,
    indexed: QueryEngine,
    indexes: VectorIndexes,
    tables: Tables,
    make: Make,
    tmp_path: Path,
) -> None:
    make("heard", rows(1))
    build(indexed, indexes, tables)
    (vectors,) = (tmp_path / "indexes").glob("heard/*/*/vectors.bin")
    vectors.write_bytes(b"short")
    assert not is_indexed(indexes, tables)
    assert repr(answer(indexed)) == repr(answer(engine))
    indexes.wait()
    assert is_indexed(indexes, tables)


def test_indexes_of_dropped_tables_and_small_tables_are_none(
    indexed: QueryEngine, indexes: VectorIndexes, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("heard", rows(1))
    build(indexed, indexes, tables)
    indexes.forget_others(lambda: ["another"])
    assert not list((tmp_path / "indexes").iterdir())
    make("heard", rows(1).slice(0, 9))
    answer(indexed)
    indexes.wait()
    assert not is_indexed(indexes, tables)


def test_closing_ends_a_build(tmp_path: Path, tables: Tables, make: Make) -> None:
    make("heard", rows(1))
    indexes = VectorIndexes(tmp_path / "indexes", least_rows=10)
    answer(QueryEngine(tables, vectors=indexes))
    indexes.close()
    answer(QueryEngine(tables, vectors=indexes))
    assert not list((tmp_path / "indexes").glob("heard/*/making-*"))
