"""Rows on their way out of DuckDB: what they weigh, and that weighing them changes no answer."""

from collections.abc import Callable

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from services.storage.core.queries.connections import QueryLimits
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.queries.repeating import repeats_nothing
from services.storage.core.queries.weights import weight, width
from services.storage.core.tables.tables import Tables
from thanosql_runtime.errors import Reason, ThanosqlError

Make = Callable[[str, pa.Table], None]
LIMIT_BYTES = 64 << 20


@pytest.fixture
def small_engine(tables: Tables) -> QueryEngine:
    """Queries that may use little memory."""
    return QueryEngine(tables, QueryLimits(memory_bytes=LIMIT_BYTES))


def batches(engine: QueryEngine, sql: str, *tables: str) -> list[pa.RecordBatch]:
    with engine.run(sql, tables) as running:
        return list(running)


def failure(engine: QueryEngine, sql: str, *tables: str) -> ThanosqlError:
    with pytest.raises(ThanosqlError) as caught:
        batches(engine, sql, *tables)
    return caught.value


@pytest.mark.parametrize(
    ("value", "least"),
    [
        ("repeat('x', 1000)", 1000),
        ("repeat('é', 1000)", 2000),
        ("encode(repeat('x', 1000))", 1000),
        ("repeat('1', 1000)::BIT", 1000),
        ("repeat('7', 1000)::BIGNUM", 1000),
        ("range(1000)", 8000),
        ("list_resize([1::UTINYINT], 1000)", 1000),
        ("[repeat('x', 500), NULL, repeat('y', 500)]", 1000),
        ("[[repeat('x', 500)], [repeat('y', 500)]]", 1000),
        ("array_value(repeat('x', 500), repeat('y', 500))", 1000),
        ("{'a': 1, 'b': repeat('x', 1000)}", 1000),
        ("row(1, repeat('x', 1000))", 1000),
        ("[{'a': [repeat('x', 1000)]}]", 1000),
        ("map([repeat('k', 500)], [repeat('v', 500)])", 1000),
        ("map([1, 2], [[repeat('x', 500)], [repeat('y', 500)]])", 1000),
        ("union_value(a := repeat('x', 1000))", 1000),
        (f"'{'x' * 1000}'::ENUM('{'x' * 1000}')", 1000),
        ("to_json(repeat('x', 1000))", 1000),
    ],
)
def test_a_value_weighs_what_it_takes_outside(value: str, least: int) -> None:
    connection = duckdb.connect()
    kind = connection.sql(f"SELECT {value} AS v").types[0]
    assert width(kind) is None
    weigh = f"SELECT {weight('v', kind)} FROM"
    ((weighed,),) = connection.sql(f"{weigh} (SELECT {value} AS v)").fetchall()
    ((of_null,),) = connection.sql(f"{weigh} (SELECT NULL::{kind} AS v)").fetchall()
    assert least <= weighed <= 2 * least
    assert not of_null or of_null < 100


