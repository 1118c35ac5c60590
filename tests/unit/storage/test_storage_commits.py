"""Commits among processes: each happens once, and none is lost, whatever others write and servers answer."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import lance
import pyarrow as pa
import pytest

from services.storage.core.changing.assigning import Assignment
from services.storage.core.changing.changes import TableChanges
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables import commits
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import Operation, TableInfo
from tests.s3_servers import GoneAtCommit, LosingAnswers, new_bucket, s3_server
from thanosql_objects.opening import open_place
from thanosql_runtime.errors import Reason, ThanosqlError

both_homes = pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)
SCHEMA = pa.schema([("writer", pa.int64()), ("number", pa.int64())])


def rows(writer: int, *numbers: int) -> Rows:
    columns = [pa.array([writer] * len(numbers), pa.int64()), pa.array(numbers, pa.int64())]
    return Rows(SCHEMA, [pa.record_batch(columns, schema=SCHEMA)])


def kept(tables: Tables) -> list[tuple[int, int]]:
    return sorted((row["writer"], row["number"]) for row in tables.dataset("t").to_table().to_pylist())


class MeanwhileAt:
    """Another process in the middle of a change: it acts when the rows of the change are read."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act

    def rows(self, writer: int, *numbers: int) -> Rows:
        def batches() -> Iterator[pa.RecordBatch]:
            yield from rows(writer, *numbers).reader()
            self._act()

        return Rows(SCHEMA, batches())


@both_homes
def test_two_processes_append_at_once_and_both_are_kept(home: TableHome) -> None:
    ours, theirs = Tables(home), Tables(home)
    ours.create("t", rows(0))
    other = MeanwhileAt(lambda: theirs.append("t", rows(2, 1)))
    assert ours.append("t", other.rows(1, 1)).row_count == 2
    assert kept(ours) == [(1, 1), (2, 1)]


@both_homes
def test_a_name_that_another_process_took_first_is_refused(home: TableHome) -> None:
    ours, theirs = Tables(home), Tables(home)
    other = MeanwhileAt(lambda: theirs.create("t", rows(2, 1)))
    with pytest.raises(ThanosqlError, match="write CREATE OR REPLACE TABLE") as caught:
        ours.create("t", other.rows(1, 1))
    assert caught.value.reason is Reason.TABLE_ALREADY_EXISTS
    assert kept(ours) == [(2, 1)]
    with pytest.raises(ThanosqlError, match=r"use OPTIONS \(overwrite=True\)"):
        ours.create("t", rows(1, 1), Operation.COPY)


@both_homes
def test_a_table_that_another_process_made_first_can_be_replaced(home: TableHome) -> None:
    ours, theirs = Tables(home), Tables(home)
    other = MeanwhileAt(lambda: theirs.create("t", rows(2, 1)))
    ours.replace("t", other.rows(1, 1))
    assert kept(theirs) == [(1, 1)]


@both_homes
def test_rows_for_a_table_that_is_replaced_meanwhile_are_refused_whole(home: TableHome) -> None:
    ours, theirs = Tables(home), Tables(home)
    ours.create("t", rows(0, 1))
    other = MeanwhileAt(lambda: theirs.replace("t", rows(2, 1)))
    with pytest.raises(ThanosqlError, match="run it again") as caught:
        ours.append("t", other.rows(1, 1))
    assert caught.value.reason is Reason.CONFLICT
    assert kept(ours) == [(2, 1)]


@both_homes
def test_an_update_keeps_rows_that_another_process_adds_meanwhile(home: TableHome) -> None:
    ours, theirs = Tables(home), Tables(home)
    ours.create("t", rows(0, 1, 2))
    before = ours.dataset("t")
    theirs.append("t", rows(2, 7))
    ours.rewrite("t", before, rows(1, 1, 2), Operation.UPDATE)
    assert kept(theirs) == [(1, 1), (1, 2), (2, 7)]


