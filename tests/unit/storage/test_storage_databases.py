"""Queries share DuckDBs one after another, and nothing else."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.extracts.extracts import Extracts
from services.storage.core.queries import databases
from services.storage.core.queries.connections import QueryLimits
from services.storage.core.queries.databases import Databases
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.tables.readers import Readers
from services.storage.core.tables.tables import Tables
from thanosql_runtime.errors import Reason, ThanosqlError

Make = Callable[[str, pa.Table], None]
ROWS = pa.table({"i": range(3), "text": ["one", "two", "three"]})
ENDLESS = "SELECT count(*) FROM range(1000000000000) a, range(1000000) b"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[databases.Database]:
    """Every database that is opened while the test runs."""
    made = []

    class Noted(databases.Database):
        def __init__(self, limits: QueryLimits, extracts: Extracts | None = None) -> None:
            super().__init__(limits, extracts)
            made.append(self)

    monkeypatch.setattr(databases, "Database", Noted)
    return made


def rows_of(engine: QueryEngine, sql: str, *tables: str, **more: object) -> list[dict[str, object]]:
    with engine.run(sql, tables, **more) as running:  # type: ignore[arg-type]
        return [row for batch in running for row in batch.to_pylist()]


def test_queries_one_after_another_share_a_database(engine: QueryEngine, opened: list[object]) -> None:
    assert [rows_of(engine, f"SELECT {number} AS n") for number in range(5)] == [[{"n": n}] for n in range(5)]
    assert len(opened) == 1


def test_queries_at_the_same_time_share_nothing(engine: QueryEngine, opened: list[object]) -> None:
    with engine.run("SELECT 1 AS n") as first, engine.run("SELECT 2 AS n") as second:
        assert [batch.to_pylist() for batch in second] == [[{"n": 2}]]
        assert [batch.to_pylist() for batch in first] == [[{"n": 1}]]
    assert len(opened) == 2


def test_a_query_sees_nothing_of_the_one_before(
    engine: QueryEngine, make: Make, opened: list[databases.Database]
) -> None:
    make("numbers", ROWS)
    search = KeywordSearch(search_input="two", text_col="text", result_col="score", top_k=5)
    assert len(rows_of(engine, "SELECT * FROM numbers", "numbers", search=search)) == 1
    (database,) = opened
    connection = database.connect()
    # Asked of DuckDB itself: the sandbox would refuse to.
    known = connection.sql(
        "SELECT table_name FROM duckdb_tables() "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal "
        "UNION ALL SELECT function_name FROM duckdb_functions() WHERE function_name LIKE '__search%'"
    )
    assert known.fetchall() == []


@pytest.mark.parametrize(
    "sql",
    ["SET threads = 1", "SET enable_external_access = true", "SELECT * FROM read_text('/etc/hostname')"],
)
def test_a_database_that_is_used_again_is_locked(
    engine: QueryEngine, opened: list[databases.Database], sql: str
) -> None:
    rows_of(engine, "SELECT 1")
    rows_of(engine, "SELECT 2")
    (database,) = opened
    with pytest.raises(Exception, match=r"locked|disabled"):
        database.connect().sql(sql).fetchall()


def test_the_guards_stand_in_a_database_that_is_used_again(engine: QueryEngine) -> None:
    rows_of(engine, "SELECT 1")
    with pytest.raises(ThanosqlError, match="more than one value may hold"):
        rows_of(engine, "SELECT length(repeat('x', 3000000000)) AS n")


@pytest.mark.parametrize("sql", ["SELECT error('stop')", "SELECT nope"])
def test_a_database_is_not_used_again_after_a_failure(
    engine: QueryEngine, opened: list[object], sql: str
) -> None:
    with pytest.raises(ThanosqlError):
        rows_of(engine, sql)
    rows_of(engine, "SELECT 1")
    assert len(opened) == 2


def test_a_database_is_not_used_again_after_a_query_that_was_left(
    engine: QueryEngine, opened: list[object]
) -> None:
    with engine.run("SELECT i FROM range(1000000) r(i)") as running:
        next(iter(running))
    rows_of(engine, "SELECT 1")
    assert len(opened) == 2


def test_an_interrupt_stops_no_later_query(engine: QueryEngine, opened: list[object]) -> None:
    running = engine.run("SELECT 1 AS n")
    with running:
        assert sum(batch.num_rows for batch in running) == 1
        running.interrupt()
    assert rows_of(engine, "SELECT count(*) AS n FROM range(3000000)") == [{"n": 3_000_000}]
    assert len(opened) == 1


def test_an_interrupted_query_takes_its_database_along(engine: QueryEngine, opened: list[object]) -> None:
    running = engine.run(ENDLESS)
    threading.Timer(0.1, running.interrupt).start()
    with pytest.raises(ThanosqlError) as caught, running:
        list(running)
    assert caught.value.reason is Reason.CANCELLED
    rows_of(engine, "SELECT 1")
    assert len(opened) == 2


def test_what_a_query_spilled_leaves_room_for_the_next(tables: Tables, opened: list[object]) -> None:
    limits = QueryLimits(memory_bytes=64 << 20, spill_bytes=192 << 20)
    engine = QueryEngine(tables, limits)
    sql = "SELECT count(*) AS n FROM (SELECT md5(i::VARCHAR) AS s FROM range(2000000) r(i) ORDER BY s)"
    assert [rows_of(engine, sql) for _ in range(3)] == [[{"n": 2_000_000}]] * 3
    assert len(opened) == 1


def test_a_table_is_not_read_any_more_when_its_query_has_ended(
    engine: QueryEngine, make: Make, tables: Tables
) -> None:
    make("numbers", ROWS)
    assert len(rows_of(engine, "SELECT * FROM numbers", "numbers")) == 3
    readers: Readers = tables._readers
    with readers.cleaning("numbers", [1]) as unread:
        assert unread == {1}


def test_only_so_many_databases_wait(opened: list[object]) -> None:
    kept = Databases(QueryLimits(memory_bytes=64 << 20))
    loans = [kept.lend() for _ in range(10)]
    for loan in loans:
        loan.is_clean = True
        loan.close()
    with ExitStack() as stack:
        for _ in range(10):
            stack.callback(kept.lend().close)
    assert len(opened) == 12


def test_a_database_that_comes_back_late_is_closed(tmp_path: Path) -> None:
    kept = Databases(QueryLimits(memory_bytes=64 << 20))
    loan = kept.lend()
    loan.is_clean = True
    kept.close()
    loan.close()
    with pytest.raises(Exception, match="losed"):
        loan._database.connect().sql("SELECT 1").fetchall()
