"""Models that are in use are not deleted, in a directory and in a bucket."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from services.storage.core.models.holds import Hold, ModelHolds
from services.storage.core.models.models import ModelCatalog
from services.storage.core.types import Artefact, ModelDeletion, ModelKind, ModelVersion
from tests.s3_servers import new_bucket
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.opening import open_objects
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError

SERVER, TRAINER = uuid.uuid4().hex, uuid.uuid4().hex
LOADED = Hold(model="m", version=1, holder="predictor on host a, process 7", since_s=0.0)
TRAINS = Hold(model="m", version=2, holder="trainer on host b, process 8", job_id="0f8d3c", since_s=60.0)
TELL_AND_DIE = """
import os, signal, sys
from pathlib import Path
from services.storage.core.models.holds import Hold, ModelHolds
from thanosql_objects.directory import LocalDirectory
ModelHolds(LocalDirectory(Path(sys.argv[1]))).tell(sys.argv[2], [Hold(model="m", version=1, holder="x")])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return LocalDirectory(tmp_path / "objects")
    return open_objects(new_bucket(request.getfixturevalue("s3_endpoint"))).store


def catalog_of(store: ObjectStore, lasts_s: float = 60.0) -> ModelCatalog:
    catalog = ModelCatalog(store, ModelHolds(store, lasts_s))
    for content in (b"one", b"two"):
        info = store.write(f"models/m/{content.decode()}/w", [content])
        artefact = Artefact(key=info.key, name="w", sha256=info.sha256, size_bytes=info.size_bytes)
        model = ModelVersion(name="m", version=0, kind=ModelKind.TRAINED, artefacts=(artefact,))
        catalog.register(model, overwrite=True, request_id=content.decode())
    return catalog


def refused(deletion: Callable[[], object]) -> ThanosqlError:
    with pytest.raises(ThanosqlError) as caught:
        deletion()
    assert caught.value.reason is Reason.MODEL_IN_USE
    return caught.value


def test_who_uses_a_model_is_told_with_what_to_do(store: ObjectStore) -> None:
    catalog = catalog_of(store)
    assert catalog.hold(SERVER, [LOADED]) == ()
    assert catalog.hold(TRAINER, [TRAINS]) == ()
    failure = refused(lambda: catalog.delete(ModelDeletion(name="m")))
    assert failure.message == (
        "model 'm' is in use, so nothing was deleted: the predictor on host a, process 7 has version 1 "
        "loaded since 1970-01-01 00:00:00 UTC; job '0f8d3c' trains from version 2 since 1970-01-01 "
        "00:01:00 UTC; CANCEL JOB '0f8d3c' ends the job; add OPTIONS(force=True) to delete it all the "
        "same: what uses it now still ends"
    )
    assert len(catalog.versions("m")) == 2
    assert store.exists("models/m/one/w")


def test_a_forced_deletion_asks_nobody(store: ObjectStore) -> None:
    catalog = catalog_of(store)
    catalog.hold(SERVER, [LOADED])
    assert catalog.delete(ModelDeletion(name="m", force=True)) == 2
    assert catalog.hold(SERVER, [LOADED]) == (LOADED,), "its holder learns that it is gone"


def test_what_was_given_up_holds_nothing(store: ObjectStore) -> None:
    catalog = catalog_of(store)
    catalog.hold(SERVER, [LOADED])
    catalog.hold(SERVER, [])
    catalog.hold(SERVER, [])
    assert catalog.delete(ModelDeletion(name="m")) == 2


def test_other_models_are_not_held(store: ObjectStore) -> None:
    catalog = catalog_of(store)
    other = Hold(model="M", version=1, holder="predictor")
    assert catalog.hold(SERVER, [other]) == (other,)
    assert catalog.delete(ModelDeletion(name="m")) == 2


def test_who_falls_silent_holds_nothing(store: ObjectStore) -> None:
    catalog = catalog_of(store, lasts_s=-1.0)
    catalog.hold(SERVER, [LOADED])
    assert catalog.delete(ModelDeletion(name="m")) == 2


def test_a_check_deletes_nothing(store: ObjectStore) -> None:
    catalog = catalog_of(store)
    assert catalog.delete(ModelDeletion(name="m", explain_only=True)) == 2
    assert len(catalog.versions("m")) == 2
    catalog.hold(SERVER, [LOADED])
    refused(lambda: catalog.delete(ModelDeletion(name="m", explain_only=True)))


def test_a_model_that_is_not_there_is_no_error_where_that_is_said(store: ObjectStore) -> None:
    catalog = catalog_of(store)
    assert catalog.delete(ModelDeletion(name="n", if_exists=True)) == 0
    with pytest.raises(ThanosqlError) as caught:
        catalog.delete(ModelDeletion(name="n"))
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


def test_an_id_that_leaves_the_folder_is_refused(store: ObjectStore) -> None:
    with pytest.raises(ThanosqlError) as caught:
        catalog_of(store).hold("../" + SERVER, [LOADED])
    assert caught.value.reason is Reason.INVALID_ARGUMENT


def test_a_process_that_was_killed_holds_for_a_while_and_no_longer(tmp_path: Path) -> None:
    store = LocalDirectory(tmp_path / "objects")
    catalog = catalog_of(store)
    died = subprocess.run(
        [sys.executable, "-c", TELL_AND_DIE, str(store.root), SERVER], check=False, timeout=60
    )
    assert died.returncode < 0
    refused(lambda: catalog.delete(ModelDeletion(name="m")))
    told = store.path(f"catalog/holds/{SERVER}.json")
    os.utime(told, (told.stat().st_atime, told.stat().st_mtime - 61))
    assert catalog.delete(ModelDeletion(name="m")) == 2
    assert told.exists(), "its owner may be slow and come back"
    os.utime(told, (told.stat().st_atime, told.stat().st_mtime - 600))
    catalog = catalog_of(store)
    assert catalog.delete(ModelDeletion(name="m")) == 2
    assert not told.exists()


class HeldMeanwhile(LocalDirectory):
    """A directory where somebody tells that he uses the model just before its record is deleted."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.meanwhile: Callable[[], object] = lambda: None

    def create(self, key: str, content: bytes) -> bool:
        if not json.loads(content)["versions"]:
            self.meanwhile()
        return super().create(key, content)


def test_a_model_that_is_taken_during_its_deletion_stays(tmp_path: Path) -> None:
    store = HeldMeanwhile(tmp_path / "objects")
    catalog = catalog_of(store)
    before = catalog.versions("m")
    store.meanwhile = lambda: catalog.hold(SERVER, [LOADED])
    refused(lambda: catalog.delete(ModelDeletion(name="m")))
    assert catalog.versions("m") == before
    assert store.exists("models/m/one/w")
