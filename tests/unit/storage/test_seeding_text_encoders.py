"""The text encoder of a setting becomes a base model, with the files that are read, and no others."""

import json
from pathlib import Path

import pytest

from services.storage.core.models.holds import ModelHolds
from services.storage.core.models.models import ModelCatalog
from services.storage.core.models.seeding import Seeder, SeedPlan
from services.storage.core.types import ModelDeletion, ModelFamily, ModelKind, ModelVersion
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.model_files import ModelFiles
from thanosql_runtime.errors import Reason, ThanosqlError

FILES = (
    "1_Pooling/config.json",
    "README.md",
    "config.json",
    "data_config.json",
    "model.safetensors",
    "modules.json",
    "onnx/model.onnx",
    "pytorch_model.bin",
    "tokenizer.json",
    "vocab.txt",
)
KEPT = ["config.json", "model.safetensors", "modules.json", "pooling.json", "tokenizer.json", "vocab.txt"]


@pytest.fixture
def store(tmp_path: Path) -> LocalDirectory:
    return LocalDirectory(tmp_path / "objects")


@pytest.fixture
def catalog(store: LocalDirectory) -> ModelCatalog:
    return ModelCatalog(store, ModelHolds(store, 60.0))


@pytest.fixture
def seeder(catalog: ModelCatalog, store: LocalDirectory) -> Seeder:
    return Seeder(catalog, store, no_hub)


def no_hub(name: str) -> Path:
    raise ConnectionError("the network is down")


def write_folder(folder: Path, mark: str = "") -> Path:
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name + mark)
    return folder


def plan(tmp_path: Path, text_encoder: str) -> SeedPlan:
    return SeedPlan(bundled=tmp_path / "none", text_encoder=text_encoder)


def test_a_folder_becomes_the_base_model(seeder: Seeder, catalog: ModelCatalog, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "encoder")
    assert f"model TextEncoder: folder {folder}" in seeder.seed(plan(tmp_path, str(folder)))
    model = catalog.get("TextEncoder")
    assert (model.kind, model.family) == (ModelKind.BASE, ModelFamily.TEXT_ENCODER)
    assert (model.version, model.origin, model.base) == (1, f"folder {folder}", "")
    assert [artefact.name for artefact in model.artefacts] == KEPT


def test_every_file_has_its_content(
    seeder: Seeder, catalog: ModelCatalog, store: LocalDirectory, tmp_path: Path
) -> None:
    seeder.seed(plan(tmp_path, str(write_folder(tmp_path / "encoder"))))
    model = catalog.get("TextEncoder")
    files = ModelFiles(model=model.name, version=1, files=model.artefacts)
    files.fetch(store, tmp_path / "fetched")
    assert (tmp_path / "fetched" / "pooling.json").read_text() == "1_Pooling/config.json"


def write_modules(folder: Path, pooling: str) -> None:
    modules = [("Transformer", ""), ("Pooling", pooling)]
    listed = [{"path": place, "type": f"sentence_transformers.models.{kind}"} for kind, place in modules]
    (folder / "modules.json").write_text(json.dumps(listed))


def test_the_pooling_is_taken_from_the_folder_that_the_modules_name(
    seeder: Seeder, catalog: ModelCatalog, store: LocalDirectory, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "encoder")
    write_modules(folder, "2_Pooling")
    (folder / "2_Pooling").mkdir()
    (folder / "2_Pooling" / "config.json").write_text("the named one")
    seeder.seed(plan(tmp_path, str(folder)))
    files = ModelFiles(model="TextEncoder", version=1, files=catalog.get("TextEncoder").artefacts)
    files.fetch(store, tmp_path / "fetched")
    assert (tmp_path / "fetched" / "pooling.json").read_text() == "the named one"


