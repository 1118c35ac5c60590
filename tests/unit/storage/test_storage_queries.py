"""Answers stream, in order, reading no more than they must."""

import os
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.changing.assigning import Assignment
from services.storage.core.changing.changes import TableChanges
from services.storage.core.queries import pushdown
from services.storage.core.queries.connections import QueryLimits
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.sandbox.sandbox import check
from services.storage.core.spooling import Spool
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from thanosql_runtime.arrow import decode_batch, decode_schema, encode_batches, encode_schema
from thanosql_runtime.errors import Reason, ThanosqlError

Make = Callable[[str, pa.Table], None]
Select = Callable[[str], list[dict[str, object]]]

NUMBERS = pa.table(
    {
        "i": pa.array(range(50_000), pa.int64()),
        "s": [f"row '{number % 100}" for number in range(50_000)],
        "f": pa.array([number / 2 for number in range(50_000)], pa.float64()),
    }
)


def planned(sql: str, schema: pa.Schema = NUMBERS.schema) -> pushdown.Pushdown | None:
    return pushdown.plan(check(sql, ["numbers"]).tree, schema)


@pytest.mark.parametrize(
    ("sql", "limit", "columns", "condition"),
    [
        ("SELECT * FROM numbers LIMIT 5", 5, ("i", "s", "f"), ""),
        ("SELECT * FROM numbers AS n LIMIT 5 OFFSET 7", 12, ("i", "s", "f"), ""),
        ("SELECT F, n.I FROM Numbers n LIMIT 1", 1, ("i", "f"), ""),
        (
            "SELECT i FROM numbers WHERE s = 'a''b' AND i >= 3 LIMIT 2",
            2,
            ("i", "s"),
            "`s` = 'a''b' AND `i` >= 3",
        ),
    ],
)
def test_simple_limits_go_down_to_lance(
    sql: str, limit: int, columns: tuple[str, ...], condition: str
) -> None:
    assert planned(sql) == pushdown.Pushdown(limit=limit, columns=columns, condition=condition)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM numbers",
        "SELECT count(*) FROM numbers LIMIT 1",
        "SELECT max(i) FROM numbers LIMIT 1",
        "SELECT DISTINCT s FROM numbers LIMIT 1",
        "SELECT i FROM numbers ORDER BY i DESC LIMIT 1",
        "SELECT s FROM numbers GROUP BY s LIMIT 1",
        "SELECT i FROM numbers HAVING i > 1 LIMIT 1",
        "SELECT a.i FROM numbers a JOIN numbers b USING (i) LIMIT 1",
        "SELECT a.i FROM numbers a, numbers b LIMIT 1",
        "SELECT row_number() OVER () FROM numbers LIMIT 1",
        "SELECT unnest([i, i]) FROM numbers LIMIT 1",
        "SELECT i FROM numbers LIMIT 10%",
        "SELECT i FROM numbers LIMIT (SELECT 3)",
        "SELECT i FROM numbers TABLESAMPLE 10% LIMIT 1",
        "SELECT i FROM numbers USING SAMPLE 10 LIMIT 1",
        "WITH x AS (SELECT 1) SELECT i FROM numbers LIMIT 1",
        "SELECT i FROM numbers WHERE f = 1.5 LIMIT 1",
        "SELECT i FROM numbers WHERE i = '3' LIMIT 1",
        "SELECT i FROM numbers WHERE s = 'a' OR i = 1 LIMIT 1",
        "SELECT i FROM numbers WHERE i IN (SELECT 1) LIMIT 1",
        "SELECT nope FROM numbers LIMIT 1",
        "SELECT a FROM numbers AS n(a, b, c) LIMIT 1",
        "SELECT * EXCLUDE (i) FROM numbers LIMIT 1",
        "SELECT i FROM numbers QUALIFY row_number() OVER () = 2 LIMIT 1",
        "(SELECT i FROM numbers LIMIT 1) UNION ALL (SELECT 1)",
    ],
)
def test_nothing_goes_down_where_it_could_change_the_answer(sql: str) -> None:
    assert planned(sql) is None


