"""Filters on floating point save rows, and change no answer."""

import math
from collections.abc import Callable

import duckdb
import pyarrow as pa
import pytest

from services.storage.core.queries.loose_filters import FilteredRows, loose_filter
from services.storage.core.sandbox.sandbox import check
from services.storage.core.tables.tables import Tables

Make = Callable[[str, pa.Table], None]
Select = Callable[[str], list[dict[str, object]]]

NAN = float("nan")
TINY = 5e-324
NASTY = [
    1.0,
    0.1,
    1.5,
    -1.5,
    0.0,
    -0.0,
    NAN,
    -NAN,
    math.copysign(NAN, -1),
    math.inf,
    -math.inf,
    TINY,
    -TINY,
    None,
]
NASTY += [1e308, -1e308, 16777217.0, 30.4, 1e38]
ROWS = pa.table(
    {
        "i": range(len(NASTY)),
        "f": pa.array(NASTY, pa.float64()),
        "g": pa.array([1e38 if value and abs(value) == 1e308 else value for value in NASTY], pa.float32()),
        "s": [f"row {number % 3}" for number in range(len(NASTY))],
    }
)
NUMBERS = (
    "0",
    "0.0",
    "-0.0",
    "0.1",
    "1",
    "1.5",
    "-1.5",
    "30.4",
    "16777217",
    "1e38",
    "-1e308",
    "1e309",
    "1e-320",
)


def filtered(sql: str, schema: pa.Schema = ROWS.schema) -> str | None:
    found = loose_filter(check(sql, ["t"]).tree, schema)
    return None if found is None else str(found)


@pytest.mark.parametrize("column", ["f", "g"])
@pytest.mark.parametrize("operator", [">", ">=", "<", "<="])
def test_answers_are_those_of_duckdb(make: Make, select: Select, column: str, operator: str) -> None:
    make("t", ROWS)
    peer = duckdb.connect()
    peer.register("kept", ROWS)
    # A table of its own, on which nothing is handed down.
    peer.execute("CREATE TABLE t AS SELECT * FROM kept")
    for number in NUMBERS:
        sql = f"SELECT i FROM t WHERE {column} {operator} {number} ORDER BY i"
        assert [row["i"] for row in select(sql)] == [i for (i,) in peer.execute(sql).fetchall()], sql


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT s, count(*) AS n FROM t WHERE f > 0.5 GROUP BY s ORDER BY s",
        "SELECT count(*) AS n FROM t WHERE (f > 0.5 AND g < 2) AND s <> 'row 1'",
        "SELECT i, sum(i) OVER (ORDER BY i) AS n FROM t WHERE f >= 0 QUALIFY n > 3 ORDER BY i",
        "SELECT DISTINCT s FROM t AS x WHERE x.f < 1e9 ORDER BY s",
        "SELECT i FROM t WHERE f > 0 AND i IN (1, 2, 12) ORDER BY i DESC LIMIT 2 OFFSET 1",
        "SELECT i FROM t WHERE f > 0.5 OR i = 4 ORDER BY i",
        "SELECT i FROM t WHERE f > 0.5 AND NOT s = 'row 1' ORDER BY i",
        "SELECT -i AS f FROM t WHERE f > 0.5 ORDER BY f",
    ],
)
def test_whatever_a_query_does_with_the_rows(make: Make, select: Select, sql: str) -> None:
    make("t", ROWS)
    peer = duckdb.connect()
    peer.register("kept", ROWS)
    peer.execute("CREATE TABLE t AS SELECT * FROM kept")
    assert select(sql) == peer.execute(sql).to_arrow_table().to_pylist()


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT i FROM t WHERE f > 1", "f"),
        ("SELECT count(*) FROM t WHERE 1 < i AND T.G <= 2.5 GROUP BY s", "g"),
        ("SELECT i FROM t AS x WHERE (x.f > 1 AND g < 2) LIMIT 5", "fg"),
    ],
)
def test_what_is_handed_down(sql: str, columns: str) -> None:
    found = filtered(sql) or ""
    assert [name for name in "fg" if f"({name} " in found] == list(columns)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT i FROM t",
        "SELECT i FROM t WHERE f = 1",
        "SELECT i FROM t WHERE i > 1",
        "SELECT i FROM t WHERE f > 1 OR i = 2",
        "SELECT i FROM t WHERE f > i",
        "SELECT i FROM t WHERE f > '1'",
        "SELECT i FROM t WHERE f > 1e400",
        "SELECT i FROM t WHERE s.f > 1",
        "SELECT a.i FROM t a JOIN t b USING (i) WHERE a.f > 1",
        "SELECT a.i FROM t a, t b WHERE a.f > 1",
        "SELECT i, (SELECT max(f) FROM t) AS m FROM t WHERE f > 1",
        "SELECT i FROM t WHERE f > 1 AND i IN (SELECT i FROM t)",
        "WITH x AS (SELECT 1) SELECT i FROM t WHERE f > 1",
        "SELECT i FROM t TABLESAMPLE 10% WHERE f > 1",
        "SELECT a FROM t AS n(a, f) WHERE f > 1",
        "SELECT i FROM t WHERE f > 1 UNION ALL SELECT 1",
    ],
)
def test_nothing_is_handed_down_where_it_could_change_the_answer(sql: str) -> None:
    assert filtered(sql) is None


