"""Rows that COPY could not read: where they are, with what they came, and what a death leaves of them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from services.storage.core.changing.assigning import Assignment
from services.storage.core.changing.changes import TableChanges
from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.names import fold
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.left_out import LeftOutRows, new_copy
from services.storage.core.tables.listing import TableListing
from services.storage.core.tables.quarantines import QUARANTINE, Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import CopyMark, CopyOutcome, IfExists, Operation, TableInfo
from thanosql_runtime.errors import Reason, ThanosqlError, error

Select = Callable[[str], list[dict[str, object]]]
Copy = Callable[..., CopyOutcome]
HalfDone = Callable[..., None]
Between = Callable[..., None]

pytestmark = pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)


@pytest.fixture
def quarantines(tables: Tables) -> Quarantines:
    return Quarantines(tables)


@pytest.fixture
def copy(copying: CopyCommand, files: Path) -> Copy:
    def run(content: str, if_exists: IfExists = IfExists.FAIL, name: str = "t.csv") -> CopyOutcome:
        (files / name).write_text(content)
        return copying.run(CopyRequest(table="T", source=name, if_exists=if_exists), lambda _: None)

    return run


def raws(select: Select) -> list[object]:
    return [row["raw"] for row in select("SELECT raw FROM t_quarantine")]


def test_a_bad_row_is_kept_with_its_place_and_its_text(copy: Copy, select: Select) -> None:
    outcome = copy('a,b\n1,2\n"x\ny",2,3\n4\n')
    assert (outcome.rows_copied, outcome.rows_quarantined) == (1, 2)
    assert outcome.table.quarantine == "t_quarantine"
    rows = select(
        "SELECT source, line, reason, message, raw, copy_time IS NOT NULL AS dated FROM t_quarantine"
    )
    assert rows == [
        {
            "source": "t.csv", "line": 3, "reason": "INVALID_DATA", "dated": True,
            "message": "3 fields where the header has 2", "raw": '"x\ny",2,3',
        },
        {
            "source": "t.csv", "line": 5, "reason": "INVALID_DATA", "dated": True,
            "message": "1 field where the header has 2", "raw": "4",
        },
    ]  # fmt: skip


def test_every_bad_row_is_kept(copy: Copy, select: Select) -> None:
    copy("a,b\n1,2\n" + "".join(f"{number}\n" for number in range(5000)))
    counted = "SELECT count(*) AS n, min(line) AS first, max(line) AS last FROM t_quarantine"
    assert select(counted) == [{"n": 5000, "first": 3, "last": 5002}]


def test_the_quarantine_is_replaced_and_added_to_with_its_table(copy: Copy, select: Select) -> None:
    copy("a,b\n1,2\nfirst\n")
    copy("a,b\n1,2\nsecond\n", IfExists.APPEND)
    assert raws(select) == ["first", "second"]
    copy("a,b\n1,2\n", IfExists.APPEND)
    assert raws(select) == ["first", "second"]
    copy("a,b\n1,2\nthird\n", IfExists.REPLACE)
    assert raws(select) == ["third"]


def test_a_replacement_without_bad_rows_has_no_quarantine(copy: Copy, tables: Tables) -> None:
    copy("a,b\n1,2\nbad\n")
    assert copy("a,b\n1,2\n", IfExists.REPLACE).table.quarantine == ""
    assert tables.names() == ["t"]


def test_dropping_a_table_drops_its_quarantine(copy: Copy, quarantines: Quarantines, tables: Tables) -> None:
    copy("a,b\n1,2\nbad\n")
    assert quarantines.drop("T")
    assert tables.names() == []
    assert not quarantines.drop("t")


def test_a_quarantine_is_told_with_its_table(copy: Copy, quarantines: Quarantines, tables: Tables) -> None:
    copy("a,b\n1,2\nbad\n")
    listing = TableListing(tables, quarantines)
    page = listing.page()
    assert [(table.name, table.quarantine) for table in page.tables] == [("t", "t_quarantine")]
    assert quarantines.describe("t_quarantine").row_count == 1
    tables.drop("t")
    assert [table.name for table in listing.page().tables] == ["t_quarantine"]


def test_a_table_of_the_user_is_not_taken_for_a_quarantine(
    copy: Copy, tables: Tables, quarantines: Quarantines
) -> None:
    own = pa.table({"raw": ["mine"]})
    tables.create("t_quarantine", Rows(own.schema, own.to_batches()))
    assert copy("a,b\n1,2\n").table.quarantine == ""
    with pytest.raises(ThanosqlError) as caught:
        copy("a,b\n1,2\nbad\n", IfExists.REPLACE)
    assert caught.value.reason is Reason.TABLE_ALREADY_EXISTS
    assert "t_quarantine" in caught.value.message
    assert tables.describe("t").version == 1
    assert quarantines.drop("t")
    assert tables.dataset("t_quarantine").to_table().equals(own)


def test_a_table_whose_quarantine_has_too_long_a_name_is_refused_before_it_is_made(
    tables: Tables, quarantines: Quarantines
) -> None:
    name = "n" * 195
    bad = Rows(QUARANTINE, pa.Table.from_pylist([{"raw": "bad"}], QUARANTINE).to_batches())
    with pytest.raises(ThanosqlError) as caught:
        copied(tables, quarantines, name, bad)
    assert caught.value.reason is Reason.INVALID_NAME
    assert not tables.exists(name)
    assert copied(tables, quarantines, name, None).quarantine == ""


def copied(tables: Tables, quarantines: Quarantines, name: str, bad: Rows | None) -> TableInfo:
    good = pa.table({"a": [1]})
    return quarantines.commit(
        name,
        bad,
        lambda copy: tables.create(name, Rows(good.schema, good.to_batches()), Operation.COPY, copy),
        keep=False,
    )


def test_a_file_of_another_kind_among_the_rows_left_out_stops_no_copy(
    copy: Copy, home: TableHome, select: Select, tmp_path: Path
) -> None:
    (tmp_path / "readme").write_text("of somebody else")
    home.store.upload_from(home.left_out_folder("t_quarantine") + "readme.txt", tmp_path / "readme")
    copy("a,b\n1,2\nbad\n")
    assert raws(select) == ["bad"]


def test_a_copy_of_a_quarantine_is_a_table_of_the_user(
    copy: Copy, tables: Tables, quarantines: Quarantines
) -> None:
    copy("a,b\n1,2\nbad\n")
    kept = tables.dataset("t_quarantine").to_table()
    tables.create("mine", Rows(kept.schema, kept.to_batches()))
    tables.create("mine_quarantine", Rows(kept.schema, kept.to_batches()))
    listed = {table.name: table.quarantine for table in TableListing(tables, quarantines).page().tables}
    assert listed == {"mine": "", "mine_quarantine": "", "t": "t_quarantine"}
    assert quarantines.drop("mine")
    assert Quarantines(tables).recover() == []
    assert tables.describe("mine_quarantine").row_count == 1


def test_a_quarantine_with_other_columns_is_a_table_of_the_user(
    copy: Copy, tables: Tables, changes: TableChanges, quarantines: Quarantines
) -> None:
    copy("a,b\n1,2\nbad\n")
    changes.add_column("t_quarantine", "mended", "BOOLEAN")
    assert quarantines.drop("t")
    assert Quarantines(tables).recover() == []
    copy("a,b\n1,2\n")
    assert tables.describe("t_quarantine").row_count == 1


@pytest.mark.parametrize("change", ["UPDATE", "DELETE", "RESTORE"])
def test_a_quarantine_that_the_user_changed_goes_on(
    copy: Copy, tables: Tables, changes: TableChanges, select: Select, change: str
) -> None:
    copy("a,b\n1,2\nfirst\n")
    if change == "UPDATE":
        changes.update("t_quarantine", [Assignment(column="raw", expression="'mended'")])
    else:
        changes.delete("t_quarantine", "line = 3")
    if change == "RESTORE":
        tables.restore("t_quarantine", 1)
    copy("a,b\n1,2\nsecond\n", IfExists.APPEND)
    assert raws(select) == {"UPDATE": ["mended"], "DELETE": [], "RESTORE": ["first"]}[change] + ["second"]


class TestAQuarantineThatCannotBeDropped:
    """Its table is changed already, so that the statement has done what it says."""

    @pytest.fixture
    def stuck(
        self, copy: Copy, quarantines: Quarantines, tables: Tables, monkeypatch: pytest.MonkeyPatch
    ) -> pytest.MonkeyPatch:
        drop = tables.drop

        def fail(name: str) -> bool:
            if name == "t_quarantine":
                raise error(Reason.STORE_UNAVAILABLE, "the store is away")
            return drop(name)

        copy("a,b\n1,2\nbad\n")
        monkeypatch.setattr(tables, "drop", fail)
        return monkeypatch

    def test_is_dropped_at_the_next_start(
        self, copy: Copy, tables: Tables, stuck: pytest.MonkeyPatch
    ) -> None:
        assert copy("a,b\n3,4\n5,6\n", IfExists.REPLACE).table.row_count == 2
        stuck.undo()
        assert Quarantines(tables).recover() == ["t"]
        assert tables.names() == ["t"]
        assert Quarantines(tables).recover() == []

    def test_is_dropped_at_the_next_start_after_its_table(
        self, quarantines: Quarantines, tables: Tables, stuck: pytest.MonkeyPatch
    ) -> None:
        assert quarantines.drop("t")
        stuck.undo()
        assert Quarantines(tables).recover() == ["t"]
        assert tables.names() == []

    def test_is_not_inherited_by_the_next_table_of_the_name(
        self, copy: Copy, quarantines: Quarantines, tables: Tables, stuck: pytest.MonkeyPatch
    ) -> None:
        assert quarantines.drop("t")
        with pytest.raises(ThanosqlError, match="the store is away"):
            copy("a,b\n3,4\n")
        assert not tables.exists("t")
        stuck.undo()
        assert copy("a,b\n3,4\n").table.quarantine == ""
        assert tables.names() == ["t"]

    def test_takes_the_rows_of_the_next_copy(
        self, copy: Copy, select: Select, stuck: pytest.MonkeyPatch
    ) -> None:
        copy("a,b\n3,4\n", IfExists.REPLACE)
        stuck.undo()
        copy("a,b\n3,4\nnext\n", IfExists.APPEND)
        assert raws(select) == ["next"]


def test_a_quarantine_that_the_user_emptied_stays(copy: Copy, changes: TableChanges, tables: Tables) -> None:
    copy("a,b\n1,2\nbad\n")
    changes.delete("t_quarantine")
    assert Quarantines(tables).recover() == []
    assert tables.names() == ["t", "t_quarantine"]


def test_a_copy_without_a_readable_row_changes_nothing(copy: Copy, tables: Tables) -> None:
    copy("a,b\n1,2\n")
    with pytest.raises(ThanosqlError) as caught:
        copy("a,b\n1;2\n3;4\n", IfExists.REPLACE)
    assert caught.value.reason is Reason.INVALID_DATA
    assert "no row of 't.csv' can be read (2 tried)" in caught.value.message
    assert "line 2: 1 field where the header has 2" in caught.value.message
    assert (tables.names(), tables.describe("t").row_count) == (["t"], 1)


class TestAHalfDoneCopy:
    """The rows are put aside, and the table is committed or not: what a death leaves, or finds, of it."""

    @pytest.fixture
    def half_done(self, tables: Tables, copying: CopyCommand, files: Path) -> HalfDone:
        def run(raw: str, if_exists: IfExists, *, committed: bool) -> None:
            (files / "half.csv").write_text(f"a,b\n7,8\n{raw}\n")
            with pytest.MonkeyPatch.context() as patch:
                for way in ("create", "replace", "append"):
                    patch.setattr(tables, way, dying(getattr(tables, way), committed=committed))
                with pytest.raises(_DeathError):
                    copying.run(
                        CopyRequest(table="t", source="half.csv", if_exists=if_exists), lambda _: None
                    )

        return run

    @pytest.mark.parametrize("if_exists", [IfExists.APPEND, IfExists.REPLACE])
    def test_that_did_not_commit_its_table_leaves_no_sign(
        self, copy: Copy, tables: Tables, half_done: HalfDone, select: Select, if_exists: IfExists
    ) -> None:
        copy("a,b\n1,2\nold\n")
        half_done("new", if_exists, committed=False)
        assert raws(select) == ["old"]
        assert Quarantines(tables).recover() == []
        copy("a,b\n1,2\nnext\n", IfExists.APPEND)
        assert raws(select) == ["old", "next"]

    def test_of_a_new_table_leaves_nothing(self, tables: Tables, half_done: HalfDone) -> None:
        half_done("new", IfExists.FAIL, committed=False)
        assert tables.names() == []
        assert Quarantines(tables).recover() == []
        assert TableListing(tables, Quarantines(tables)).page().tables == ()

    @pytest.mark.parametrize(
        ("if_exists", "kept"), [(IfExists.APPEND, ["old", "new"]), (IfExists.REPLACE, ["new"])]
    )
    def test_that_committed_its_table_is_finished_at_the_next_start(
        self,
        copy: Copy,
        tables: Tables,
        half_done: HalfDone,
        select: Select,
        if_exists: IfExists,
        kept: list[str],
    ) -> None:
        copy("a,b\n1,2\nold\n")
        half_done("new", if_exists, committed=True)
        assert raws(select) == ["old"]
        assert Quarantines(tables).recover() == ["t"]
        assert raws(select) == kept
        assert Quarantines(tables).recover() == []
        assert raws(select) == kept

    def test_is_finished_before_the_next_copy_too(
        self, copy: Copy, half_done: HalfDone, select: Select
    ) -> None:
        half_done("first", IfExists.FAIL, committed=True)
        half_done("second", IfExists.APPEND, committed=True)
        copy("a,b\n1,2\nnext\n", IfExists.APPEND)
        assert raws(select) == ["first", "second", "next"]

    def test_is_not_finished_for_another_table_of_the_name(
        self, make: Callable[..., None], tables: Tables, half_done: HalfDone
    ) -> None:
        half_done("new", IfExists.FAIL, committed=True)
        tables.drop("t")
        make("t", pa.table({"x": [1]}))
        assert Quarantines(tables).recover() == []
        assert tables.names() == ["t"]

    @pytest.mark.parametrize("if_exists", [IfExists.APPEND, IfExists.REPLACE])
    def test_because_the_table_failed_leaves_no_sign(
        self,
        copy: Copy,
        copying: CopyCommand,
        files: Path,
        tables: Tables,
        select: Select,
        if_exists: IfExists,
    ) -> None:
        copy("a,b\n1,2\nold\n")
        (files / "more.csv").write_text("a,b\n3,4\nnew\n")

        def stop_at_the_commit(_progress: object) -> None:
            # The reports that come from within the commit of the table.
            if tables.left_out.waiting("t_quarantine"):
                raise error(Reason.CANCELLED, "stop")

        request = CopyRequest(table="t", source="more.csv", if_exists=if_exists)
        with pytest.raises(ThanosqlError, match="stop"):
            copying.run(request, stop_at_the_commit)
        assert raws(select) == ["old"]
        assert tables.left_out.waiting("t_quarantine") == []
        assert (tables.describe("t").row_count, tables.describe("t").version) == (1, 1)

    @pytest.mark.parametrize("committed", [True, False])
    def test_is_decided_for_good_after_a_day(
        self, home: TableHome, copy: Copy, half_done: HalfDone, select: Select, committed: bool
    ) -> None:
        copy("a,b\n1,2\nold\n")
        half_done("new", IfExists.APPEND, committed=committed)
        later = Tables(home)
        assert len(later.left_out.waiting("t_quarantine")) == 1
        later.left_out = LeftOutRows(home, clock=lambda: time.time() + 2 * 86_400)
        assert Quarantines(later).recover() == ["t"] * committed
        assert later.left_out.waiting("t_quarantine") == []
        assert raws(select) == ["old"] + ["new"] * committed

    def test_is_looked_for_in_each_version_once(
        self, copy: Copy, tables: Tables, half_done: HalfDone, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy("a,b\n1,2\nold\n")
        half_done("new", IfExists.APPEND, committed=False)
        copies_since, asked = tables.copies_since, list[int]()

        def noted(name: str, version: int) -> tuple[int, list[CopyMark]]:
            asked.append(version)
            return copies_since(name, version)

        monkeypatch.setattr(tables, "copies_since", noted)
        quarantines = Quarantines(tables)
        quarantines.recover()
        rows = pa.table({"a": [5], "b": [6]})
        tables.append("t", Rows(rows.schema, rows.to_batches()))
        quarantines.recover()
        quarantines.recover()
        assert asked == [1, 1, 2]


class TestAnotherProcess:
    """It has locks of its own, and comes between the two commits of a COPY."""

    @pytest.fixture
    def between(self, home: TableHome, tables: Tables, monkeypatch: pytest.MonkeyPatch) -> Between:
        """Let another process act before the commit of the table, or behind it."""

        def act(action: Callable[[Tables], object], *, committed: bool) -> None:
            append = tables.append

            def acted(*args: Any) -> TableInfo:
                monkeypatch.undo()
                if not committed:
                    action(Tables(home))
                table = append(*args)
                if committed:
                    action(Tables(home))
                return table

            monkeypatch.setattr(tables, "append", acted)

        return act

    @pytest.mark.parametrize("committed", [False, True])
    def test_that_starts_takes_nothing_back(
        self, copy: Copy, select: Select, between: Between, committed: bool
    ) -> None:
        copy("a,b\n1,2\nold\n")
        between(lambda other: Quarantines(other).recover(), committed=committed)
        assert copy("a,b\n1,2\nnew\n", IfExists.APPEND).table.quarantine == "t_quarantine"
        assert raws(select) == ["old", "new"]

    @pytest.mark.parametrize("committed", [False, True])
    def test_that_copies_loses_no_row_and_repeats_none(
        self, home: TableHome, copy: Copy, select: Select, between: Between, committed: bool
    ) -> None:
        def copy_too(other: Tables) -> None:
            rows = pa.table({"a": [5], "b": [6]})
            left_out = pa.Table.from_pylist([{"raw": "theirs"}], schema=QUARANTINE)
            Quarantines(other).commit(
                "t",
                Rows(left_out.schema, left_out.to_batches()),
                lambda mark: other.append(
                    "t", Rows(rows.schema, rows.to_batches()), (), Operation.COPY, mark
                ),
                keep=True,
            )

        copy("a,b\n1,2\nold\n")
        between(copy_too, committed=committed)
        copy("a,b\n3,4\nours\n", IfExists.APPEND)
        assert sorted(map(str, raws(select))) == ["old", "ours", "theirs"]
        assert len(select("SELECT * FROM t")) == 3

    def test_that_writes_does_not_keep_the_rows_of_a_copy_that_failed(
        self, copy: Copy, tables: Tables, select: Select, monkeypatch: pytest.MonkeyPatch, home: TableHome
    ) -> None:
        def fail(name: str, *_: object) -> TableInfo:
            rows = pa.table({"a": [5], "b": [6]})
            Tables(home).append(name, Rows(rows.schema, rows.to_batches()))
            raise error(Reason.CONFLICT, "another was quicker")

        copy("a,b\n1,2\nold\n")
        with monkeypatch.context() as patch:
            patch.setattr(tables, "append", fail)
            with pytest.raises(ThanosqlError, match="quicker"):
                copy("a,b\n3,4\nnew\n", IfExists.APPEND)
        assert Quarantines(tables).recover() == []
        assert raws(select) == ["old"]

    def test_that_replaces_the_table_takes_nothing_from_a_copy_that_comes_after(
        self, copy: Copy, select: Select, between: Between
    ) -> None:
        copy("a,b\n1,2\nold\n")
        between(_replace_without_bad_rows, committed=False)
        assert copy("a,b\n3,4\nnew\n", IfExists.APPEND).table.quarantine == "t_quarantine"
        assert raws(select) == ["new"]

    def test_that_replaces_the_table_leaves_nothing_of_the_copy_before(
        self, copy: Copy, select: Select, between: Between
    ) -> None:
        copy("a,b\n1,2\n")
        between(_replace_without_bad_rows, committed=True)
        copy("a,b\n3,4\nnew\n", IfExists.APPEND)
        assert select("SELECT * FROM t") == [{"a": 5, "b": 6}]


def test_two_copies_that_died_behind_their_commits_are_both_finished(
    home: TableHome, copy: Copy, tables: Tables, select: Select
) -> None:
    copy("a,b\n1,2\nold\n")
    rows = pa.table({"a": [5], "b": [6]})
    left_out = pa.Table.from_pylist([{"raw": "new"}], schema=QUARANTINE)
    clean, adding = new_copy(keeps=False), new_copy(keeps=True)
    tables.left_out.put("t_quarantine", clean.copy_id, tables.version("t"), Rows(QUARANTINE, ()))
    aside = Rows(QUARANTINE, left_out.to_batches())
    tables.left_out.put("t_quarantine", adding.copy_id, tables.version("t"), aside)
    tables.replace("t", Rows(rows.schema, rows.to_batches()), Operation.COPY, clean)
    tables.append("t", Rows(rows.schema, rows.to_batches()), (), Operation.COPY, adding)
    assert Quarantines(Tables(home)).recover() == ["t"]
    assert raws(select) == ["new"]
    assert Quarantines(Tables(home)).recover() == []


def test_a_table_of_the_user_in_the_place_of_a_quarantine_stops_only_copies_with_bad_rows(
    home: TableHome, copy: Copy, tables: Tables, select: Select
) -> None:
    copy("a,b\n1,2\n")
    rows, left_out = pa.table({"a": [5], "b": [6]}), pa.Table.from_pylist([{"raw": "x"}], schema=QUARANTINE)
    done = new_copy(keeps=True)
    aside = Rows(QUARANTINE, left_out.to_batches())
    tables.left_out.put("t_quarantine", done.copy_id, tables.version("t"), aside)
    tables.append("t", Rows(rows.schema, rows.to_batches()), (), Operation.COPY, done)
    own = pa.table({"mine": [1]})
    tables.create("t_quarantine", Rows(own.schema, own.to_batches()))
    copy("a,b\n3,4\n", IfExists.APPEND)
    assert len(select("SELECT * FROM t")) == 3
    with pytest.raises(ThanosqlError, match="table of another kind"):
        copy("a,b\n3,4\nbad\n", IfExists.APPEND)
    later = Tables(home)
    later.left_out = LeftOutRows(home, clock=lambda: time.time() + 2 * 86_400)
    assert Quarantines(later).recover() == ["t"]
    assert not later.left_out.waiting("t_quarantine")


def test_a_copy_whose_outcome_is_unknown_keeps_its_rows_for_later(
    copy: Copy, tables: Tables, select: Select, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = tables.append

    def landed(*args: Any) -> TableInfo:
        append(*args)
        raise error(Reason.STORE_UNAVAILABLE, "nobody knows", outcome="unknown")

    copy("a,b\n1,2\nold\n")
    with monkeypatch.context() as patch:
        patch.setattr(tables, "append", landed)
        with pytest.raises(ThanosqlError, match="nobody knows"):
            copy("a,b\n3,4\nnew\n", IfExists.APPEND)
    assert Quarantines(tables).recover() == ["t"]
    assert raws(select) == ["old", "new"]


def _replace_without_bad_rows(other: Tables) -> None:
    rows = pa.table({"a": [5], "b": [6]})
    Quarantines(other).commit(
        "t",
        None,
        lambda mark: other.replace("t", Rows(rows.schema, rows.to_batches()), Operation.COPY, mark),
        keep=False,
    )


def dying(write: Callable[..., TableInfo], *, committed: bool) -> Callable[..., TableInfo]:
    """Die at the commit of the table, or behind it; its quarantine is written as ever."""

    def run(name: str, *args: Any) -> TableInfo:
        if fold(name) != "t":
            return write(name, *args)
        if committed:
            write(name, *args)
        raise _DeathError

    return run


class _DeathError(Exception):
    pass