@pytest.mark.parametrize(
    "tail",
    [
        "LIMIT 7",
        "LIMIT 3 OFFSET 49998",
        "LIMIT 0",
        "WHERE s = 'row ''5' LIMIT 4",
        "WHERE i > 40000 AND s <> 'row ''1' LIMIT 5 OFFSET 3",
        "WHERE i >= 49999 LIMIT 10",
        "WHERE S < 'row ''2' AND I <= 20 LIMIT 100",
    ],
)
def test_what_went_down_changes_no_answer(make: Make, select: Select, tail: str) -> None:
    make("numbers", NUMBERS)
    # The sum in the subquery keeps anything from going down on the right side.
    plain = select(f"SELECT i, s FROM (SELECT *, sum(1) OVER () FROM numbers) {tail}")
    assert select(f"SELECT i, s FROM numbers {tail}") == plain


@pytest.mark.parametrize(
    ("kind", "number"),
    [(pa.int8(), 300), (pa.int16(), 70_000), (pa.int32(), 3_000_000_000), (pa.int8(), 128), (pa.int8(), 127)],
)
@pytest.mark.parametrize("operator", ["=", "<", ">=", "<>"])
def test_a_number_that_the_column_cannot_hold_is_only_compared(
    make: Make, select: Select, kind: pa.DataType, number: int, operator: str
) -> None:
    make("t", pa.table({"k": pa.array([1, 127, None], kind)}))
    compare = {"=": int.__eq__, "<": int.__lt__, ">=": int.__ge__, "<>": int.__ne__}[operator]
    expected = [{"k": value} for value in (1, 127) if compare(value, number)]
    assert select(f"SELECT k FROM t WHERE k {operator} {number} LIMIT 5") == expected
    assert select(f"SELECT k FROM t WHERE k {operator} {number}") == expected


@pytest.mark.parametrize("kind", [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()])
@pytest.mark.parametrize("tail", ["", " LIMIT 5", " ORDER BY k"])
def test_unsigned_numbers_can_be_compared(make: Make, select: Select, kind: pa.DataType, tail: str) -> None:
    make("t", pa.table({"k": pa.array([1, 200, None], kind)}))
    assert select(f"SELECT k FROM t WHERE k = 200{tail}") == [{"k": 200}]
    assert select(f"SELECT k FROM t WHERE k < 200{tail}") == [{"k": 1}]


def test_parts_of_structures_can_be_compared(make: Make, select: Select) -> None:
    make("t", pa.table({"i": range(3), "s": [{"k": 1}, {"k": 2}, None]}))
    assert select("SELECT i FROM t WHERE s.k = 2") == [{"i": 1}]
    assert select("SELECT a.i FROM t a JOIN t b USING (i) WHERE a.s.k = 2 AND b.i > 0") == [{"i": 1}]


@pytest.mark.parametrize(
    ("kind", "literal"),
    [
        ("DECIMAL(20, 2)", "1.5"),
        ("HUGEINT", "1"),
        ("DATE", "'2024-01-02'"),
        ("TIMESTAMP", "'2024-01-02 03:04:05'"),
        ("TIMESTAMPTZ", "'2024-01-02 03:04:05+00'"),
        ("TIME", "'03:04:05'"),
        ("BLOB", "'ab'"),
        ("BOOLEAN", "true"),
        ("FLOAT", "1.5"),
        ("UUID", "'5f0c31f4-8f3a-4f63-9a8f-9f9a8c1a0b11'"),
        ("INTEGER[]", "[1]"),
    ],
)
def test_values_of_every_type_can_be_compared(
    engine: QueryEngine, make: Make, select: Select, kind: str, literal: str
) -> None:
    with engine.run(f"SELECT {literal}::{kind} AS v UNION ALL SELECT NULL") as running:
        make("t", pa.Table.from_batches(list(running), schema=running.schema))
    assert select(f"SELECT count(*) AS n FROM t WHERE v = {literal}::{kind}") == [{"n": 1}]


def test_an_added_unsigned_column_can_be_compared(
    make: Make, select: Select, tables: Tables, engine: QueryEngine
) -> None:
    make("t", NUMBERS.slice(0, 2))
    changes = TableChanges(tables, engine)
    changes.add_column("t", "k", "UTINYINT")
    assert changes.update("t", [Assignment(column="k", expression="200")], "i = 1") == 1
    assert select("SELECT i FROM t WHERE k = 200") == [{"i": 1}]