@pytest.mark.parametrize(
    "value",
    [
        *("1", "1.5", "1::HUGEINT", "true", "uuid()", "now()", "current_date", "INTERVAL 1 DAY", "NULL"),
        *("TIME '12:00'", "array_value(1, 2)", "{'a': 1, 'b': 2.5}"),
    ],
)
def test_values_of_one_width_need_no_weighing(value: str) -> None:
    each = width(duckdb.connect().sql(f"SELECT {value} AS v").types[0])
    assert each is not None
    assert each <= 80


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT * FROM t", True),
        ("SELECT a, b AS c FROM t WHERE length(a) > 3 ORDER BY b LIMIT 5 OFFSET 1", True),
        ("SELECT upper(trim(a)) AS a, length(a), b::DOUBLE / 2 FROM t WHERE a LIKE repeat('x', 9)", True),
        ("SELECT coalesce(a, 'none') || '.', CASE WHEN b > 3 THEN 'more' ELSE left(b, 2) END FROM t", True),
        ("SELECT a, count(*), avg(b), max(b) FROM t GROUP BY a HAVING count(*) > 2", True),
        ("SELECT 1 AS a, 'two' AS b", True),
        ("SELECT 1 AS a FROM range(9)", False),
        ("SELECT a, A, a FROM t", False),
        ("SELECT a || a || a FROM t", False),
        (f"SELECT a, '{'x' * 2000}' AS b FROM t", False),
        ("SELECT repeat(a, 9) FROM t", False),
        ("SELECT replace(a, 'x', 'yy') FROM t", False),
        ("SELECT string_agg(a) FROM t", False),
        ("SELECT list(a) FROM t GROUP BY b", False),
        ("SELECT max(a) OVER () FROM t", False),
        ("SELECT first_value(a) OVER (ORDER BY b) FROM t", False),
        ("SELECT [a, b] FROM t", False),
        ("SELECT {'k': a} FROM t", False),
        ("SELECT a::INT[] FROM t", False),
        ("SELECT a::BIT FROM t", False),
        ("SELECT a IN (SELECT b FROM u) FROM t", False),
        ("SELECT (SELECT max(a) FROM u) FROM t", False),
        ("SELECT a FROM t QUALIFY row_number() OVER () < 3", False),
        ("SELECT COLUMNS('a') FROM t", False),
        ("SELECT max(a, 1000) FROM t", False),
        ("SELECT *, a AS b FROM t", False),
        ("SELECT * REPLACE (a || a AS a) FROM t", False),
        ("SELECT t.a FROM t, range(9)", False),
        ("SELECT unnest(a) FROM t", False),
        ("SELECT a FROM (SELECT * FROM t, range(9))", False),
        ("WITH t AS (SELECT a FROM u, range(9)) SELECT a FROM t", False),
        ("SELECT a FROM t UNION ALL SELECT a FROM t", False),
        ("FROM t", True),
    ],
)
def test_only_plain_reading_is_known_to_repeat_nothing(sql: str, expected: bool) -> None:
    assert repeats_nothing(sqlglot.parse_one(sql, read="duckdb")) is expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 100000) AS a, repeat('y', 100000) AS b FROM range(1500)",
        "SELECT range(100000) AS a FROM range(1500)",
        "SELECT {'a': [repeat('x', 100000)]} AS a FROM range(1500)",
        f"SELECT {', '.join(['a'] * 200)} FROM (SELECT repeat('x', 900) || r AS a FROM range(1500) t(r))",
    ],
)
def test_rows_too_large_to_leave_together_end_the_query(small_engine: QueryEngine, sql: str) -> None:
    failed = failure(small_engine, sql)
    assert failed.reason is Reason.QUERY_TOO_LARGE
    assert "more than 32 MiB, half of the memory that one query may use" in failed.message
    assert "THANOSQL_STORAGE__QUERY_MEMORY_BYTES" in failed.message


def test_rows_too_large_to_leave_together_may_leave_in_smaller_steps(small_engine: QueryEngine) -> None:
    sql = "SELECT i, j, a FROM (SELECT i, repeat('x', 50000) || i AS a FROM range(200) t(i)), range(20) u(j)"
    answer = [row for batch in batches(small_engine, sql) for row in batch.to_pylist()]
    assert sorted((row["i"], row["j"]) for row in answer) == [(i, j) for i in range(200) for j in range(20)]
    assert all(row["a"] == f"{'x' * 50000}{row['i']}" for row in answer)
    assert len(answer) * 50000 > LIMIT_BYTES


def test_a_part_of_a_table_is_never_read_for_the_whole(small_engine: QueryEngine, make: Make) -> None:
    make("numbers", pa.table({"i": range(2000)}))
    sql = f"SELECT i, '{'x' * 50000}' AS a FROM numbers LIMIT 1500"
    assert failure(small_engine, sql, "numbers").reason is Reason.QUERY_TOO_LARGE


def test_a_long_stream_of_large_rows_is_not_too_large(small_engine: QueryEngine) -> None:
    sql = "SELECT repeat('x', 5000) || i AS a FROM range(60000) t(i)"
    assert sum(batch.num_rows for batch in batches(small_engine, sql)) == 60000


