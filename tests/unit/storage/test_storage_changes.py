"""UPDATE and DELETE change the rows that they say, to the values that they say, or nothing."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from services.storage.core.cancelling import Cancellation
from services.storage.core.changing.assigning import Assignment
from services.storage.core.changing.changes import TableChanges
from services.storage.core.tables.outages import store_unreadable
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import TableInfo
from thanosql_runtime.errors import Reason, ThanosqlError

pytestmark = pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)
Make = Callable[[str, pa.Table], None]
Select = Callable[[str], list[dict[str, object]]]
NUMBERS = pa.table({"a": pa.array([-2, -1, 0, 1, 2, None], pa.int64()), "b": ["old"] * 6})


def setting(column: str, expression: str) -> list[Assignment]:
    return [Assignment(column=column, expression=expression)]


def column(select: Select, name: str) -> list[object]:
    return [row[name] for row in select(f"SELECT {name} FROM t")]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a", ["new", "new", "old", "new", "new", "old"]),
        ("a + 1", ["new", "old", "new", "new", "new", "old"]),
        ("CASE WHEN a > 0 THEN 'true' ELSE 'no' END", ["old", "old", "old", "new", "new", "old"]),
    ],
)
def test_a_condition_of_another_type_decides_as_in_a_query(
    make: Make, changes: TableChanges, select: Select, condition: str, expected: list[str]
) -> None:
    make("t", NUMBERS)
    assert changes.update("t", setting("b", "'new'"), condition) == expected.count("new")
    assert column(select, "b") == expected
    assert changes.delete("t", condition) == expected.count("new")


@pytest.mark.parametrize(
    "expression",
    [
        "unnest([10, 20])",
        "CASE WHEN a > 0 THEN unnest([a, a]) END",
        "generate_subscripts([1, 2], 1)",
        "sum(a)",
        "first(a)",
        "histogram(a)",
        "row_number() OVER ()",
        "COLUMNS(*)",
        "*",
        "t.*",
    ],
)
def test_expressions_that_are_not_one_value_for_each_row_are_refused(
    make: Make, changes: TableChanges, tables: Tables, expression: str
) -> None:
    make("t", NUMBERS)
    with pytest.raises(ThanosqlError) as caught:
        changes.update("t", setting("a", expression))
    assert caught.value.reason in (Reason.QUERY_REJECTED, Reason.QUERY_FAILED, Reason.SYNTAX_ERROR)
    with pytest.raises(ThanosqlError):
        changes.delete("t", expression)
    assert (tables.describe("t").row_count, tables.describe("t").version) == (6, 1)


def test_a_query_inside_an_expression_may_use_aggregates(
    make: Make, changes: TableChanges, select: Select
) -> None:
    make("t", NUMBERS)
    assert changes.update("t", setting("a", "(SELECT count(*) FROM t) + list_max([1, 2])"), "a = 0") == 1
    assert column(select, "a") == [-2, -1, 8, 1, 2, None]


def test_new_values_take_the_type_of_their_column(make: Make, changes: TableChanges, select: Select) -> None:
    make("t", NUMBERS)
    assert changes.update("t", setting("b", "a"), "a > 0") == 2
    assert changes.update("t", setting("a", "'41'"), "a = 1") == 1
    assert select("SELECT * FROM t WHERE b <> 'old'") == [{"a": 41, "b": "1"}, {"a": 2, "b": "2"}]


def test_new_values_leave_other_rows_exact(make: Make, changes: TableChanges, select: Select) -> None:
    make("t", pa.table({"a": [2**53 + 1, 1]}))
    assert changes.update("t", setting("a", "3e0"), "a = 1") == 1
    assert column(select, "a") == [2**53 + 1, 3]


def test_nested_values_can_be_set(make: Make, changes: TableChanges, select: Select) -> None:
    values = pa.table({"k": [1, 2, 3], "l": [[1], [2], None], "s": [{"x": 1}, None, {"x": 3}]})
    make("t", values)
    both = [*setting("l", "[7, 8]"), *setting("s", "{'x': 9}")]
    assert changes.update("t", both, "k > 1") == 2
    assert changes.update("t", setting("l", "NULL"), "k = 2") == 1
    assert select("SELECT * FROM t") == [
        {"k": 1, "l": [1], "s": {"x": 1}},
        {"k": 2, "l": None, "s": {"x": 9}},
        {"k": 3, "l": [7, 8], "s": {"x": 9}},
    ]


def test_an_update_keeps_nothing_of_its_own_in_reach(make: Make, changes: TableChanges) -> None:
    make("t", NUMBERS)
    with pytest.raises(ThanosqlError) as caught:
        changes.update("t", setting("b", "__changed"))
    assert caught.value.reason is Reason.COLUMN_NOT_FOUND
    assert "changed_" not in caught.value.message


@pytest.mark.parametrize("name", ["we`ird", "p.q", "__changed", " "])
def test_names_that_lance_would_misread_are_refused_for_columns(
    make: Make, tables: Tables, changes: TableChanges, name: str
) -> None:
    make("t", NUMBERS)
    attempts: list[tuple[Callable[[], object], Reason]] = [
        (lambda: changes.add_column("t", name, "INT"), Reason.INVALID_NAME),
        (lambda: changes.rename_column("t", "a", name), Reason.INVALID_NAME),
        (lambda: tables.create("u", _rows(name)), Reason.INVALID_DATA),
    ]
    for attempt, expected in attempts:
        with pytest.raises(ThanosqlError) as caught:
            attempt()
        assert caught.value.reason is expected


@pytest.mark.parametrize("name", ['qu"ote', "two words", "ä", "1st", "a/b", "a'b", "[x]", "%", "select"])
def test_other_names_can_be_read_changed_and_dropped(
    make: Make, changes: TableChanges, select: Select, name: str
) -> None:
    make("t", NUMBERS)
    changes.rename_column("t", "a", name)
    assert changes.update("t", setting(name, "7"), "b = 'old'") == 6
    assert {row[name] for row in select("SELECT * FROM t LIMIT 3")} == {7}
    changes.drop_column("t", name)
    assert select("SELECT * FROM t LIMIT 1") == [{"b": "old"}]


def _rows(name: str) -> Rows:
    batch = pa.record_batch([pa.array([1])], names=[name])
    return Rows(batch.schema, [batch])


class _Watched(Cancellation):
    """Says when there is something to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.computing = threading.Event()

    @contextlib.contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        with super().stopping(stop):
            self.computing.set()
            yield