def test_rows_come_in_the_order_of_the_table(make: Make, select: Select) -> None:
    make("numbers", NUMBERS)
    assert [row["i"] for row in select("SELECT * FROM numbers")] == list(range(50_000))


def test_answers_are_computed_as_they_are_taken(engine: QueryEngine) -> None:
    with engine.run("SELECT i, repeat('x', 1000) AS t FROM range(100000000) r(i)") as running:
        before = pa.total_allocated_bytes()
        taken = [batch.num_rows for batch, _ in zip(running, range(5), strict=False)]
        assert len(taken) == 5
        assert pa.total_allocated_bytes() - before < 256 << 20


def test_waiting_for_a_slow_reader_is_not_computing(tables: Tables) -> None:
    engine = QueryEngine(tables, QueryLimits(compute_s=5.0))
    with engine.run("SELECT i FROM range(100000) r(i)") as running:
        rows = iter(running)
        next(rows)
        assert running._left_s > 3.0
        assert sum(batch.num_rows for batch in rows) > 0


def test_an_interrupted_query_says_cancelled(engine: QueryEngine) -> None:
    running = engine.run("SELECT count(*) FROM range(1000000000000) a, range(1000000) b")
    threading.Timer(0.2, running.interrupt).start()
    with pytest.raises(ThanosqlError) as caught, running:
        list(running)
    assert caught.value.reason is Reason.CANCELLED


@pytest.mark.parametrize("delay_s", [0.0, 0.001, 0.003, 0.01, 0.03, 0.1])
def test_closing_stops_a_query_whenever_it_comes(engine: QueryEngine, delay_s: float) -> None:
    running = engine.run("SELECT count(*) FROM range(1000000000000) a, range(1000000) b")

    def compute() -> Reason | None:
        try:
            list(running)
        except ThanosqlError as problem:
            return problem.reason
        return None

    with ThreadPoolExecutor(1) as pool:
        computing = pool.submit(compute)
        wait([computing], timeout=delay_s)
        running.interrupt()
        running.close()
        assert computing.result(timeout=20) is Reason.CANCELLED


def test_a_query_keeps_the_version_that_it_opened(make: Make, engine: QueryEngine) -> None:
    make("numbers", NUMBERS)
    with engine.run("SELECT i FROM numbers", ("numbers",)) as running:
        rows = iter(running)
        first = next(rows)
        make("numbers", NUMBERS.slice(0, 1))
        assert first.num_rows + sum(batch.num_rows for batch in rows) == 50_000


def test_relations_can_be_read_more_than_once(engine: QueryEngine) -> None:
    with Spool(NUMBERS.schema) as spool:
        for batch in NUMBERS.to_batches(max_chunksize=1000):
            spool.write(batch)
        spool.finish()
        sql = "SELECT count(*) AS n FROM __nested_1 a JOIN __nested_1 b USING (i)"
        with engine.run(sql, (), {"__nested_1": spool}) as running:
            assert [batch.to_pylist() for batch in running] == [[{"n": 50_000}]]


@pytest.mark.parametrize(
    ("sql", "reason", "words"),
    [
        ("SELECT ii FROM numbers", Reason.COLUMN_NOT_FOUND, "did you mean 'i'? known: i, s, f"),
        ("SELECT n.x FROM numbers n", Reason.COLUMN_NOT_FOUND, "known: i, s, f"),
        ("SELECT * FROM number", Reason.TABLE_NOT_FOUND, "did you mean 'numbers'?"),
        ("SELECT s::INT FROM numbers", Reason.QUERY_FAILED, "Could not convert string"),
        ("SELECT flor(f) FROM numbers", Reason.QUERY_FAILED, 'Did you mean "floor"?'),
        ("SELECT i FROM numbers WHERE", Reason.SYNTAX_ERROR, "cannot be read"),
        ("SELECT i FROM numbers GROUP BY s", Reason.QUERY_FAILED, "GROUP BY"),
    ],
)
def test_errors_say_what_to_do(make: Make, engine: QueryEngine, sql: str, reason: Reason, words: str) -> None:
    make("numbers", NUMBERS)
    with pytest.raises(ThanosqlError) as caught, engine.run(sql, ("numbers",)) as running:
        list(running)
    assert caught.value.reason is reason
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("error('x')", "the query failed: x"),
        ("error('LanceError(IO): No space left on device')", "the query failed: LanceError(IO): No space"),
        ("CAST(s AS BIGINT)", "Could not convert string 'row"),
        ("repeat('x', 2000000)", "more than one value may hold"),
    ],
)
@pytest.mark.parametrize("at", [0, 40_000])
def test_a_query_that_fails_anywhere_in_its_answer_says_so(
    make: Make, engine: QueryEngine, value: str, words: str, at: int
) -> None:
    make("numbers", NUMBERS)
    sql = f"SELECT CASE WHEN i = {at} THEN {value} END AS v FROM numbers"
    with pytest.raises(ThanosqlError) as caught, engine.run(sql, ("numbers",)) as running:
        for _ in running:
            pass
    assert caught.value.reason is Reason.QUERY_FAILED
    assert words in caught.value.message


