"""Recordings in keeping stay while any version of any table names them, and go a week after that."""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.keeping import naming
from services.storage.core.keeping.digests import Digests
from services.storage.core.keeping.keepers import Keepers
from services.storage.core.keeping.naming import NamedRecordings
from services.storage.core.keeping.recordings import KeptRecordings
from services.storage.core.reconciling.kept_audio import KeptAudio
from services.storage.core.reconciling.ledger import Ledger
from services.storage.core.reconciling.leftovers import LeftoverKind
from services.storage.core.reconciling.reconciliation import Reconciliation
from services.storage.core.tables.homes import TableHome, directory_home
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from tests.s3_servers import new_bucket
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.kept_audio import kept_audio_key
from thanosql_objects.opening import Place, directory_place, open_objects, open_place
from thanosql_objects.ports import ObjectStore
from thanosql_objects.workspace import Workspace

WEEK_S = 168 * 3600.0
HOUR_S = 3600.0


@dataclass(kw_only=True)
class World:
    """A store of recordings, the tables that name them, and a clock that is turned by hand."""

    store: ObjectStore
    place: Place
    root: Path
    now_s: float = 2_000_000_000.0

    def __post_init__(self) -> None:
        self.tables = Tables(TableHome(self.place))
        self.snapshots = Tables(directory_home(self.root / "snapshots"))
        self.restart()

    def restart(self) -> None:
        keepers = Keepers(self.store, self.place.store)
        homes = (TableHome(self.place), directory_home(self.root / "snapshots"))
        named = NamedRecordings(self.root / "named.sqlite", homes)
        digests = Digests(self.root / "digests.sqlite")
        workspace = Workspace(LocalDirectory(self.root), self.store)
        self.recordings = KeptRecordings(workspace, self.store, digests, keepers, lambda: self.now_s)
        source = KeptAudio(self.store, self.recordings, named, keepers, lambda: self.now_s)
        self.reconciliation = Reconciliation((source,), (), Ledger(self.store), WEEK_S, lambda: self.now_s)

    def keep(self, letter: str) -> str:
        key = kept_audio_key(letter * 64, "FLAC")
        self.store.write(key, [letter.encode()])
        return key

    def name(self, table: str, *keys: str) -> None:
        rows = pa.table({"n": list(range(len(keys))), "audio_path": list(keys)})
        self.tables.replace(table, Rows(rows.schema, rows.to_batches()))

    def round(self, later_s: float = 0.0) -> int:
        """Go round, and return how many lists of unnamed recordings there are."""
        self.now_s += later_s
        tallies = self.reconciliation.run().tallies
        return tallies[LeftoverKind.KEPT_AUDIO].found if tallies else 0

    def kept(self) -> list[str]:
        return [info.key for info in self.store.walk("audio/")]