@both_homes
def test_an_update_is_computed_again_when_its_rows_were_changed_meanwhile(
    home: TableHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = Tables(home), Tables(home)
    ours.create("t", rows(0, 1, 2))
    rewrite = ours.rewrite
    outrun = iter([True])

    def outrun_once(*arguments: object) -> object:
        if next(outrun, False):
            changes_of(theirs).delete("t", "number = 1")
        return rewrite(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ours, "rewrite", outrun_once)
    assert changes_of(ours).update("t", [Assignment(column="writer", expression="9")]) == 1
    assert kept(ours) == [(9, 2)]


@both_homes
def test_a_replacement_that_is_outrun_is_made_from_the_newest_version_at_once(
    home: TableHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = Tables(home), Tables(home)
    ours.create("t", rows(0, 1))
    clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _s: pytest.fail("it waited"))
    monkeypatch.setattr(commits, "time", clock)
    version, outrun = ours.version, iter([True])

    def outrun_once(name: str) -> int:
        found = version(name)
        if next(outrun, False):
            theirs.append("t", rows(2, 1))
        return found

    monkeypatch.setattr(ours, "version", outrun_once)
    assert ours.replace("t", rows(1, 1)).version == 3
    assert kept(theirs) == [(1, 1)]


@both_homes
def test_a_version_is_replaced_only_while_it_is_the_newest(home: TableHome) -> None:
    ours, theirs = Tables(home), Tables(home)
    ours.create("t", rows(0, 1))
    read = ours.dataset("t")
    other = MeanwhileAt(lambda: theirs.append("t", rows(2, 1)))
    with pytest.raises(ThanosqlError, match="nothing was changed") as caught:
        ours.replace_version("t", read, other.rows(1, 1), Operation.COPY)
    assert caught.value.reason is Reason.CONFLICT
    assert kept(ours) == [(0, 1), (2, 1)]
    assert ours.replace_version("t", ours.dataset("t"), rows(1, 1), Operation.COPY).version == 3


def changes_of(tables: Tables) -> TableChanges:
    return TableChanges(tables, QueryEngine(tables))


@pytest.mark.parametrize("action", ["create", "append", "replace", "delete"])
def test_a_commit_whose_answer_is_lost_happens_once(action: str) -> None:
    losing = LosingAnswers(0)
    with s3_server(losing) as endpoint:
        settings = new_bucket(endpoint)
        tables = Tables(TableHome(open_place(settings, f"{settings.uri}/tables")))
        if action != "create":
            tables.create("t", rows(0, 1))
        losing.left = 1
        expected = {"create": [(1, 2)], "append": [(0, 1), (1, 2)], "replace": [(1, 2)], "delete": []}
        if action == "delete":
            assert changes_of(tables).delete("t") == 1
        else:
            getattr(tables, action)("t", rows(1, 2))
        assert losing.left < 0
        assert kept(tables) == expected[action]


ALTERED = {"add": ["writer", "number", "c"], "drop": ["writer"], "rename": ["writer", "c"]}


def alter(changes: TableChanges, verb: str) -> TableInfo:
    return {
        "add": lambda: changes.add_column("t", "c", "INT"),
        "drop": lambda: changes.drop_column("t", "number"),
        "rename": lambda: changes.rename_column("t", "number", "c"),
    }[verb]()


@pytest.mark.parametrize("verb", list(ALTERED))
def test_a_change_of_columns_whose_answer_is_lost_happens_once(verb: str) -> None:
    losing = LosingAnswers(0)
    with s3_server(losing) as endpoint:
        settings = new_bucket(endpoint)
        tables = Tables(TableHome(open_place(settings, f"{settings.uri}/tables")))
        tables.create("t", rows(0, 1))
        losing.left = 1
        assert [column.name for column in alter(changes_of(tables), verb).columns] == ALTERED[verb]
        assert losing.left < 0
        assert tables.describe("t").version == 2


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("verb", ["add", "update"])
def test_a_change_that_meets_an_outage_at_its_commit_says_that_nobody_knows(verb: str, keeps: bool) -> None:
    server = GoneAtCommit(keeps=keeps)
    with s3_server(server) as endpoint:
        settings = new_bucket(endpoint).model_copy(update={"timeout_s": 1.0})
        tables = Tables(TableHome(open_place(settings, f"{settings.uri}/tables")))
        tables.create("t", rows(0, 1))
        changes = changes_of(tables)
        assignment = Assignment(column="number", expression="2")
        server.armed = True
        with pytest.raises(ThanosqlError, match="is not known") as caught:
            changes.update("t", [assignment]) if verb == "update" else alter(changes, verb)
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert caught.value.metadata["outcome"] == "unknown"
        assert "nothing was changed" not in caught.value.message
        server.gone = False
        assert tables.describe("t").version == (2 if keeps else 1)


@pytest.mark.parametrize("failure", [OSError("LanceError(IO): it is away"), RuntimeError("it is away")])
def test_a_commit_that_cannot_be_looked_for_afterwards_is_of_unknown_outcome(
    home: TableHome, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    tables = Tables(home)
    tables.create("t", rows(0, 1))

    def away(*_arguments: object, **_options: object) -> object:
        raise failure

    monkeypatch.setattr(lance.LanceDataset, "commit", away)
    monkeypatch.setattr(lance.LanceDataset, "get_transactions", away)
    with pytest.raises(ThanosqlError, match="is not known") as caught:
        tables.append("t", rows(1, 2))
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert caught.value.metadata["outcome"] == "unknown"


@both_homes
def test_a_table_that_another_process_drops_while_it_is_restored_is_not_found(home: TableHome) -> None:
    ours, theirs = Tables(home), Tables(home)
    ours.create("t", rows(0, 1))
    ours.replace("t", rows(0, 2))
    theirs.drop("t")
    with pytest.raises(ThanosqlError, match="'t'") as caught:
        ours.restore("t", 1)
    assert caught.value.reason is Reason.TABLE_NOT_FOUND
    theirs.create("t", rows(0, 3))
    with pytest.raises(ThanosqlError, match="cannot be restored") as caught:
        ours.restore("t", 2)
    assert caught.value.reason is Reason.TABLE_NOT_FOUND
    assert kept(ours) == [(0, 3)]
