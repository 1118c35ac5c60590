"""Versions of tables: listed, read, restored, and named in errors."""

from collections.abc import Callable
from pathlib import Path

import lance
import lancedb
import pyarrow as pa
import pytest

from services.storage.core.changing.changes import TableChanges
from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.history import TableHistory, ranges
from services.storage.core.tables.readers import DoomedError
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import IfExists, TableAtVersion, TableVersion
from thanosql_runtime.errors import Reason, ThanosqlError

both_homes = pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)
Make = Callable[[str, pa.Table], None]
Read = Callable[..., list[dict[str, object]]]
ONE = pa.table({"n": pa.array([1], pa.int64())})


@pytest.fixture
def history(tables: Tables) -> TableHistory:
    return TableHistory(tables)


@pytest.fixture
def read(engine: QueryEngine, history: TableHistory) -> Read:
    """Run a query over tables at versions of theirs, and collect its rows."""

    def run(sql: str, *versions: tuple[str, int]) -> list[dict[str, object]]:
        at = [
            TableAtVersion(relation=f"__version_{number}_of_{table}", table=table, version=number)
            for table, number in versions
        ]
        with engine.run(sql, (), versions=history.open(at)) as running:
            return [row for batch in running for row in batch.to_pylist()]

    return run


def test_versions_come_newest_first_and_in_pages(make: Make, history: TableHistory) -> None:
    for _ in range(5):
        make("t", ONE)
    seen, token = [], ""
    while True:
        page = history.page("T", page_size=2, page_token=token)
        seen += [version.version for version in page.versions]
        token = page.next_page_token
        if not token:
            break
    assert seen == [5, 4, 3, 2, 1]


@both_homes
def test_versions_say_what_made_them(
    tables: Tables, changes: TableChanges, copying: CopyCommand, history: TableHistory
) -> None:
    for if_exists in IfExists:
        request = CopyRequest(table="t", source='[{"n": 1}]', if_exists=if_exists)
        copying.run(request, lambda _progress: None)
    tables.append("t", Rows(ONE.schema, ONE.to_batches()))
    changes.add_column("t", "m", "VARCHAR")
    changes.delete("t")
    history.restore("t", 4)
    assert [(version.operation, version.row_count) for version in history.page("t").versions] == [
        ("RESTORE TABLE TO VERSION 4", 3),
        ("DELETE", 0),
        ("ALTER TABLE", 3),
        ("INSERT", 3),
        ("COPY", 2),
        ("COPY", 1),
        ("COPY", 1),
    ]


def test_times_of_versions_rise(make: Make, history: TableHistory, tables: Tables) -> None:
    make("t", ONE)
    make("t", ONE)
    newest, oldest = history.page("t").versions
    assert 0 < oldest.create_time_s <= newest.create_time_s
    assert newest.create_time_s == pytest.approx(tables.describe("t").update_time_s, abs=5)


def test_a_table_of_an_earlier_release_has_a_history(tables: Tables, tmp_path: Path) -> None:
    earlier = lancedb.connect(str(tmp_path / "tables"))
    earlier.create_table("t", ONE).add(ONE)
    earlier.create_table("t", ONE, mode="overwrite").optimize()
    operations = [version.operation for version in TableHistory(tables).page("t").versions]
    assert operations[-3:] == ["REPLACE TABLE", "INSERT", "REPLACE TABLE"]
    assert set(operations[:-3]) <= {"MAINTENANCE"}


@both_homes
def test_one_query_reads_several_versions_of_one_table(make: Make, read: Read) -> None:
    make("t", ONE)
    make("t", pa.table({"n": [7, 8]}))
    make("t", pa.table({"m": ["x"]}))
    sql = "SELECT a.n AS old, b.n AS new FROM __version_1_of_t AS a, __version_2_of_t AS b"
    assert read(sql, ("t", 1), ("T", 2)) == [{"old": 1, "new": 7}, {"old": 1, "new": 8}]


def test_a_limit_and_a_filter_hold_at_a_version(make: Make, read: Read) -> None:
    make("t", pa.table({"n": pa.array(range(100), pa.int64())}))
    make("t", ONE)
    sql = "SELECT * FROM __version_1_of_t WHERE n > 90 LIMIT 1"
    assert read(sql, ("t", 1)) == [{"n": 91}]


@both_homes
def test_a_query_tells_the_versions_that_it_reads(
    make: Make, engine: QueryEngine, history: TableHistory
) -> None:
    make("t", ONE)
    make("t", ONE)
    make("u", ONE)
    at = TableAtVersion(relation="__version_1_of_t", table="T", version=1)
    sql = "SELECT * FROM u, t, __version_1_of_t AS old"
    with engine.run(sql, ("t", "u", "t"), versions=history.open([at])) as running:
        told = {(item.table, item.version) for item in running.tables_read}
    assert told == {("u", 1), ("t", 2), ("t", 1)}
    assert all(isinstance(item, TableVersion) for item in running.tables_read)