@pytest.fixture(params=["directory", "bucket"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "directory":
        store: ObjectStore = LocalDirectory(tmp_path / "objects")
        return World(store=store, place=directory_place(tmp_path / "tables"), root=tmp_path)
    settings = new_bucket(request.getfixturevalue("s3_endpoint"))
    place = open_place(settings, f"{settings.uri}/tables")
    return World(store=open_objects(settings).store, place=place, root=tmp_path)


def test_recordings_that_tables_name_stay(world: World) -> None:
    keys = [world.keep("a"), world.keep("b")]
    world.name("t", *keys)
    assert world.round() == 0
    assert world.round(2 * WEEK_S) == 0
    assert world.kept() == keys


def test_a_recording_without_a_name_goes_after_a_week(world: World) -> None:
    named, unnamed = world.keep("a"), world.keep("b")
    world.name("t", named)
    assert world.round() == 1
    assert world.round(WEEK_S - HOUR_S) == 1
    assert world.kept() == [named, unnamed]
    assert world.round(2 * HOUR_S) == 0
    assert world.kept() == [named]
    assert list(world.store.walk("catalog/unnamed_audio/")) == []


def test_a_version_that_nobody_reads_any_more_names_recordings_too(world: World) -> None:
    old, new = world.keep("a"), world.keep("b")
    world.name("t", old)
    world.name("t", new)
    assert world.round() == 0
    world.tables.clean("t", [1])
    assert world.round() == 1
    world.round(WEEK_S)
    assert world.kept() == [new]


def test_the_recordings_of_a_dropped_table_go_and_those_that_another_names_stay(world: World) -> None:
    both, one = world.keep("a"), world.keep("b")
    world.name("t", both, one)
    world.name("u", both)
    world.tables.drop("t")
    world.round()
    world.round(WEEK_S)
    assert world.kept() == [both]


def test_rows_that_are_kept_for_a_job_name_recordings(world: World) -> None:
    key = world.keep("a")
    rows = pa.table({"audio_path": [key]})
    world.snapshots.create("job", Rows(rows.schema, rows.to_batches()))
    world.round()
    world.round(WEEK_S)
    assert world.kept() == [key]


@pytest.mark.parametrize("shape", ["list", "structure", "within a text"])
def test_a_key_counts_wherever_it_stands(world: World, shape: str) -> None:
    key = world.keep("a")
    values = {"list": [[key]], "structure": [{"deep": [{"path": key}]}], "within a text": [json.dumps([key])]}
    rows = pa.table({"x": values[shape]})
    world.tables.create("t", Rows(rows.schema, rows.to_batches()))
    assert world.round() == 0


@pytest.mark.parametrize(
    ("usual", "written"),
    [("/", "\\"), ("/", "//"), ("/", "/./"), ("audio/", "./audio/./"), ("/", "\\/"), ("/", "\\\\.\\")],
)
def test_a_key_counts_however_a_path_may_be_written(world: World, usual: str, written: str) -> None:
    key = world.keep("a")
    path = key.replace(usual, written)
    assert Workspace(LocalDirectory(world.root), world.store).exists(path)
    world.name("t", path)
    assert world.round() == 0


def test_names_that_an_older_version_noted_are_looked_for_anew(world: World) -> None:
    key = world.keep("a")
    world.name("t", key)
    world.round()
    with contextlib.closing(sqlite3.connect(world.root / "named.sqlite")) as database, database:
        database.execute("DELETE FROM named")
        database.execute("PRAGMA user_version = 0")
    world.restart()
    assert world.round() == 0


def test_a_recording_that_is_named_again_begins_its_week_anew(world: World) -> None:
    key, other = world.keep("a"), world.keep("b")
    world.round()
    world.name("t", key)
    assert world.round(WEEK_S - HOUR_S) == 1
    world.tables.drop("t")
    assert world.round(2 * HOUR_S) == 1
    assert world.kept() == [key]
    assert other not in world.kept()


def test_a_recording_that_a_copy_met_again_begins_its_week_anew(world: World) -> None:
    if not isinstance(world.store, LocalDirectory):
        pytest.skip("the times of a server cannot be set")
    key = world.keep("a")
    os.utime(world.store.path(key), (1e9, 1e9))
    world.round()
    assert world.store.touch(key)
    world.round(WEEK_S)
    assert world.kept() == [key]


def test_nothing_is_removed_while_a_copy_is_at_work(world: World) -> None:
    world.keep("a")
    world.round()
    with world.recordings.copying():
        world.round(WEEK_S)
        assert len(world.kept()) == 1
    world.round(HOUR_S)
    assert world.kept() == []


def test_a_restart_forgets_nothing_and_reads_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    named, _ = world.keep("a"), world.keep("b")
    world.name("t", named)
    world.round()
    world.restart()
    monkeypatch.setattr("services.storage.core.keeping.naming._named_in", lambda *_: pytest.fail("read"))
    world.round(WEEK_S)
    assert world.kept() == [named]


def test_a_lost_or_damaged_memory_of_names_is_made_anew(world: World) -> None:
    named = world.keep("a")
    world.name("t", named)
    world.round()
    (world.root / "named.sqlite").write_bytes(b"no database" * 1000)
    world.round(WEEK_S)
    world.round(WEEK_S)
    assert world.kept() == [named]


def test_nothing_goes_where_the_tables_of_others_name_recordings_too(world: World) -> None:
    world.keep("a")
    with world.recordings.copying():
        pass
    world.round()
    Keepers(world.store, LocalDirectory(world.root / "elsewhere")).join()
    world.round(WEEK_S)
    assert len(world.kept()) == 1


@pytest.mark.parametrize("kept", [b"damaged", b"", None])
def test_a_table_that_cannot_be_read_keeps_everything(world: World, kept: bytes | None) -> None:
    world.keep("a")
    world.round()
    world.name("t", "no recording")
    file = next(info.key for info in world.place.store.walk("t.lance/data/"))
    # The footer says where the columns are described; at such a place Lance panics.
    whole = world.place.store.read(file)
    world.place.store.write(file, [whole[:-40] + bytes(8) + whole[-32:] if kept is None else kept])
    world.round(WEEK_S)
    assert len(world.kept()) == 1


def test_long_texts_are_looked_through_a_few_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key = world.keep("a")
    texts = [os.urandom(20_000).hex() for _ in range(600)]
    world.name("t", *texts, key)
    sizes = []
    look_through = naming._digests

    def measured(texts: pa.Array) -> Iterator[str]:
        sizes.append(texts.get_total_buffer_size())
        return look_through(texts)

    monkeypatch.setattr(naming, "_digests", measured)
    assert world.round() == 0
    assert max(sizes) < 20 << 20


def test_the_memory_of_names_can_be_written_while_a_file_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world.name("t", world.keep("a"))
    look_through = naming._digests

    def written(texts: pa.Array) -> Iterator[str]:
        path = world.root / "named.sqlite"
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as other, other:
            other.execute("INSERT INTO files (uri) VALUES ('of another process')")
        return look_through(texts)

    monkeypatch.setattr(naming, "_digests", written)
    assert world.round() == 0
    assert "not_reconciled" not in capsys.readouterr().out


def test_lists_that_go_in_one_round_share_a_look_at_the_tables(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.core.reconciling.kept_audio._MOST", 1)
    named = world.keep("a")
    for letter in "bcd":
        world.keep(letter)
    world.name("t", named)
    assert world.round() == 3
    looks = []
    refresh = naming.Look.refresh
    monkeypatch.setattr(naming.Look, "refresh", lambda look: (looks.append(look), refresh(look)))
    world.round(WEEK_S)
    assert world.kept() == [named]
    assert len(looks) == 2  # One to compare, and one for all that are removed.


def test_files_that_are_no_recordings_in_keeping_are_left_alone(world: World) -> None:
    world.store.write("audio/sha256/notes.txt", [b"mine"])
    assert world.round() == 0
