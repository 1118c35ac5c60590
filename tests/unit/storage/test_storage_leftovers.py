"""What belongs to nothing: told at once, removed when it has not changed for long, and nothing else is."""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from lance.fragment import write_fragments

from services.storage.core.models.holds import ModelHolds
from services.storage.core.models.models import ModelCatalog
from services.storage.core.reconciling.ledger import LEDGER, Ledger
from services.storage.core.reconciling.leftovers import LeftoverKind, ModelFiles, Probes, TableFiles, Uploads
from services.storage.core.reconciling.reconciliation import Reconciliation, Tally
from services.storage.core.reconciling.sweeps import UnusedRows
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import Artefact, ModelKind, ModelVersion
from tests.s3_servers import Application, new_bucket, s3_server
from thanosql_objects.opening import Objects, Place, open_objects, open_place
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, error

WEEK_S = 168 * 3600.0
ROWS = pa.table({"n": [1, 2, 3]})


@dataclass(kw_only=True)
class World:
    """Stores, what is known of them, and a clock that is turned by hand."""

    objects: Objects
    place: Place
    now_s: float = 1_000_000.0
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = TableHome(self.place)
        self.tables = Tables(self.home)
        self.models = ModelCatalog(self.objects.store, ModelHolds(self.objects.store, 60.0))
        self.restart()

    def restart(self) -> None:
        sources = (
            ModelFiles(self.models, self.objects.store),
            TableFiles(LeftoverKind.TABLE_FILES, self.home, self.tables),
            Uploads(self.objects.unfinished, ("",)),
            Probes(self.place.store),
        )
        ledger = Ledger(self.objects.store)
        self.reconciliation = Reconciliation(sources, (), ledger, WEEK_S, lambda: self.now_s)

    def round(self, later_s: float = 0.0) -> dict[LeftoverKind, Tally]:
        self.now_s += later_s
        return dict(self.reconciliation.run().tallies)

    def keys(self, prefix: str = "models/") -> list[str]:
        return [info.key for info in self.objects.store.walk(prefix)]

    def register(self, name: str, key: str, content: bytes) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        artefact = Artefact(
            key=key, name=key.rpartition("/")[2], sha256=sha256, size_bytes=len(content)
        )  # fmt: skip
        model = ModelVersion(name=name, version=0, kind=ModelKind.TRAINED, artefacts=(artefact,))
        self.models.register(model)

    def leave_rows(self, name: str) -> None:
        """Write rows of a table, and die before the commit."""
        where = self.home.table_uri(name)
        write_fragments(
            ROWS, where, mode="create", return_transaction=True, storage_options=self.home.options
        )