@both_homes
def test_a_query_keeps_its_version_while_the_table_is_restored(
    make: Make, engine: QueryEngine, history: TableHistory
) -> None:
    make("t", pa.table({"n": pa.array(range(50_000), pa.int64())}))
    make("t", ONE)
    with engine.run("SELECT sum(n) AS s FROM t", ("t",)) as running:
        history.restore("t", 1)
        assert [row for batch in running for row in batch.to_pylist()] == [{"s": 1}]


@both_homes
def test_a_restore_can_be_undone(make: Make, history: TableHistory, tables: Tables) -> None:
    make("t", ONE)
    make("t", pa.table({"m": ["x", "y"]}))
    assert history.restore("t", 1).row_count == 1
    undone = history.restore("T", 2)
    assert (undone.version, undone.row_count) == (4, 2)
    assert tables.dataset("t").schema.names == ["m"]


@both_homes
def test_a_replaced_table_keeps_its_history_and_a_dropped_one_loses_it(
    make: Make, history: TableHistory, tables: Tables
) -> None:
    make("t", ONE)
    make("t", pa.table({"m": ["x"]}))
    assert history.restore("t", 1).row_count == 1
    tables.drop("t")
    make("t", ONE)
    assert [version.version for version in history.page("t").versions] == [1]


@pytest.mark.parametrize("version", [0, -1, 3, 2**62])
def test_a_version_that_never_was_is_answered_with_those_that_are(
    make: Make, history: TableHistory, version: int
) -> None:
    make("t", ONE)
    make("t", ONE)
    for attempt in (history.dataset, history.restore):
        with pytest.raises(
            ThanosqlError, match=f"table 't' has no version {version}; it has: 2 to 1"
        ) as caught:
            attempt("T", version)
        assert caught.value.reason is Reason.TABLE_NOT_FOUND
        assert caught.value.metadata["version"] == str(version)


@both_homes
def test_a_version_that_was_cleaned_up_says_so(make: Make, history: TableHistory, tables: Tables) -> None:
    for _ in range(5):
        make("t", ONE)
    tables.dataset("t").cleanup_old_versions(versions=[1, 3])
    with pytest.raises(ThanosqlError, match="version 3 of table 't' was cleaned up; it has: 5 to 4, 2"):
        history.dataset("t", 3)


def test_versions_of_no_table_are_not_found(history: TableHistory) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: history.page("nope"),
        lambda: history.dataset("nope", 1),
        lambda: history.restore("nope", 1),
    ]
    for attempt in attempts:
        with pytest.raises(ThanosqlError) as caught:
            attempt()
        assert caught.value.reason is Reason.TABLE_NOT_FOUND


@pytest.mark.parametrize(
    ("numbers", "written"),
    [
        ([], ""),
        ([4], "4"),
        ([4, 3], "4 to 3"),
        ([9, 7, 6, 5, 2], "9, 7 to 5, 2"),
        (list(range(100, 0, -2)), ", ".join(str(n) for n in range(100, 60, -2)) + ", ..."),
    ],
)
def test_numbers_in_a_row_are_written_as_a_range(numbers: list[int], written: str) -> None:
    assert ranges(numbers) == written


def test_a_history_that_the_store_does_not_give_is_unavailable(
    make: Make, history: TableHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("t", ONE)

    def away(_dataset: object) -> list[object]:
        raise OSError("LanceError(IO): it is away")

    monkeypatch.setattr(lance.LanceDataset, "versions", away)
    for read in (history.page, history.moments):
        with pytest.raises(ThanosqlError, match="the history of table 't' cannot be read") as caught:
            read("T")
        assert caught.value.reason is Reason.STORE_UNAVAILABLE


def test_a_version_that_is_being_cleaned_up_is_not_among_those_that_an_error_names(
    make: Make, history: TableHistory, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        make("t", ONE)

    def doomed(_name: str, version: int) -> object:
        raise DoomedError(f"version {version} is being cleaned up")

    monkeypatch.setattr(tables, "dataset_at", doomed)
    with pytest.raises(ThanosqlError, match=r"version 2 of table 't' was cleaned up; it has: 3, 1$"):
        history.dataset("t", 2)


def test_rows_chosen_by_a_version_are_added_while_only_maintenance_came_behind_it(
    make: Make, tables: Tables, history: TableHistory
) -> None:
    make("t", ONE)
    for _ in range(20):
        tables.append("t", Rows(ONE.schema, iter(ONE.to_batches())))
    chosen_by = tables.version("t")
    tables.compact("t")
    assert tables.version("t") > chosen_by
    history.require_rows_of("T", chosen_by)
    tables.append("t", Rows(ONE.schema, iter(ONE.to_batches())))
    with pytest.raises(ThanosqlError) as caught:
        history.require_rows_of("t", chosen_by)
    assert caught.value.reason is Reason.CONFLICT
    tables.drop("t")
    make("t", ONE)
    with pytest.raises(ThanosqlError) as caught:
        history.require_rows_of("t", chosen_by)
    assert caught.value.reason is Reason.CONFLICT