def test_weighing_leaves_names_order_and_types_alone(engine: QueryEngine) -> None:
    sql = """SELECT 1 AS a, 'two' AS A, 'x' AS "q""uote", [1, 2] AS "a b", {'s': 'x'} AS c, NULL AS d, -- end
    '2024-01-01'::DATE AS e ORDER BY 1 DESC;  -- and a comment"""
    (batch,) = batches(engine, sql)
    assert batch.schema.names == ["a", "A", 'q"uote', "a b", "c", "d", "e"]
    values = [column.to_pylist() for column in batch.columns]
    assert values[:5] == [[1], ["two"], ["x"], [[1, 2]], [{"s": "x"}]]
    assert batch.schema.field("e").type == pa.date32()


@pytest.mark.parametrize("end", ["", ";", " ; -- ';'", ";;\n/* ; */"])
def test_a_query_may_end_as_statements_do(engine: QueryEngine, end: str) -> None:
    (batch,) = batches(engine, f"SELECT ';' AS a, 'é--' AS b{end}")
    assert batch.to_pylist() == [{"a": ";", "b": "é--"}]


def test_order_survives_weighing(engine: QueryEngine) -> None:
    sql = "SELECT 'n' || i AS name, i FROM range(100000) t(i) ORDER BY i DESC"
    found = [i for batch in batches(engine, sql) for i in batch.column("i").to_pylist()]
    assert found == list(range(99999, -1, -1))


def test_more_columns_than_an_expression_may_be_deep(engine: QueryEngine) -> None:
    names = [f"'{i}' AS c{i}" for i in range(3000)]
    (batch,) = batches(engine, f"SELECT {', '.join(names)}")
    assert batch.num_columns == 3000


def test_many_columns_are_weighed_though_some_are_null(small_engine: QueryEngine) -> None:
    columns = ", ".join(["CASE WHEN r % 2 = 0 THEN repeat('x', 500) || r END", "[r]", "NULL::VARCHAR"] * 40)
    rows = sum(batch.num_rows for batch in batches(small_engine, f"SELECT {columns} FROM range(50) t(r)"))
    assert rows == 50
    large = ", ".join([f"repeat('x', 2000) AS a{number}" for number in range(100)] + ["NULL::VARCHAR AS n"])
    failed = failure(small_engine, f"SELECT {large} FROM range(8000)")
    assert failed.reason is Reason.QUERY_TOO_LARGE


def test_lists_nested_deep_are_weighed_without_a_lambda_for_each_level() -> None:
    kind = duckdb.sql(f"SELECT {'[' * 40}'x'{']' * 40} AS value").types[0]
    assert weight("value", kind).count("lambda") == 2


def test_lists_nested_deep_are_answered(engine: QueryEngine) -> None:
    (batch,) = batches(engine, f"SELECT {'[' * 40}repeat('x', r){']' * 40} AS value FROM range(1, 3) t(r)")
    assert batch.num_rows == 2


@pytest.mark.parametrize("order", ["ASC", "DESC"])
def test_wide_rows_may_stand_before_or_behind_narrow_ones(
    small_engine: QueryEngine, make: Make, order: str
) -> None:
    make("calls", pa.table({"id": range(60), "text": ["n" * 500] * 20 + ["w" * 3000] * 40}))
    sql = f"SELECT c.id, c.text, j FROM (SELECT * FROM calls ORDER BY id {order}) c, range(1000) r(j)"
    assert sum(batch.num_rows for batch in batches(small_engine, sql, "calls")) == 60_000


def test_no_query_weighs_for_itself(engine: QueryEngine) -> None:
    assert failure(engine, "SELECT __weigh(-1000000000)").reason is Reason.QUERY_REJECTED


def test_a_query_after_one_that_was_too_large_is_answered(small_engine: QueryEngine) -> None:
    failure(small_engine, "SELECT repeat('x', 100000) AS a FROM range(1500)")
    assert batches(small_engine, "SELECT repeat('x', 100000) AS a")[0].num_rows == 1
