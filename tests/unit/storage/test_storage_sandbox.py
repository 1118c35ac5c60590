"""What a query may not do, each way round that we could think of."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.queries.connections import QueryLimits
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.sandbox.sandbox import check_expression
from services.storage.core.tables.tables import Tables
from thanosql_runtime.errors import Reason, ThanosqlError

ESCAPES = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_csv_auto('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM read_parquet('/etc/passwd')",
    "SELECT * FROM parquet_scan('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/x')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM '/etc/hosts.csv'",
    'SELECT * FROM "/etc/passwd"',
    "SELECT * FROM 'https://example.com/x.parquet'",
    "SELECT * FROM people, read_csv('/etc/passwd')",
    "SELECT (SELECT count(*) FROM read_text('/etc/passwd'))",
    "SELECT * FROM people WHERE name IN (SELECT content FROM read_text('/etc/passwd'))",
    "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "SELECT * FROM people UNION ALL SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM people p, LATERAL (SELECT * FROM read_text(p.name))",
    "FROM read_csv('/etc/passwd')",
    "SELECT * FROM duckdb_settings()",
    "SELECT * FROM duckdb_settings",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM pragma_version()",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_tables",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM system.information_schema.tables",
    "SELECT * FROM temp.people",
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('people')",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM python_arrow_scan(1, 2, 3)",
    "SELECT * FROM pandas_scan(1)",
    "SELECT * FROM seq_scan('people')",
    "SELECT * FROM json_execute_serialized_sql('{}')",
    "SELECT json_serialize_sql('SELECT 1')",
    "SELECT * FROM which_secret('s3://x', 's3')",
    "SELECT * FROM enable_logging()",
    "SELECT * FROM checkpoint()",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM repeat_row(1, num_rows=3)",
    "SELECT current_connection_id()",
    "SELECT main.current_query_id()",
    "SELECT current_transaction_id()",
    "SELECT * FROM people ORDER BY current_query_id() + n",
    "SELECT getenv('HOME')",
    "SELECT current_setting('temp_directory')",
    "SELECT getvariable('x')",
    "SELECT write_log('x')",
    "SELECT nextval('x')",
    "SELECT system.main.repeat('x', 5)",
    "SELECT system.repeat('x', 5)",
    "SET memory_limit = '100GB'",
    "RESET memory_limit",
    "PRAGMA version",
    "CALL pragma_version()",
    "COPY people TO '/tmp/out.csv'",
    "COPY (SELECT 1) TO '/tmp/out.csv'",
    "COPY people FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/x'",
    "IMPORT DATABASE '/tmp/x'",
    "ATTACH '/tmp/a.db'",
    "DETACH memory",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE TABLE x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "INSERT INTO people VALUES ('x', 1)",
    "UPDATE people SET age = 1",
    "DELETE FROM people",
    "DROP TABLE people",
    "ALTER TABLE people DROP COLUMN age",
    "TRUNCATE people",
    "VACUUM",
    "CHECKPOINT",
    "BEGIN",
    "EXPLAIN SELECT 1",
    "EXPLAIN ANALYZE SELECT 1",
    "DESCRIBE people",
    "SHOW TABLES",
    "SUMMARIZE people",
    "SELECT 1; DROP TABLE people",
    "SELECT 1; SELECT 2",
    "SELECT 1;;SELECT 2",
    "SELECT 1 INTO x",
    "WITH x AS (INSERT INTO people VALUES ('x', 1)) SELECT 1",
    "WITH x AS (DELETE FROM people RETURNING *) SELECT * FROM x",
    "SELECT * FROM (DESCRIBE people)",
    "SELECT * FROM (SHOW TABLES)",
    "SELECT * FROM people WHERE age = $1",
    "SELECT * FROM people WHERE age = ?",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "",
    ";",
    "-- nothing",
]
REFUSED = {Reason.QUERY_REJECTED, Reason.SYNTAX_ERROR, Reason.QUERY_FAILED, Reason.TABLE_NOT_FOUND}


@pytest.fixture(autouse=True)
def people(make: Callable[[str, pa.Table], None]) -> None:
    make("people", pa.table({"name": ["/etc/passwd", "bob"], "age": pa.array([30, 40], pa.int64())}))


@pytest.mark.parametrize("sql", ESCAPES)
def test_an_escape_is_refused(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(ThanosqlError) as caught, engine.run(sql, ("people",)) as running:
        list(running)
    assert caught.value.reason in REFUSED
    assert "/root" not in caught.value.message


@pytest.mark.parametrize("sql", [sql for sql in ESCAPES if "read_" in sql or "passwd" in sql])
def test_reading_files_is_a_rejection_not_a_failure(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(ThanosqlError) as caught, engine.run(sql, ("people",)) as running:
        list(running)
    assert caught.value.reason is Reason.QUERY_REJECTED


def test_only_the_tables_named_for_a_query_can_be_read(
    engine: QueryEngine, make: Callable[[str, pa.Table], None]
) -> None:
    make("secrets", pa.table({"x": [1]}))
    with pytest.raises(ThanosqlError) as caught:
        engine.run("SELECT * FROM secrets", ("people",))
    assert caught.value.reason is Reason.TABLE_NOT_FOUND


def test_variables_of_the_process_cannot_be_read(engine: QueryEngine) -> None:
    hidden = pa.table({"secret": [1]})
    assert hidden.num_rows == 1
    with pytest.raises(ThanosqlError) as caught:
        engine.run("SELECT * FROM hidden", ("hidden",))
    assert caught.value.reason is Reason.TABLE_NOT_FOUND


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT length(repeat('x', 3000000000))",
        "SELECT length(repeat('x', age * 100000000)) FROM people",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT rpad('x', 2000000000, 'y')",
        "SELECT range(3000000000)",
        "SELECT generate_series(3000000000)",
        "SELECT list_resize([1], 3000000000)",
        "SELECT array_resize([1], 3000000000, 0)",
        "SELECT bitstring('1', 100001)",
        "SELECT repeat('x', 100001)",
        "SELECT lpad('x', 100001, 'y')",
        "SELECT range(100001)",
        "SELECT range(0, 5000000)",
        "SELECT generate_series(1, 5000000, 1)",
        "SELECT range(5000000, 0, -1)",
        "SELECT range(TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-03', INTERVAL 1 SECOND)",
        "SELECT list_resize([1], 100001)",
        f"SELECT len(flatten([{', '.join(['l'] * 11)}])) FROM (SELECT range(100000) AS l)",
        f"SELECT len([{', '.join(['range(100000)'] * 11)}].flatten())",
        "SELECT length(repeat(repeat('x', 1000000), 1000000))",
        "SELECT length(repeat(repeat('x', 1000), 101))",
        "SELECT length(repeat([1, 2, 3], 900000))",
        "SELECT length(replace(repeat('x', 100000), 'x', repeat('y', 1000)))",
        "SELECT length(regexp_replace(repeat('x', 100000), 'x', repeat('y', 1000), 'g'))",
    ],
)
def test_functions_that_multiply_memory_are_bounded(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(ThanosqlError) as caught, engine.run(sql, ("people",)) as running:
        list(running)
    assert caught.value.reason is Reason.QUERY_FAILED
    assert "more than one value may hold" in caught.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT damerau_levenshtein(repeat('a', 1000), repeat('b', 1001))",
        "SELECT repeat('a', age * 1000).damerau_levenshtein(repeat('b', 9000)) FROM people",
        "SELECT damerau_levenshtein(repeat('가', 334), repeat('나', 1000))",
        "SELECT levenshtein(repeat('a', 10000), repeat('b', 10001))",
        "SELECT editdist3(repeat('a', 10000), repeat('b', 10001))",
    ],
)
def test_texts_too_long_to_compare_are_refused(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(ThanosqlError) as caught, engine.run(sql, ("people",)) as running:
        list(running)
    assert caught.value.reason is Reason.QUERY_FAILED
    assert "cannot be compared; shorten them" in caught.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT printf('%99999d', 1)",
        "SELECT printf('%-99999d', 1)",
        "SELECT printf('%.99999f', 1.0)",
        "SELECT printf('%1$*d', 5, 1)",
        "SELECT printf('%*d', 5, 1)",
        "SELECT printf(name, 1) FROM people",
        "SELECT '%5d'.printf(1)",
        "SELECT format('{:>99999}', 'a')",
        "SELECT format('{:>{}}', 'a', 5)",
        "SELECT format('{0:>{1}}', 'a', 5)",
        "SELECT format(name || '{}', 1) FROM people",
        "SELECT len(flatten([range(1000) FOR x IN range(1000)]))",
        "SELECT [range(101) FOR x IN range(101)]",
        "SELECT [range(age) FOR x IN [1, 2]] FROM people",
        "SELECT list_transform(range(20000), x -> x)",
        "SELECT list_transform(l, lambda x: repeat('a', 10001)) FROM (SELECT [1] AS l)",
        "SELECT list_transform(l, x -> x.repeat(10001)) FROM (SELECT ['a'] AS l)",
        "SELECT [list_resize([1], 10001) FOR x IN [1]]",
        " UNION ALL ".join(["SELECT 1"] * 502),
        "SELECT 1 FROM " + ", ".join(f"(SELECT 1) AS t{number}" for number in range(66)),
        "WITH " + ", ".join(f"t{number} AS (SELECT 1)" for number in range(502)) + " SELECT 1",
        f"SELECT {','.join(['1'] * 200_001)}",
    ],
)
def test_text_that_asks_for_too_much_is_refused_before_it_runs(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        engine.run(sql, ("people",)).close()
    assert caught.value.reason is Reason.QUERY_TOO_LARGE


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM (WITH pg_settings AS (SELECT 1 AS x) SELECT x FROM pg_settings) a, pg_settings b",
        "SELECT * FROM (WITH duckdb_logs AS (SELECT 1 AS x) SELECT x FROM duckdb_logs), duckdb_logs",
        "WITH pg_settings AS (SELECT * FROM pg_settings) SELECT * FROM pg_settings",
        "WITH a AS (SELECT * FROM pg_settings), pg_settings AS (SELECT 1 AS x) SELECT * FROM a",
        "SELECT (WITH pg_settings AS (SELECT 1) SELECT 1), (SELECT count(*) FROM pg_settings)",
        "SELECT 1 FROM pg_settings UNION ALL (WITH pg_settings AS (SELECT 1) SELECT 1 FROM pg_settings)",
    ],
)
def test_a_name_of_with_hides_nothing_where_it_is_not_seen(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        engine.run(sql, ("people",)).close()
    assert caught.value.reason is Reason.QUERY_REJECTED


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("SELECT repeat('ab', 2) AS x", "abab"),
        ("SELECT repeat([1], 2) AS x", [1, 1]),
        ("SELECT repeat(NULL, 2) AS x", None),
        ("SELECT replace('banana', 'a', 'oo') AS x", "boonoonoo"),
        ("SELECT regexp_replace('banana', 'a', 'o') AS x", "bonana"),
        ("SELECT regexp_replace('banana', '(a)n', '\\1', 'g') AS x", "baaa"),
        ("SELECT lpad('a', 3, '-') AS x", "--a"),
        ("SELECT range(3) AS x", [0, 1, 2]),
        ("SELECT range(1, 7, 3) AS x", [1, 4]),
        ("SELECT generate_series(1, 3) AS x", [1, 2, 3]),
        ("SELECT range(3, 0, -1) AS x", [3, 2, 1]),
        ("SELECT len(range(0, 100000000, 1000)) AS x", 100_000),
        ("SELECT len(range(DATE '2024-01-01', DATE '2025-01-01', INTERVAL 1 MONTH)) AS x", 12),
        ("SELECT list_resize([1], 2, 9) AS x", [1, 9]),
        ("SELECT sum(i)::INT AS x FROM range(4) r(i)", 6),
        ("SELECT count(*) AS x FROM generate_series(1, 5)", 5),
        ("SELECT x FROM (VALUES (7)) v(x)", 7),
        ("VALUES (7)", 7),
        ("FROM people SELECT max(age)", 40),
        ("SELECT 1 AS x; -- done", 1),
        (
            "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) "
            "SELECT max(n) FROM r",
            5,
        ),
        ("SELECT list_transform([1, 2], lambda v: v + 1) AS x", [2, 3]),
        ("SELECT pg_typeof(1) AS x", "integer"),
        ("SELECT flatten([[1, 2], [], NULL, [3]]) AS x", [1, 2, 3]),
        ("SELECT flatten([['a'], ['b']]) AS x", ["a", "b"]),
        ("SELECT flatten(NULL) AS x", None),
        ("SELECT printf('%5.1f|%-3d|%%', 1.25, 7) AS x", "  1.2|7  |%"),
        ("SELECT format('{:>4}{:.2f}', 'a', 1.5) AS x", "   a1.50"),
        ("SELECT bitstring('1', 3)::VARCHAR AS x", "001"),
        ("SELECT damerau_levenshtein('ab', 'ba') AS x", 1),
        ("SELECT damerau_levenshtein('ab', NULL) AS x", None),
        ("SELECT 'kitten'.levenshtein('sitting') AS x", 3),
        ("SELECT levenshtein(repeat('a', 2000), repeat('b', 2000)) AS x", 2000),
        ("SELECT editdist3('ab', 'b') AS x", 1),
        ("SELECT [v * 2 FOR v IN range(1, 4)] AS x", [2, 4, 6]),
        ("SELECT list_transform(['a'], lambda v: lpad(v, 3, '-')) AS x", ["--a"]),
        ("WITH a AS (SELECT 1 AS n), b AS (SELECT n + 1 AS n FROM a) SELECT n FROM b", 2),
        ("WITH a AS (SELECT 3 AS n) SELECT x FROM (SELECT n AS x FROM a) s", 3),
        ("WITH a AS (SELECT 3 AS n) SELECT 3 UNION SELECT n FROM a", 3),
        ("SELECT x FROM (WITH a AS (SELECT 4 AS x) (SELECT x FROM a)) s", 4),
        ("WITH people AS (SELECT 5 AS age) SELECT age FROM people", 5),
        ("WITH people AS (SELECT max(age) AS age FROM people) SELECT age FROM people", 40),
        ('SELECT count(*) FROM people p JOIN PEOPLE q ON p."NAME" = q.name', 2),
    ],
)
def test_honest_queries_are_answered(engine: QueryEngine, sql: str, answer: object) -> None:
    with engine.run(sql, ("people",)) as running:
        rows = [row for batch in running for row in batch.to_pylist()]
    assert list(rows[0].values()) == [answer]


@pytest.mark.parametrize("limits", [QueryLimits(compute_s=0.2), QueryLimits(compute_s=0.05, threads=1)])
def test_an_endless_query_ends_at_its_limit(tables: Tables, limits: QueryLimits) -> None:
    sql = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"
    with pytest.raises(ThanosqlError) as caught, QueryEngine(tables, limits).run(sql) as running:
        list(running)
    assert caught.value.reason is Reason.QUERY_TOO_LARGE
    assert f"{limits.compute_s:g} s" in caught.value.message
    assert "THANOSQL_STORAGE__QUERY_COMPUTE_S" in caught.value.message


def test_a_query_that_outgrows_its_memory_fails_alone(tables: Tables, tmp_path: Path) -> None:
    engine = QueryEngine(tables, QueryLimits(memory_bytes=64 << 20, spill_bytes=0))
    with (
        pytest.raises(ThanosqlError) as caught,
        engine.run("SELECT list(i) FROM range(100000000) r(i)") as running,
    ):
        list(running)
    assert caught.value.reason is Reason.QUERY_TOO_LARGE
    with engine.run("SELECT 1") as running:
        assert len(list(running)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "1) , (2",
        "1); DROP TABLE t; SELECT (1",
        "1) FROM people WHERE (1=1",
        "",
        "1) AS x, (2",
        "1 -- )\n) , (2",
    ],
)
def test_an_expression_cannot_end_the_query_around_it(text: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        check_expression(text)
    assert caught.value.reason in (Reason.QUERY_REJECTED, Reason.SYNTAX_ERROR)


def test_a_deeply_nested_query_is_refused_and_harms_nothing(engine: QueryEngine) -> None:
    with pytest.raises(ThanosqlError) as caught:
        engine.run("SELECT " + "(" * 20_000 + "1" + ")" * 20_000)
    assert caught.value.reason in (Reason.QUERY_TOO_LARGE, Reason.SYNTAX_ERROR)