@pytest.mark.parametrize("at", [0, 1])
def test_a_table_whose_files_are_cut_is_unavailable(
    make: Make, tables: Tables, engine: QueryEngine, tmp_path: Path, at: int
) -> None:
    make("numbers", NUMBERS)
    tables.append("numbers", Rows(NUMBERS.schema, NUMBERS.to_batches()))
    files = sorted((tmp_path / "tables").glob("numbers.lance/data/*"), key=lambda path: path.stat().st_mtime)
    os.truncate(files[at], files[at].stat().st_size // 2)
    with pytest.raises(ThanosqlError) as caught, engine.run("SELECT * FROM numbers", ("numbers",)) as running:
        for _ in running:
            pass
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("'a'::ENUM('a', 'b')", pa.string()),
        ("['a'::ENUM('a', 'b')]", pa.list_(pa.string())),
        ("{'x': 'a'::ENUM('a', 'b')}", pa.struct([("x", pa.string())])),
        ("NULL", pa.string()),
        ("uuid()", pa.string()),
        ("MAP {'a': 1}", pa.map_(pa.string(), pa.int32())),
        ("12::HUGEINT", pa.decimal128(38, 0)),
    ],
)
def test_every_value_travels_and_can_be_kept(
    engine: QueryEngine, make: Make, tables: Tables, value: str, kind: pa.DataType
) -> None:
    with engine.run(f"SELECT {value} AS v FROM range(3)") as running:
        schema = decode_schema(encode_schema(running.schema))
        batches = [decode_batch(m, schema) for batch in running for m in encode_batches(batch)]
    answer = pa.Table.from_batches(batches, schema=schema)
    make("kept", answer)
    assert tables.dataset("kept").to_table().to_pylist() == answer.to_pylist()
    # DuckDB leaves the items of a list without a name.
    assert str(schema.field("v").type).replace("l:", "item:") == str(kind)


@pytest.mark.parametrize("sql", ["SELECT TIMESTAMP ()", "SELECT 'a", "SELECT )"])
def test_text_that_nobody_means_is_a_syntax_error(engine: QueryEngine, sql: str) -> None:
    with pytest.raises(ThanosqlError) as caught, engine.run(sql) as running:
        list(running)
    assert caught.value.reason in (Reason.SYNTAX_ERROR, Reason.QUERY_FAILED)


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT * FROM "ÄPFEL"',
        "SELECT * FROM Äpfel LIMIT 1",
        'SELECT "ÄPFEL".n FROM "ÄPFEL"',
        "SELECT a.n FROM ÄPFEL a JOIN Äpfel b USING (n) JOIN äpfel c USING (n)",
        "WITH one AS (SELECT * FROM ÄPFEL) SELECT * FROM one",
        unicodedata.normalize("NFD", "SELECT * FROM Äpfel"),
        "SELECT n FROM ÄPFEL WHERE said > TIMESTAMP '2020-01-01'",
    ],
)
def test_names_beyond_ascii_are_case_insensitive_too(make: Make, select: Select, sql: str) -> None:
    make("Äpfel", pa.table({"n": [1], "said": pa.array([datetime(2026, 1, 1)], pa.timestamp("us"))}))
    assert [row["n"] for row in select(sql)] == [1]