SHAPES = (
    "SELECT i FROM t WHERE {} ORDER BY i",
    "SELECT count(*) AS i FROM t WHERE {}",
    "WITH x AS (SELECT * FROM t) SELECT i FROM x WHERE {} ORDER BY i",
    "SELECT i FROM (SELECT * FROM t) WHERE {} ORDER BY i",
    "SELECT t.i FROM t JOIN (SELECT i AS j FROM t) ON i = j WHERE {} ORDER BY t.i",
    "SELECT g, i, f FROM t WHERE {} ORDER BY i",
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "condition",
    [
        "f < 0",
        "f <= 0.1",
        "g < 0",
        "0 > f",
        "NOT f > 0",
        "f IS NULL OR f < 0",
        "f < 0 OR i = 7",
        "f < 1 AND NOT g > 3",
        "f BETWEEN -2 AND 2",
        "f IN (0, 1) OR f < -5",
        "f < 0 AND s = 'row 1'",
    ],
)
def test_nan_is_less_than_nothing_whatever_the_query(
    make: Make, select: Select, shape: str, condition: str
) -> None:
    make("t", ROWS)
    peer = duckdb.connect()
    peer.register("kept", ROWS)
    peer.execute("CREATE TABLE t AS SELECT * FROM kept")
    sql = shape.format(condition)
    # As text: NaN equals nothing.
    assert str(select(sql)) == str(peer.execute(sql).to_arrow_table().to_pylist())


def test_filters_that_lance_does_not_know_may_stand_beside_floating_point(make: Make, select: Select) -> None:
    times = pa.array([1, 2, 3], pa.time64("us"))
    odd = {"u": pa.array([1, 2, 3], pa.uint64()), "t": times, "s": [{"k": 1.0}, {"k": -NAN}, {"k": -2.0}]}
    make("t", pa.table({"i": range(3), "f": [-1.0, -NAN, -3.0], **odd}))
    for condition in ("u < 3", "t <= TIME '00:00:00.000002'", "s.k > 0"):
        assert select(f"SELECT i FROM t WHERE f < 0 AND {condition} ORDER BY i") == [{"i": 0}], condition
    assert select("SELECT i FROM (SELECT * FROM t) WHERE s.k < 0") == [{"i": 2}]


def test_columns_of_filters_are_found_in_wide_tables(make: Make, select: Select) -> None:
    make("t", pa.table({f"a {number} b": [float(number), -NAN] for number in range(40)}))
    assert select('SELECT count(*) AS n FROM t WHERE "a 7 b" < 8 OR "a 9 b" < 9') == [{"n": 1}]
    assert select('SELECT "a 0 b" AS x FROM t WHERE "a 7 b" < 8 OR "a 39 b" < 9') == [{"x": 0.0}]


@pytest.mark.parametrize(("column", "rows_left"), [("f", 4), ("g", 3)])
def test_nothing_is_read_through_a_copy(
    make: Make, select: Select, monkeypatch: pytest.MonkeyPatch, column: str, rows_left: int
) -> None:
    def refuse(schema: pa.Schema) -> None:
        raise AssertionError("Lance did not take the filter")

    make("t", ROWS)
    monkeypatch.setattr("services.storage.core.queries.running.Spool", refuse)
    assert select(f"SELECT count(*) AS n FROM t WHERE {column} > 29 AND {column} < 31") == [{"n": 1}]
    assert select(f"SELECT count(*) AS n FROM t WHERE i = 2 OR {column} < -1.2") == [{"n": rows_left}]


@pytest.mark.parametrize(("column", "rows_kept"), [("f", 8), ("g", 9)])
def test_lance_leaves_the_other_rows_out(make: Make, tables: Tables, column: str, rows_kept: int) -> None:
    make("t", ROWS)
    dataset = tables.dataset("t")
    condition = loose_filter(check(f"SELECT i FROM t WHERE {column} > 29", ["t"]).tree, dataset.schema)
    rows = FilteredRows(dataset, condition)
    assert rows.schema == dataset.schema
    kept = rows.scanner(columns=[column]).to_table().column(column).to_pylist()
    assert len(kept) == rows_kept
    assert all(value > 29 or math.isnan(value) for value in kept)


def test_parts_of_structures_are_no_columns_of_that_name(make: Make, select: Select) -> None:
    make("t", pa.table({"i": range(3), "s": [{"k": 1}, {"k": 2}, None], "k": [2, 1, 7]}))
    assert select("SELECT i FROM t WHERE s.k = 2 LIMIT 5") == [{"i": 1}]
    assert select("SELECT s.k FROM t LIMIT 5") == [{"k": 1}, {"k": 2}, {"k": None}]
    assert select("SELECT t.k FROM t LIMIT 1") == [{"k": 2}]
