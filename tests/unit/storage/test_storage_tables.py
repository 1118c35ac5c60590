"""Tables and their changes: names, commits, and what a writer that fails leaves behind."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lance
import pyarrow as pa
import pytest

from services.storage.core.changing.assigning import Assignment
from services.storage.core.changing.changes import TableChanges
from services.storage.core.names import file_name, from_file_name
from services.storage.core.tables import homes
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.listing import TableListing
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from thanosql_runtime.errors import Reason, ThanosqlError

pytestmark = pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)
Make = Callable[[str, pa.Table], None]
Select = Callable[[str], list[dict[str, object]]]
PEOPLE = pa.table({"name": ["ana", "bob", None], "age": pa.array([30, 40, 50], pa.int64())})


def rows(table: pa.Table = PEOPLE) -> Rows:
    return Rows(table.schema, table.to_batches())


def reason(caught: pytest.ExceptionInfo[ThanosqlError]) -> Reason:
    return caught.value.reason


@pytest.mark.parametrize("name", ["people", "음성 데이터", "a-b.c/d", "Ünïcode", "x" * 150, "select", "_x"])
def test_names_survive_the_file_system(tables: Tables, tmp_path: Path, name: str) -> None:
    assert from_file_name(file_name(name)) == name
    tables.create(name, rows())
    assert tables.describe(name.upper()).row_count == 3
    assert len(tables.names()) == 1
    assert all(path.parent == tmp_path / "tables" for path in (tmp_path / "tables").glob("*"))


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "__nested_1", "음" * 100, "x" * 300])
def test_names_that_cannot_be_kept_are_refused(tables: Tables, name: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        tables.create(name, rows())
    assert reason(caught) is Reason.INVALID_NAME


@pytest.mark.parametrize("columns", [["a", "A"], ["a.b"], [""], []])
def test_columns_that_cannot_be_kept_are_refused(tables: Tables, columns: list[str]) -> None:
    batch = pa.record_batch([pa.array([1])] * len(columns), names=columns)
    with pytest.raises(ThanosqlError) as caught:
        tables.create("t", Rows(batch.schema, [batch]))
    assert reason(caught) is Reason.INVALID_DATA
    assert tables.names() == []


def test_a_source_that_dies_leaves_the_old_table_whole(tables: Tables, select: Select) -> None:
    tables.create("people", rows())

    def dying() -> Iterator[pa.RecordBatch]:
        yield from PEOPLE.to_batches()
        raise OSError(28, "No space left on device")

    for write in (tables.replace, tables.append):
        with pytest.raises(OSError, match="No space left"):
            write("people", Rows(PEOPLE.schema, dying()))
    with pytest.raises(OSError, match="No space left"):
        tables.create("fresh", Rows(PEOPLE.schema, dying()))
    assert tables.names() == ["people"]
    assert (tables.describe("people").row_count, tables.describe("people").version) == (3, 1)


def test_what_a_killed_first_writer_leaves_is_no_table(tables: Tables, tmp_path: Path) -> None:
    (tmp_path / "tables" / "ghost.lance" / "data").mkdir(parents=True)
    assert tables.names() == []
    with pytest.raises(ThanosqlError) as caught:
        tables.dataset("ghost")
    assert reason(caught) is Reason.TABLE_NOT_FOUND
    assert tables.create("ghost", rows()).row_count == 3


def test_a_dropped_name_is_free_again(tables: Tables, select: Select) -> None:
    for number in range(10):
        tables.create("t", Rows(PEOPLE.schema, PEOPLE.slice(0, number % 4).to_batches()))
        assert select("SELECT count(*) AS n FROM t") == [{"n": min(3, number % 4)}]
        assert tables.drop("T")
    assert not tables.drop("t")


def test_append_matches_columns_by_name_whatever_their_case_and_order(tables: Tables, select: Select) -> None:
    tables.create("t", rows())
    more = pa.table({"AGE": pa.array([7], pa.int32()), "Name": ["eve"]})
    tables.append("t", rows(more))
    assert select("SELECT * FROM t WHERE age < 10") == [{"name": "eve", "age": 7}]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (pa.table({"nam": ["x"]}), Reason.COLUMN_NOT_FOUND),
        (pa.table({"age": ["old"]}), Reason.INVALID_DATA),
        (pa.table({"age": [1.5]}), Reason.INVALID_DATA),
    ],
)
def test_rows_that_do_not_fit_are_refused_whole(tables: Tables, more: pa.Table, expected: Reason) -> None:
    tables.create("t", rows())
    with pytest.raises(ThanosqlError) as caught:
        tables.append("t", rows(more))
    assert reason(caught) is expected
    assert tables.describe("t").version == 1


def test_names_that_nobody_writes_any_more_hold_nothing(tables: Tables) -> None:
    for number in range(3):
        tables.drop(f"mistyped_{number}")
    with tables.writing("t"), tables.writing("t"):
        assert tables.being_written() == {"t"}
    assert not tables.being_written()


def test_writers_of_one_table_lose_nothing(tables: Tables, select: Select) -> None:
    tables.create("t", rows(PEOPLE.slice(0, 0)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: tables.append("t", rows()), range(60)))
    assert select("SELECT count(*) AS n FROM t") == [{"n": 180}]


def test_many_creators_of_one_name_leave_one_winner(tables: Tables) -> None:
    def create(_: int) -> bool:
        try:
            tables.create("t", rows())
        except ThanosqlError as problem:
            return problem.reason is not Reason.TABLE_ALREADY_EXISTS
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 1


def test_update_sets_columns_where_the_condition_holds(
    make: Make, changes: TableChanges, select: Select
) -> None:
    make("t", PEOPLE)
    assignments = [
        Assignment(column="NAME", expression="upper(name) || age"),
        Assignment(column="age", expression="t.age + 1"),
    ]
    assert changes.update("T", assignments, "age < 45 -- not the oldest") == 2
    assert select("SELECT * FROM t") == [
        {"name": "ANA30", "age": 31},
        {"name": "BOB40", "age": 41},
        {"name": None, "age": 50},
    ]


def test_a_condition_that_is_null_holds_for_no_row(make: Make, changes: TableChanges, tables: Tables) -> None:
    make("t", PEOPLE)
    assert changes.update("t", [Assignment(column="age", expression="0")], "name = NULL") == 0
    assert changes.delete("t", "name = NULL") == 0
    assert tables.describe("t").version == 1
    assert changes.delete("t", "name <> 'ana'") == 1


def test_conditions_may_ask_other_tables(make: Make, changes: TableChanges, select: Select) -> None:
    make("t", PEOPLE)
    make("chosen", pa.table({"who": ["bob"]}))
    assert changes.delete("t", "name IN (SELECT who FROM chosen)") == 1
    assert changes.update("t", [Assignment(column="age", expression="(SELECT max(age) FROM t)")]) == 2
    assert {row["age"] for row in select("SELECT age FROM t")} == {50}


def test_update_keeps_types_or_fails_whole(make: Make, changes: TableChanges, tables: Tables) -> None:
    make("t", PEOPLE)
    for expression in ("'abc'", "age * 1.01", "1e30"):
        with pytest.raises(ThanosqlError):
            changes.update("t", [Assignment(column="age", expression=expression)], "age = 30 OR age = 50")
    assert tables.dataset("t").schema.equals(PEOPLE.schema)
    assert tables.describe("t").version == 1


@pytest.mark.parametrize(
    "condition",
    ["1=1) OR (1=1", "x; DROP TABLE t", "EXISTS (SELECT * FROM read_text('/etc/passwd'))", "nope = 1"],
)
def test_conditions_cannot_do_more_than_decide(
    make: Make, changes: TableChanges, tables: Tables, condition: str
) -> None:
    make("t", PEOPLE)
    attempts: list[Callable[[], object]] = [
        lambda: changes.delete("t", condition),
        lambda: changes.update("t", [Assignment(column="age", expression="1")], condition),
    ]
    for attempt in attempts:
        with pytest.raises(ThanosqlError) as caught:
            attempt()
        assert reason(caught) in (Reason.QUERY_REJECTED, Reason.SYNTAX_ERROR, Reason.COLUMN_NOT_FOUND)
    assert tables.describe("t").row_count == 3


def test_delete_without_a_condition_empties_the_table(
    make: Make, changes: TableChanges, tables: Tables
) -> None:
    make("t", PEOPLE)
    assert changes.delete("t") == 3
    assert tables.describe("t").row_count == 0
    assert tables.dataset("t").schema.names == ["name", "age"]


def test_columns_come_go_and_change_their_name(make: Make, changes: TableChanges, select: Select) -> None:
    make("t", PEOPLE.slice(0, 1))
    changes.add_column("t", "town name", "VARCHAR")
    changes.add_column("t", "tags", "INTEGER[]")
    changes.rename_column("t", "AGE", "years")
    changes.rename_column("t", "town name", "Town")
    changes.drop_column("t", "NAME")
    assert select("SELECT * FROM t") == [{"years": 30, "Town": None, "tags": None}]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda c: c.add_column("t", "NAME", "INT"), Reason.INVALID_DATA),
        (lambda c: c.add_column("t", "x", "NOTATYPE"), Reason.QUERY_FAILED),
        (lambda c: c.add_column("t", "x", "INT)) ; SELECT (1"), Reason.SYNTAX_ERROR),
        (lambda c: c.add_column("t", "", "INT"), Reason.INVALID_NAME),
        (lambda c: c.rename_column("t", "name", "age"), Reason.INVALID_DATA),
        (lambda c: c.rename_column("t", "nam", "x"), Reason.COLUMN_NOT_FOUND),
        (lambda c: c.drop_column("t", "nam"), Reason.COLUMN_NOT_FOUND),
        (lambda c: c.drop_column("nowhere", "x"), Reason.TABLE_NOT_FOUND),
        (lambda c: c.update("t", [Assignment(column="nam", expression="1")]), Reason.COLUMN_NOT_FOUND),
    ],
)
def test_changes_that_cannot_be_made_say_why(
    make: Make, changes: TableChanges, change: Callable[[TableChanges], object], expected: Reason
) -> None:
    make("t", PEOPLE)
    with pytest.raises(ThanosqlError) as caught:
        change(changes)
    assert reason(caught) is expected


def test_the_only_column_stays(make: Make, changes: TableChanges) -> None:
    make("t", PEOPLE.select(["name"]))
    with pytest.raises(ThanosqlError) as caught:
        changes.drop_column("t", "name")
    assert reason(caught) is Reason.INVALID_DATA


def test_a_table_of_large_rows_is_opened_once_and_read_in_steps(
    make: Make, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def counted(*args: Any, **options: Any) -> Any:
        opened.append(args)
        return lance.dataset(*args, **options)

    make("t", pa.table({"text": [os.urandom(8000).hex() for _ in range(2000)]}))
    monkeypatch.setattr(homes, "lance", SimpleNamespace(dataset=counted))
    dataset = tables.dataset("t")
    assert len(opened) == 1
    assert max(batch.num_rows for batch in dataset.to_batches()) < 2000
    scanned = dataset.scanner(columns=["text"]).to_reader()
    assert max(batch.num_rows for batch in scanned) < 2000


def test_pages_of_tables_cover_each_once(tables: Tables) -> None:
    names = ["b", "a", "d", "c", "e"]
    for name in names:
        tables.create(name, rows())
    listing = TableListing(tables, Quarantines(tables))
    seen, token = [], ""
    while True:
        page = listing.page(page_size=2, page_token=token)
        seen += [table.name for table in page.tables]
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted(names)


def test_history_does_not_grow_without_end(tables: Tables) -> None:
    tables.create("t", rows())
    for _ in range(55):
        tables.append("t", rows())
    assert len(tables.dataset("t").get_fragments()) < 20
    assert tables.describe("t").row_count == 56 * 3


def test_a_table_is_there_whatever_killed_writers_left_beside_its_versions(
    tables: Tables, home: TableHome
) -> None:
    tables.create("people", rows())
    for left in (".tmpAbC123", ".tmpXyZ789", "18446744073709551613.manifest#1"):
        home.store.write(f"people.lance/_versions/{left}", [b"half"])
    assert tables.names() == ["people"]
    assert tables.replace("people", rows()).version == 2
    assert tables.drop("people")
    assert not tables.exists("people")