@pytest.mark.parametrize("place", ["2_Pooling", "../encoder/1_Pooling"])
def test_a_pooling_that_is_named_and_not_there_is_refused(seeder: Seeder, tmp_path: Path, place: str) -> None:
    folder = write_folder(tmp_path / "encoder")
    write_modules(folder, place)
    with pytest.raises(ThanosqlError, match=f"it lacks {place}/config.json, which") as raised:
        seeder.seed(plan(tmp_path, str(folder)))
    assert raised.value.reason is Reason.BASE_MODEL_UNAVAILABLE


def test_another_folder_becomes_another_version(
    seeder: Seeder, catalog: ModelCatalog, tmp_path: Path
) -> None:
    first, second = write_folder(tmp_path / "first"), write_folder(tmp_path / "second", "2")
    seeder.seed(plan(tmp_path, str(first)))
    seeder.seed(plan(tmp_path, str(first)))
    seeder.seed(plan(tmp_path, str(second)))
    assert [model.version for model in catalog.versions("TextEncoder")] == [2, 1]


def test_a_model_of_a_user_is_not_replaced(seeder: Seeder, catalog: ModelCatalog, tmp_path: Path) -> None:
    catalog.register(ModelVersion(name="TextEncoder", version=1, kind=ModelKind.TRAINED))
    with pytest.raises(ThanosqlError, match="was built here, which has to be deleted first") as raised:
        seeder.seed(plan(tmp_path, str(write_folder(tmp_path / "encoder"))))
    assert raised.value.reason is Reason.BASE_MODEL_UNAVAILABLE
    assert [model.kind for model in catalog.versions("TextEncoder")] == [ModelKind.TRAINED]


def test_it_stays_when_the_setting_goes(seeder: Seeder, catalog: ModelCatalog, tmp_path: Path) -> None:
    seeder.seed(plan(tmp_path, str(write_folder(tmp_path / "encoder"))))
    seeder.seed(plan(tmp_path, ""))
    assert catalog.get("TextEncoder").version == 1


def test_it_can_be_neither_deleted_nor_switched(
    seeder: Seeder, catalog: ModelCatalog, tmp_path: Path
) -> None:
    seeder.seed(plan(tmp_path, str(write_folder(tmp_path / "encoder"))))
    for change in (
        lambda: catalog.delete(ModelDeletion(name="TextEncoder", force=True)),
        lambda: catalog.activate("TextEncoder", 1),
    ):
        with pytest.raises(ThanosqlError) as raised:
            change()
        assert raised.value.reason is Reason.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("config.json", "it lacks config.json"),
        ("model.safetensors", "it lacks model.safetensors or model.safetensors.index.json"),
        ("tokenizer.json vocab.txt", "it lacks tokenizer.json or vocab.txt"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused_with_what_to_do(
    seeder: Seeder, tmp_path: Path, missing: str, told: str
) -> None:
    folder = write_folder(tmp_path / "encoder")
    for name in missing.split():
        (folder / name).unlink()
    with pytest.raises(ThanosqlError) as raised:
        seeder.seed(plan(tmp_path, str(folder)))
    assert raised.value.reason is Reason.BASE_MODEL_UNAVAILABLE
    assert told in raised.value.message
    assert "THANOSQL_STORAGE__TEXT_ENCODER" in raised.value.message


def test_where_none_is_configured_the_error_says_so(catalog: ModelCatalog) -> None:
    with pytest.raises(ThanosqlError) as raised:
        catalog.get("TextEncoder")
    assert raised.value.reason is Reason.MODEL_NOT_FOUND
    assert "no text encoder is configured; set THANOSQL_STORAGE__TEXT_ENCODER" in raised.value.message


def test_models_of_earlier_releases_are_recognisers(catalog: ModelCatalog, store: LocalDirectory) -> None:
    catalog.register(ModelVersion(name="m", version=1, kind=ModelKind.TRAINED))
    key = next(info.key for info in store.walk("catalog/models/m"))
    document = json.loads(store.read(key))
    del document["versions"][0]["family"]
    store.write("catalog/models/old.json", [json.dumps(document).encode()])
    assert [model.family for model in catalog.versions("old")] == [ModelFamily.RECOGNISER]
