"""Which version of a model is active, and versions that are deleted one by one, wherever the catalog is."""

from pathlib import Path

import pytest

from services.storage.core.models.holds import Hold, ModelHolds
from services.storage.core.models.model_documents import Document, ModelDocuments, empty
from services.storage.core.models.model_edits import put_back
from services.storage.core.models.models import ModelCatalog
from services.storage.core.types import Artefact, ModelDeletion, ModelKind, ModelVersion
from tests.s3_servers import new_bucket
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.model_files import ModelFiles
from thanosql_objects.opening import open_objects
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return LocalDirectory(tmp_path / "objects")
    return open_objects(new_bucket(request.getfixturevalue("s3_endpoint"))).store


@pytest.fixture
def catalog(store: ObjectStore) -> ModelCatalog:
    """It knows model `m` in three versions."""
    catalog = ModelCatalog(store, ModelHolds(store))
    for number in range(3):
        register(catalog, store, number)
    return catalog


def register(
    catalog: ModelCatalog, store: ObjectStore, number: int, kind: ModelKind = ModelKind.TRAINED
) -> int:
    info = store.write(f"models/m/job{number}/w", [b"weights %d" % number])
    artefact = Artefact(key=info.key, name="w", sha256=info.sha256, size_bytes=info.size_bytes)
    model = ModelVersion(name="m", version=0, kind=kind, artefacts=(artefact,))
    return catalog.register(model, overwrite=True).version


def refused(catalog: ModelCatalog, version: int, **how: bool) -> ThanosqlError:
    with pytest.raises(ThanosqlError) as caught:
        catalog.delete(ModelDeletion(name="m", version=version, **how))
    return caught.value


def numbers(catalog: ModelCatalog) -> list[tuple[int, bool]]:
    return [(model.version, model.active) for model in catalog.versions("m")]


def test_an_older_version_becomes_the_active_one_again(catalog: ModelCatalog) -> None:
    assert catalog.activate("m", 1).version == 1
    assert catalog.get("m").version == 1
    assert numbers(catalog) == [(3, False), (2, False), (1, True)]


def test_activating_the_active_version_changes_nothing(catalog: ModelCatalog) -> None:
    before = catalog.versions("m")
    assert catalog.activate("m", 3).version == 3
    assert catalog.versions("m") == before


def test_checking_an_activation_tells_which_version_is_active(catalog: ModelCatalog) -> None:
    assert catalog.activate("m", 1, explain_only=True).version == 3
    assert catalog.get("m").version == 3


@pytest.mark.parametrize("explain_only", [False, True])
def test_a_version_that_is_not_there_is_not_activated(catalog: ModelCatalog, explain_only: bool) -> None:
    with pytest.raises(ThanosqlError, match="no version 7; it has: 1, 2, 3") as caught:
        catalog.activate("m", 7, explain_only=explain_only)
    assert caught.value.reason is Reason.MODEL_NOT_FOUND
    assert catalog.get("m").version == 3


def test_the_next_version_is_active_whichever_was_before(catalog: ModelCatalog, store: ObjectStore) -> None:
    catalog.activate("m", 1)
    assert register(catalog, store, 4) == 4
    assert catalog.get("m").version == 4


def test_a_version_goes_with_its_files_and_no_others(catalog: ModelCatalog, store: ObjectStore) -> None:
    assert catalog.delete(ModelDeletion(name="m", version=2)) == 1
    assert numbers(catalog) == [(3, True), (1, False)]
    kept = [info.key for info in store.walk("models/")]
    assert kept == ["models/m/job0/w", "models/m/job2/w"]


@pytest.mark.parametrize("how", [{}, {"force": True}, {"explain_only": True}])
def test_the_active_version_stays(catalog: ModelCatalog, how: dict[str, bool]) -> None:
    failure = refused(catalog, 3, **how)
    assert failure.reason is Reason.MODEL_IN_USE
    assert failure.message == (
        "version 3 of model 'm' is the active one, so nothing was deleted; ACTIVATE MODEL m.2 first, "
        "or delete the model with DELETE MODEL m"
    )
    assert len(catalog.versions("m")) == 3


def test_the_number_of_a_deleted_version_is_not_given_again(
    catalog: ModelCatalog, store: ObjectStore
) -> None:
    catalog.activate("m", 1)
    catalog.delete(ModelDeletion(name="m", version=3))
    assert register(catalog, store, 4) == 4


def test_a_version_in_use_is_deleted_only_by_force(catalog: ModelCatalog) -> None:
    catalog.hold("0" * 32, [Hold(model="m", version=1, holder="predictor")])
    assert refused(catalog, 1).reason is Reason.MODEL_IN_USE
    assert catalog.delete(ModelDeletion(name="m", version=2)) == 1, "another version is free"
    assert catalog.delete(ModelDeletion(name="m", version=1, force=True)) == 1


def test_a_version_that_is_not_there_is_no_error_where_that_is_said(catalog: ModelCatalog) -> None:
    assert refused(catalog, 7).reason is Reason.MODEL_NOT_FOUND
    assert catalog.delete(ModelDeletion(name="m", version=7, if_exists=True)) == 0


@pytest.mark.parametrize("version", [0, -1])
def test_versions_count_from_one(catalog: ModelCatalog, version: int) -> None:
    with pytest.raises(ThanosqlError) as caught:
        catalog.activate("m", version)
    assert caught.value.reason is Reason.INVALID_ARGUMENT


def test_which_version_of_a_base_is_active_is_a_setting(store: ObjectStore) -> None:
    catalog = ModelCatalog(store, ModelHolds(store))
    for number in range(2):
        register(catalog, store, number, ModelKind.BASE)
    with pytest.raises(ThanosqlError, match="THANOSQL_STORAGE__BASE_MODELS") as caught:
        catalog.activate("m", 1)
    assert caught.value.reason is Reason.PERMISSION_DENIED
    assert refused(catalog, 1).reason is Reason.PERMISSION_DENIED


def test_files_and_tables_of_a_model_without_an_active_version_are_named(
    catalog: ModelCatalog, store: ObjectStore
) -> None:
    files = catalog.files_named()

    def rest(document: Document) -> Document:
        built_from = [{"table": "t", "version": 3}]
        entries = [entry | {"active": False, "built_from": built_from} for entry in document["versions"]]
        return document | {"versions": entries}

    ModelDocuments(store).change("m", rest)
    assert catalog.files_named() == files
    assert catalog.tables_named() == {("t", 3)}
    assert not catalog.remove_unnamed(files)


def test_the_newest_version_that_comes_back_alone_is_active(catalog: ModelCatalog) -> None:
    inactive = [model for model in catalog.versions("m") if not model.active]
    entries = put_back(inactive, empty())["versions"]
    assert [(entry["version"], entry["active"]) for entry in entries] == [(1, False), (2, True)]


def test_files_that_go_between_their_check_and_the_record_are_told(
    catalog: ModelCatalog, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = ModelFiles.require_stored

    def check_and_lose(files: ModelFiles, store: ObjectStore) -> None:
        check(files, store)
        assert catalog.remove_unnamed(file.key for file in files.files)

    monkeypatch.setattr(ModelFiles, "require_stored", check_and_lose)
    with pytest.raises(ThanosqlError, match="file 'w' of model 'm' is missing") as caught:
        register(catalog, store, 4)
    assert caught.value.reason is Reason.FILE_NOT_FOUND
    assert numbers(catalog) == [(3, True), (2, False), (1, False)]
