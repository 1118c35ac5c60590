"""What is known of a table spares opening it, and never hides a change."""

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.changing.changes import TableChanges
from services.storage.core.extracts.extracts import Extracts
from services.storage.core.extracts.shelf import Shelf
from services.storage.core.queries import databases
from services.storage.core.queries.connections import QueryLimits, open_connection
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.sandbox.checks import Checks
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from thanosql_runtime.errors import Reason, ThanosqlError

LIMITS = QueryLimits(threads=2)
HOUR_S = 3600
ALL = "SELECT * FROM calls"
QUERIES = [ALL, "SELECT count(*) AS n FROM Calls", "SELECT a.id FROM CALLS a, calls b WHERE a.id = b.id", ALL]


class NotedTables(Tables):
    """Tables that know how often one was opened."""

    opened = 0

    def found(self, name: str) -> object | None:
        self.opened += 1
        return super().found(name)


def rows(count: int = 30, first: int = 0) -> Rows:
    table = pa.table({"id": range(first, first + count), "text": [f"LINE {n}" for n in range(count)]})
    return Rows(table.schema, table.to_batches())


def replace(tables: Tables, made: Rows, name: str = "calls") -> None:
    tables.replace(name, made)


@pytest.fixture
def tables(tmp_path: Path) -> NotedTables:
    return NotedTables(tmp_path / "tables")


@pytest.fixture
def extracts(tmp_path: Path) -> Iterator[Extracts]:
    shelf = Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=0)
    made = Extracts(shelf, partial(open_connection, LIMITS), least_rows=20)
    yield made
    made.close()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[databases.Database]:
    """Every database that is opened while the test runs."""
    noted: list[databases.Database] = []

    class Noted(databases.Database):
        def __init__(self, limits: QueryLimits, extracts: Extracts | None = None) -> None:
            super().__init__(limits, extracts)
            noted.append(self)

    monkeypatch.setattr(databases, "Database", Noted)
    return noted


@pytest.fixture
def quick(tables: NotedTables, extracts: Extracts, made: list[databases.Database]) -> Iterator[QueryEngine]:
    engine = QueryEngine(tables, LIMITS, extracts=extracts)
    yield engine
    engine.close()


@pytest.fixture
def settle(tmp_path: Path, extracts: Extracts, quick: QueryEngine) -> Callable[[], None]:
    """Make extracts of the table as it is, and let an hour go by since it became that."""

    def run() -> None:
        answer(quick)
        answer(quick)
        extracts.wait()
        then_s = time.time() - HOUR_S
        for path in tmp_path.glob("tables/*/_versions/*.manifest"):
            os.utime(path, (then_s, then_s))
        answer(quick)

    return run


def answer(engine: QueryEngine, sql: str = ALL, **more: object) -> list[dict[str, object]]:
    with engine.run(sql, ("calls", "others"), **more) as running:  # type: ignore[arg-type]
        return [row for batch in running for row in batch.to_pylist()]


def plain(tables: Tables, sql: str = ALL) -> list[dict[str, object]]:
    """The answer of an engine that knows nothing."""
    engine = QueryEngine(tables, LIMITS)
    try:
        return answer(engine, sql)
    finally:
        engine.close()


@pytest.mark.parametrize("sql", QUERIES)
def test_a_known_table_is_answered_without_opening_it(
    tables: NotedTables, quick: QueryEngine, settle: Callable[[], None], sql: str
) -> None:
    replace(tables, rows())
    settle()
    opened = tables.opened
    found = answer(quick, sql)
    assert tables.opened == opened
    assert found == plain(tables, sql)


def test_which_version_was_read_is_told_all_the_same(
    tables: NotedTables, quick: QueryEngine, settle: Callable[[], None]
) -> None:
    replace(tables, rows())
    replace(tables, rows(25))
    settle()
    with quick.run(ALL, ("calls",)) as running:
        assert [(read.table, read.version) for read in running.tables_read] == [("calls", 2)]


def test_every_change_is_seen_at_once(
    tables: NotedTables, quick: QueryEngine, settle: Callable[[], None], tmp_path: Path
) -> None:
    replace(tables, rows())
    changes, other_process = TableChanges(tables, quick), Tables(tmp_path / "tables")
    steps: list[Callable[[], object]] = [
        lambda: other_process.append("calls", rows(1, 100)),
        lambda: other_process.append("calls", rows(30, 200)),
        lambda: changes.delete("calls", "id < 5"),
        lambda: changes.rename_column("calls", "text", "words"),
        lambda: other_process.restore("calls", 1),
        lambda: other_process.replace("calls", rows(21, 7)),
        lambda: tables.compact("calls"),
    ]
    for step in steps:
        settle()
        assert answer(quick) == plain(other_process)
        step()
        assert answer(quick) == plain(other_process)