@pytest.mark.parametrize("verb", ["update", "delete"])
def test_a_cancelled_change_stops_and_changes_nothing(
    make: Make, changes: TableChanges, tables: Tables, verb: str
) -> None:
    make("t", NUMBERS)
    slow = "(SELECT count(*) FROM range(300000) x(i), range(300000) y(j) WHERE sin(i * j) < a) > 0"
    cancellation = _Watched()
    with ThreadPoolExecutor(1) as pool:
        if verb == "update":
            working = pool.submit(changes.update, "t", setting("b", "'new'"), slow, cancellation)
        else:
            working = pool.submit(changes.delete, "t", slow, cancellation)
        assert cancellation.computing.wait(10)
        cancellation.cancel()
        with pytest.raises(ThanosqlError) as caught:
            working.result(timeout=10)
    assert caught.value.reason is Reason.CANCELLED
    assert tables.describe("t").version == 1


def test_a_cancellation_before_the_commit_changes_nothing(
    make: Make, changes: TableChanges, tables: Tables
) -> None:
    make("t", NUMBERS)
    cancellation = Cancellation()
    cancellation.cancel()
    attempts: list[Callable[[], int]] = [
        lambda: changes.update("t", setting("b", "'new'"), "", cancellation),
        lambda: changes.delete("t", "a = 1", cancellation),
    ]
    for change in attempts:
        with pytest.raises(ThanosqlError) as caught:
            change()
        assert caught.value.reason is Reason.CANCELLED
    assert tables.describe("t").version == 1


@pytest.mark.parametrize("verb", ["add", "drop", "rename"])
def test_columns_that_changed_before_the_store_went_away_are_said_to_have_changed(
    make: Make, changes: TableChanges, tables: Tables, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("t", NUMBERS)

    def away(name: str) -> TableInfo:
        problem = OSError("connection refused")
        raise store_unreadable(problem, f"table {name!r}") from problem

    monkeypatch.setattr(tables, "describe", away)
    with pytest.raises(ThanosqlError) as caught:
        {
            "add": lambda: changes.add_column("t", "c", "INT"),
            "drop": lambda: changes.drop_column("t", "b"),
            "rename": lambda: changes.rename_column("t", "b", "c"),
        }[verb]()
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert "table 't' was changed" in caught.value.message
    assert "connection refused; do not run the statement again" in caught.value.message
    assert caught.value.metadata["outcome"] == "changed"
    assert (
        tables.dataset("t").schema.names
        == {"add": ["a", "b", "c"], "drop": ["a"], "rename": ["a", "c"]}[verb]
    )