class Counting:
    """A server that notes what it is asked."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def __call__(self, application: Application) -> Application:
        def answer(environment, start):  # type: ignore[no-untyped-def]
            self.requests.append(f"{environment['REQUEST_METHOD']} {environment['PATH_INFO']}")
            return application(environment, start)

        return answer


@pytest.fixture(params=["directory", "bucket"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "directory":
        settings = ObjectSettings(uri=str(tmp_path / "objects"))
        yield World(objects=open_objects(settings), place=open_place(settings, str(tmp_path / "tables")))
        return
    counting = Counting()
    with s3_server(counting) as endpoint:
        settings = new_bucket(endpoint)
        place = open_place(settings, f"{settings.uri}/tables")
        yield World(objects=open_objects(settings), place=place, requests=counting.requests)


def test_files_of_a_model_that_was_never_registered_go_after_a_week(world: World) -> None:
    store = world.objects.store
    store.write("models/kept/1/weights", [b"kept"])
    world.register("kept", "models/kept/1/weights", b"kept")
    for name in ("weights", "vocab"):
        store.write(f"models/kept/job7/{name}", [b"lost!"])
    found = Tally(found=1, found_bytes=10)
    assert world.round()[LeftoverKind.MODEL_FILES] == found
    assert world.round(WEEK_S - 1)[LeftoverKind.MODEL_FILES] == found
    assert world.round(1)[LeftoverKind.MODEL_FILES] == Tally(removed=1, removed_bytes=10)
    assert world.keys() == ["models/kept/1/weights"]


def test_a_restart_does_not_begin_the_week_anew_and_a_change_does(world: World) -> None:
    world.objects.store.write("models/m/job/weights", [b"half"])
    world.round()
    world.restart()
    world.objects.store.write("models/m/job/vocab", [b"more"])
    assert world.round(WEEK_S)[LeftoverKind.MODEL_FILES].found == 1
    world.restart()
    assert world.round(WEEK_S)[LeftoverKind.MODEL_FILES].removed == 1
    assert world.keys() == []


def test_what_is_registered_in_time_is_no_leftover(world: World) -> None:
    world.objects.store.write("models/m/job/weights", [b"late"])
    assert world.round()[LeftoverKind.MODEL_FILES].found == 1
    world.register("m", "models/m/job/weights", b"late")
    assert world.round(2 * WEEK_S)[LeftoverKind.MODEL_FILES] == Tally()
    assert world.keys() == ["models/m/job/weights"]


def test_what_is_registered_while_it_is_being_removed_stays(world: World) -> None:
    world.objects.store.write("models/m/job/weights", [b"late"])
    (leftover,) = ModelFiles(world.models, world.objects.store).find()
    world.register("m", "models/m/job/weights", b"late")
    assert not leftover.remove()
    assert world.keys() == ["models/m/job/weights"]


@pytest.mark.parametrize("damage", [b"{", b"{}"])
def test_nothing_of_models_goes_while_the_catalog_cannot_be_read(world: World, damage: bytes) -> None:
    store = world.objects.store
    store.write("models/m/job/weights", [b"x"])
    world.register("m", "models/m/job/weights", b"x")
    world.objects.store.write("models/lost/job/weights", [b"x"])
    world.round()
    entry = next(info.key for info in store.walk("catalog/models/"))
    whole = store.read(entry)
    store.write(entry, [damage])
    world.place.store.write(".probe-x", [b"x"])
    assert world.round(WEEK_S)[LeftoverKind.PROBES].found == 1
    assert len(world.keys()) == 2
    store.write(entry, [whole])
    world.round()
    assert world.keys() == ["models/m/job/weights"]


def test_rows_without_a_commit_go_and_tables_stay(world: World) -> None:
    world.tables.create("whole", Rows(ROWS.schema, ROWS.to_batches()))
    world.leave_rows("half")
    tally = world.round()[LeftoverKind.TABLE_FILES]
    assert (tally.found, tally.found_bytes > 0) == (1, True)
    assert world.round(WEEK_S)[LeftoverKind.TABLE_FILES].removed == 1
    assert {info.key.split("/")[0] for info in world.place.store.walk()} == {"whole.lance"}
    assert world.tables.describe("whole").row_count == 3


def test_a_table_that_is_made_over_old_rows_keeps_its_own(world: World) -> None:
    world.leave_rows("t")
    world.round()
    (leftover,) = TableFiles(LeftoverKind.TABLE_FILES, world.home, world.tables).find()
    world.tables.create("t", Rows(ROWS.schema, ROWS.to_batches()))
    assert not leftover.remove()
    assert world.round(WEEK_S)[LeftoverKind.TABLE_FILES] == Tally()
    assert world.tables.dataset("t").to_table().equals(ROWS)


def test_a_killed_drop_is_finished(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.tables.create("t", Rows(ROWS.schema, ROWS.to_batches()))
    store, delete = world.place.store, world.place.store.delete

    def killed(key: str) -> None:
        if not key.endswith(".manifest"):
            raise SystemExit("killed")
        delete(key)

    monkeypatch.setattr(store, "delete", killed)
    with pytest.raises(SystemExit, match="killed"):
        world.tables.drop("t")
    monkeypatch.undo()
    assert world.tables.names() == []
    world.round()
    assert world.round(WEEK_S)[LeftoverKind.TABLE_FILES].removed == 1
    assert list(store.walk()) == []


def test_a_probe_of_a_killed_start_goes(world: World) -> None:
    world.place.store.write(".probe-1", [b"0"])
    world.round()
    assert world.round(WEEK_S)[LeftoverKind.PROBES] == Tally(removed=1, removed_bytes=1)
    assert list(world.place.store.walk()) == []


def test_an_upload_that_nobody_completes_goes(world: World) -> None:
    settings = world.objects.settings
    if settings.is_bucket:
        client = world.objects.store._client  # type: ignore[attr-defined]
        client._create_multipart_upload(settings.bucket, "uploads/half", {})
    else:
        incoming = Path(settings.uri) / ".incoming" / "half"
        incoming.parent.mkdir(parents=True)
        incoming.write_bytes(b"")
    assert world.round()[LeftoverKind.UPLOADS].found == 1
    assert world.round(WEEK_S)[LeftoverKind.UPLOADS].removed == 1
    assert list(world.objects.unfinished.find()) == []


def test_a_damaged_ledger_only_makes_everything_wait(world: World) -> None:
    world.objects.store.write("models/m/job/weights", [b"half"])
    world.round()
    world.objects.store.write(LEDGER, [b'{"model_files:models/m/job/": 1}'])
    assert world.round(WEEK_S)[LeftoverKind.MODEL_FILES].found == 1
    assert world.round(WEEK_S)[LeftoverKind.MODEL_FILES].removed == 1


def test_a_store_that_is_away_takes_nothing_and_forgets_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.objects.store.write("models/m/job/weights", [b"half"])
    world.round()

    def away() -> frozenset[str]:
        raise error(Reason.STORE_UNAVAILABLE, "away")

    monkeypatch.setattr(world.models, "files_named", away)
    assert world.round(WEEK_S - 1)[LeftoverKind.MODEL_FILES] == Tally()
    assert world.keys() == ["models/m/job/weights"]
    monkeypatch.undo()
    assert world.round(1)[LeftoverKind.MODEL_FILES].removed == 1


def test_a_round_that_is_stopped_takes_nothing_and_forgets_nothing(world: World) -> None:
    world.objects.store.write("models/m/job/weights", [b"half"])
    world.round()
    world.reconciliation.stop()
    world.round(WEEK_S)
    assert world.keys() == ["models/m/job/weights"]
    world.restart()
    assert world.round()[LeftoverKind.MODEL_FILES].removed == 1


def test_a_round_asks_little_however_much_users_have_uploaded(world: World) -> None:
    """Requests grow with tables and pages of model files, not with the files of users."""
    for number in range(30):
        world.objects.store.write(f"uploads/{number}.wav", [b"x"])
        world.objects.store.write(f"models/m/{number}/weights", [b"x"])
    world.tables.create("t", Rows(ROWS.schema, ROWS.to_batches()))
    world.round()
    del world.requests[:]
    world.round()
    assert len(world.requests) <= 12


def test_rows_of_a_killed_append_go_from_a_table_when_lance_knows_them_for_dead(tmp_path: Path) -> None:
    clock = iter([0.0, 3600.0, 90_000.0])
    place = open_place(ObjectSettings(uri=str(tmp_path)), str(tmp_path / "tables"))
    home = TableHome(place)
    tables = Tables(home)
    tables.create("t", Rows(ROWS.schema, ROWS.to_batches()))
    write_fragments(ROWS, tables.dataset("t"), mode="append", return_transaction=True)
    sweep = UnusedRows(tables, lambda: next(clock))
    assert list(sweep.run()) == []
    long_ago_s = time.time() - 8 * 86_400
    for path in (tmp_path / "tables").rglob("*.lance"):
        if path.is_file():
            os.utime(path, (long_ago_s, long_ago_s))
    assert list(sweep.run()) == []
    ((name, size_bytes),) = sweep.run()
    assert (name, size_bytes > 0) == ("t", True)
    assert tables.dataset("t").to_table().equals(ROWS)
    assert len(list((tmp_path / "tables" / "t.lance" / "data").iterdir())) == 1
