"""SEARCH AUDIO over the rows of any query: cosine, best first; what cannot be compared is told."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pytest

from services.storage.core.queries.queries import QueryEngine
from services.storage.core.searching.best_rows import BestRows
from services.storage.core.searching.embeddings import cosines
from services.storage.core.searching.nearest import VectorSearch
from thanosql_runtime.errors import Reason, ThanosqlError

Make = Callable[[str, pa.Table], None]

EMBEDDINGS: list[list[float | None] | None] = [
    [1.0, 0.0, 0.0],
    [0.0, 2.0, 0.0],
    None,
    [0.6, 0.8, 0.0],
    [float("nan"), 1.0, 0.0],
    [0.0, 0.0, 0.0],
    [3.0, 4.0, 0.0],
    [None, 1.0, 0.0],
    [-1.0, 0.0, 0.0],
    [float("inf"), 0.0, 0.0],
]


def table(kind: pa.DataType = pa.list_(pa.float32(), 3)) -> pa.Table:  # noqa: B008 - a constant
    return pa.table({"id": range(len(EMBEDDINGS)), "emb": pa.array(EMBEDDINGS, kind)})


@pytest.fixture
def heard(make: Make) -> None:
    make("heard", table())


def search(embedding: Sequence[float], **given: object) -> VectorSearch:
    fields: dict[str, object] = {"emb_col": "emb", "result_col": "score", "top_k": 1000} | given
    return VectorSearch(embedding=np.array(embedding), **fields)  # type: ignore[arg-type]


def run(
    engine: QueryEngine, embedding: Sequence[float], sql: str = "SELECT * FROM heard", **given: object
) -> tuple[list[dict[str, object]], list[str]]:
    with engine.run(sql, ("heard",), search=search(embedding, **given)) as running:
        rows = [row for batch in running for row in batch.to_pylist()]
        return rows, list(running.remarks)


def scores(rows: list[dict[str, object]]) -> dict[object, object]:
    return {row["id"]: row["score"] for row in rows}


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float32(), 3),
        pa.list_(pa.float64(), 3),
        pa.list_(pa.float32()),
        pa.list_(pa.float64()),
    ],
)
def test_the_nearest_come_first_whatever_their_length(
    engine: QueryEngine, make: Make, kind: pa.DataType
) -> None:
    make("heard", table(kind))
    rows, _remarks = run(engine, [0.5, 0.0, 0.0])
    assert scores(rows) == {0: 1.0, 3: 0.6, 6: 0.6, 1: 0.0, 8: -1.0}
    assert [row["id"] for row in rows] == [0, 3, 6, 1, 8]
    assert list(rows[0]) == ["id", "emb", "score"]


@pytest.mark.usefixtures("heard")
def test_what_cannot_be_compared_is_left_out_and_told(engine: QueryEngine) -> None:
    _rows, remarks = run(engine, [1.0, 0.0, 0.0])
    assert remarks == [
        "1 row was left out: 'emb' is NULL there",
        "4 rows were left out: 'emb' is zero, not finite, or of another length than the model's there",
    ]


def test_lists_of_another_length_are_left_out_alone(engine: QueryEngine, make: Make) -> None:
    rows = pa.table({"id": [0, 1], "emb": pa.array([[1.0], [1.0, 0.0]], pa.list_(pa.float32()))})
    make("heard", rows)
    found, remarks = run(engine, [1.0, 0.0])
    assert scores(found) == {1: 1.0}
    assert len(remarks) == 1


@pytest.mark.usefixtures("heard")
def test_top_k_keeps_the_best_and_of_equal_ones_the_first(engine: QueryEngine) -> None:
    rows, _remarks = run(engine, [1.0, 0.0, 0.0], top_k=2)
    assert [row["id"] for row in rows] == [0, 3]
    backwards, _remarks = run(engine, [1.0, 0.0, 0.0], "SELECT * FROM heard ORDER BY id DESC", top_k=2)
    assert [row["id"] for row in backwards] == [0, 6]


@pytest.mark.usefixtures("heard")
def test_the_query_may_filter_compute_and_limit(engine: QueryEngine) -> None:
    rows, _remarks = run(
        engine, [1.0, 0.0, 0.0], "SELECT id + 100 AS id, emb FROM heard WHERE id > 0 LIMIT 3"
    )
    assert scores(rows) == {101: 0.0, 103: 0.6}
    rows, remarks = run(engine, [1.0, 0.0, 0.0], "SELECT * FROM heard WHERE id > 1000")
    assert (rows, remarks) == ([], [])


@pytest.mark.usefixtures("heard")
def test_a_column_with_the_name_of_the_scores_is_replaced(engine: QueryEngine) -> None:
    rows, remarks = run(engine, [1.0, 0.0, 0.0], "SELECT id, id AS SCORE, emb FROM heard WHERE id < 2")
    assert list(rows[0]) == ["id", "emb", "score"]
    assert remarks[0].startswith("the scores take the place of the query's column 'SCORE'")


@pytest.mark.usefixtures("heard")
def test_two_columns_of_one_name_stay_two(engine: QueryEngine) -> None:
    sql = "SELECT id, id AS id, emb FROM heard LIMIT 1"
    with engine.run(sql, ("heard",), search=search([1.0, 0.0, 0.0])) as running:
        assert running.schema.names == ["id", "id", "emb", "score"]


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(
    ("sql", "embedding", "reason", "says"),
    [
        ("SELECT id FROM heard", [1.0], Reason.COLUMN_NOT_FOUND, "known: id"),
        ("SELECT id AS emb FROM heard", [1.0], Reason.INVALID_DATA, "holds BIGINT, not embeddings"),
        ("SELECT 'x' AS emb FROM heard", [1.0], Reason.INVALID_DATA, "CONVERT"),
        ("SELECT [[1.0::FLOAT]] AS emb FROM heard", [1.0], Reason.INVALID_DATA, "not embeddings"),
        (
            "SELECT * FROM heard",
            [1.0, 0.0],
            Reason.INVALID_DATA,
            "holds embeddings of 3 numbers, the model makes 2",
        ),
    ],
)
@pytest.mark.parametrize("explain_only", [False, True])
def test_a_wrong_column_is_an_error_of_its_option(
    engine: QueryEngine, sql: str, embedding: list[float], reason: Reason, says: str, explain_only: bool
) -> None:
    with pytest.raises(ThanosqlError) as caught:
        run(engine, embedding, sql, explain_only=explain_only)
    assert caught.value.reason is reason
    assert says in caught.value.message
    assert caught.value.metadata["option"] == "emb_col"


@pytest.mark.usefixtures("heard")
def test_explain_says_how_and_reads_nothing(engine: QueryEngine) -> None:
    assert run(engine, [1.0, 0.0, 0.0], explain_only=True) == ([], ["by comparing every row"])


def test_the_best_of_many_rows_are_those_of_a_plain_sort(engine: QueryEngine, make: Make) -> None:
    numbers = np.random.default_rng(3).normal(size=(30_000, 16)).astype(np.float32)
    numbers[20_000:20_500] = numbers[:500]
    flat = pa.array(numbers.reshape(-1))
    make("heard", pa.table({"id": range(30_000), "emb": pa.FixedSizeListArray.from_arrays(flat, 16)}))
    wanted = numbers[77].astype(np.float64)
    exact = numbers @ wanted / (np.linalg.norm(numbers, axis=1) * np.linalg.norm(wanted))
    order = np.argsort(-np.round(exact.astype(np.float64), 6), kind="stable")
    rows, _remarks = run(engine, list(wanted), top_k=100)
    assert [row["id"] for row in rows][:2] == [77, 20_077]
    assert rows[0]["score"] == rows[1]["score"] == 1.0
    expected = {int(number) for number in order[:100]}
    assert len({row["id"] for row in rows} ^ expected) <= 2  # numpy's own float32 may swap the last ones


def test_best_rows_too_large_for_the_memory_say_what_to_do() -> None:
    batch, scores = pa.record_batch({"text": ["x" * 1000] * 5000}), np.arange(5000.0)
    few, many = BestRows(batch.schema, 10, 1 << 20), BestRows(batch.schema, 5000, 1 << 20)
    few.add(batch, scores)
    assert list(few.table()[1]) == list(range(4999, 4989, -1))
    with pytest.raises(ThanosqlError) as caught:
        many.add(batch, scores)
    assert caught.value.reason is Reason.QUERY_TOO_LARGE
    assert "smaller top_k" in caught.value.message


def test_cosines_of_a_slice_are_those_of_its_rows() -> None:
    column = table()["emb"].combine_chunks()
    wanted = np.array([1.0, 0.0, 0.0])
    scores, states = cosines(column, wanted)
    part, part_states = cosines(column.slice(3, 4), wanted)
    np.testing.assert_array_equal(part, scores[3:7])
    np.testing.assert_array_equal(part_states, states[3:7])