def test_a_table_that_was_made_anew_is_not_the_known_one(
    tables: NotedTables, quick: QueryEngine, settle: Callable[[], None], tmp_path: Path
) -> None:
    replace(tables, rows())
    settle()
    other_process = Tables(tmp_path / "tables")
    other_process.drop("calls")
    with pytest.raises(ThanosqlError) as caught:
        answer(quick)
    assert caught.value.reason is Reason.TABLE_NOT_FOUND
    other_process.create("calls", rows(22, 50))  # Version 1 again.
    assert answer(quick) == plain(tables)


def test_a_version_of_just_now_is_opened(tables: NotedTables, quick: QueryEngine, extracts: Extracts) -> None:
    replace(tables, rows())
    for _ in range(3):
        answer(quick)
        extracts.wait()
    opened = tables.opened
    answer(quick)
    assert tables.opened == opened + 1


def test_a_part_without_an_extract_is_read_from_the_table(
    tables: NotedTables, quick: QueryEngine, settle: Callable[[], None]
) -> None:
    replace(tables, rows())
    tables.append("calls", rows(3, 100))
    settle()
    opened = tables.opened
    assert answer(quick) == plain(tables)
    assert tables.opened > opened


@pytest.mark.parametrize("is_found", [True, False], ids=["between the looks", "before"])
def test_an_extract_that_went_is_missed_by_nobody(
    tables: NotedTables,
    quick: QueryEngine,
    extracts: Extracts,
    settle: Callable[[], None],
    made: list[databases.Database],
    monkeypatch: pytest.MonkeyPatch,
    is_found: bool,
) -> None:
    replace(tables, rows())
    settle()
    for database in made:  # Who has it open reads it still.
        database.open_extracts(())
    for path in extracts.shelf.folder("calls").glob("*"):
        path.unlink()
    if is_found:
        monkeypatch.setattr(extracts.shelf, "has", lambda _extract: True)
    assert answer(quick) == plain(tables)


def test_a_version_that_is_known_is_no_longer_read(
    tables: NotedTables, quick: QueryEngine, settle: Callable[[], None]
) -> None:
    replace(tables, rows())
    settle()
    replace(tables, rows(25))
    assert tables.clean("calls", [1]) == 1
    assert answer(quick) == plain(tables)


def test_what_a_query_was_shown_is_not_there_for_the_next(
    tables: NotedTables, quick: QueryEngine, settle: Callable[[], None], made: list[databases.Database]
) -> None:
    replace(tables, rows())
    replace(tables, rows(5), "others")
    settle()
    for sql in ("SELECT id FROM Calls", "SELECT count(*) FROM CALLS", ALL):
        answer(quick, sql)
        answer(quick, "SELECT id FROM others")
        (database,) = made
        # Asked of DuckDB itself: the sandbox would refuse to.
        views = database.connect().sql("SELECT view_name FROM duckdb_views() WHERE NOT internal")
        assert views.fetchall() == []


def test_other_names_for_a_table_are_understood_in_any_order(
    tables: NotedTables, quick: QueryEngine, settle: Callable[[], None]
) -> None:
    replace(tables, rows())
    settle()
    for name in ("calls", "CALLS", "Calls", "calls"):
        assert len(answer(quick, f"SELECT a.id FROM {name} a, cALLS b WHERE a.id = b.id")) == 30
        assert len(answer(quick, f"SELECT id FROM {name}")) == 30


def test_a_query_that_was_checked_is_checked_again_where_it_may_read_less() -> None:
    checks = Checks()
    first = checks.check(ALL, ["calls"])
    assert checks.check(ALL, ["calls"]) is first
    with pytest.raises(ThanosqlError) as caught:
        checks.check(ALL, ["others"])
    assert caught.value.reason is Reason.TABLE_NOT_FOUND


def test_a_query_that_was_refused_is_refused_again() -> None:
    checks = Checks()
    for _ in range(2):
        with pytest.raises(ThanosqlError) as caught:
            checks.check("SELECT * FROM read_text('/etc/passwd')", [])
        assert caught.value.reason is Reason.QUERY_REJECTED


def test_long_texts_are_not_remembered() -> None:
    checks, sql = Checks(), f"SELECT '{'x' * 5000}' AS long"
    assert checks.check(sql, []) is not checks.check(sql, [])
