"""The catalog of models, and what a new workspace starts with."""

import hashlib
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from services.storage.core.models.checkpoints import BASE, PREBUILT
from services.storage.core.models.holds import ModelHolds
from services.storage.core.models.models import ModelCatalog
from services.storage.core.models.seeding import Seeder, SeedPlan
from services.storage.core.types import (
    Artefact,
    ModelDeletion,
    ModelFamily,
    ModelKind,
    ModelVersion,
    TableVersion,
)
from services.storage.hub import HubCheckpoints
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.model_files import ModelFiles
from thanosql_runtime.errors import Reason, ThanosqlError


@pytest.fixture
def store(tmp_path: Path) -> LocalDirectory:
    return LocalDirectory(tmp_path / "objects")


@pytest.fixture
def catalog(store: LocalDirectory) -> ModelCatalog:
    ticks = itertools.count(1000.0)
    return ModelCatalog(store, ModelHolds(store), clock=lambda: next(ticks))


@pytest.fixture
def model(store: LocalDirectory) -> Callable[..., ModelVersion]:
    def make(name: str = "m", content: bytes = b"weights", **changes: object) -> ModelVersion:
        info = store.write(f"models/{name}/{hashlib.sha1(content).hexdigest()}/w", [content])
        artefact = Artefact(key=info.key, name="w", sha256=info.sha256, size_bytes=info.size_bytes)
        version = ModelVersion(
            name=name, version=0, kind=ModelKind.TRAINED, base="Wav2Vec2En.1", artefacts=(artefact,),
            metrics={"wer": 0.5}, properties={"epochs": "1"},
        )  # fmt: skip
        return replace(version, **changes)  # type: ignore[arg-type]

    return make


Model = Callable[..., ModelVersion]


def reason(caught: pytest.ExceptionInfo[ThanosqlError]) -> Reason:
    return caught.value.reason


class TestCatalog:
    def test_a_version_keeps_the_tables_that_it_was_built_from(
        self, catalog: ModelCatalog, model: Model
    ) -> None:
        built_from = (TableVersion(table="t", version=3), TableVersion(table="u", version=1))
        catalog.register(model(built_from=built_from))
        assert catalog.get("m").built_from == built_from

    def test_a_model_of_an_earlier_release_has_no_such_record(
        self, catalog: ModelCatalog, model: Model, store: LocalDirectory
    ) -> None:
        catalog.register(model())
        document = json.loads(store.read("catalog/models/m/0000000001.json"))
        del document["versions"][0]["built_from"]
        store.delete_prefix("catalog/models/")
        store.write("catalog/models/m.json", [json.dumps(document).encode()])
        assert catalog.get("m").built_from == ()
        assert catalog.register(model(content=b"2"), overwrite=True).version == 2
        assert [(m.version, m.active) for m in catalog.versions("m")] == [(2, True), (1, False)]

    def test_versions_count_from_one_and_the_newest_is_active(
        self, catalog: ModelCatalog, model: Model
    ) -> None:
        first = catalog.register(model())
        second = catalog.register(model(content=b"2"), overwrite=True)
        assert (first.version, second.version) == (1, 2)
        assert [(m.version, m.active) for m in catalog.versions("m")] == [(2, True), (1, False)]
        assert catalog.get("m") == second
        assert catalog.get("m", 1) == replace(first, active=False)
        assert second.create_time_s > first.create_time_s

    def test_a_catalog_opened_again_knows_the_same(
        self, catalog: ModelCatalog, store: LocalDirectory, model: Model
    ) -> None:
        registered = catalog.register(model())
        assert ModelCatalog(store, ModelHolds(store)).get("m") == registered

    def test_a_name_that_exists_needs_overwrite(self, catalog: ModelCatalog, model: Model) -> None:
        catalog.register(model())
        with pytest.raises(ThanosqlError) as caught:
            catalog.register(model(content=b"2"))
        assert reason(caught) is Reason.MODEL_ALREADY_EXISTS
        assert catalog.get("m").version == 1

    def test_names_are_case_sensitive(self, catalog: ModelCatalog, model: Model) -> None:
        catalog.register(model("Model"))
        catalog.register(model("model"))
        assert catalog.names() == ["Model", "model"]
        with pytest.raises(ThanosqlError) as caught:
            catalog.get("MODEL")
        assert reason(caught) is Reason.MODEL_NOT_FOUND

    def test_a_version_that_is_not_there_is_told_with_those_that_are(
        self, catalog: ModelCatalog, model: Model
    ) -> None:
        catalog.register(model())
        with pytest.raises(ThanosqlError, match="has no version 7; it has: 1"):
            catalog.get("m", 7)

    def test_the_same_request_registers_once(self, catalog: ModelCatalog, model: Model) -> None:
        first = catalog.register(model(), request_id="r")
        assert catalog.register(model(content=b"2"), request_id="r") == first
        assert len(catalog.versions("m")) == 1

    @pytest.mark.parametrize("content", [b"Weights", b"weights more", b""])
    def test_files_that_are_not_what_was_promised_are_refused(
        self, catalog: ModelCatalog, store: LocalDirectory, model: Model, content: bytes
    ) -> None:
        version = model()
        store.write(version.artefacts[0].key, [content])
        with pytest.raises(ThanosqlError) as caught:
            catalog.register(version)
        assert reason(caught) is Reason.CHECKSUM_MISMATCH
        assert catalog.names() == []

    def test_files_that_are_missing_are_refused(
        self, catalog: ModelCatalog, store: LocalDirectory, model: Model
    ) -> None:
        version = model()
        store.delete(version.artefacts[0].key)
        with pytest.raises(ThanosqlError) as caught:
            catalog.register(version)
        assert reason(caught) is Reason.FILE_NOT_FOUND

    @pytest.mark.parametrize("name", ["", " x", "a/b", "a.2", "..", "x" * 65, "a\nb"])
    def test_names_that_cannot_be_written_are_refused(
        self, catalog: ModelCatalog, model: Model, name: str
    ) -> None:
        with pytest.raises(ThanosqlError) as caught:
            catalog.register(replace(model(), name=name))
        assert reason(caught) is Reason.INVALID_NAME

    def test_deleting_a_model_removes_its_files_and_no_others(
        self, catalog: ModelCatalog, store: LocalDirectory, model: Model
    ) -> None:
        shared = model("m")
        catalog.register(shared)
        catalog.register(model("m", b"2"), overwrite=True)
        catalog.register(replace(shared, name="other"))
        assert catalog.delete(ModelDeletion(name="m")) == 2
        assert [info.key for info in store.list("models/").objects] == [shared.artefacts[0].key]
        assert catalog.names() == ["other"]
        with pytest.raises(ThanosqlError):
            catalog.delete(ModelDeletion(name="m"))

    def test_concurrent_registrations_give_each_its_number(self, catalog: ModelCatalog, model: Model) -> None:
        versions = [model(content=str(number).encode()) for number in range(12)]
        with ThreadPoolExecutor(6) as pool:
            given = list(
                pool.map(lambda version: catalog.register(version, overwrite=True).version, versions)
            )
        assert sorted(given) == list(range(1, 13))
        assert sum(m.active for m in catalog.versions("m")) == 1

    def test_pages_cover_each_model_once_and_kinds_choose(self, catalog: ModelCatalog, model: Model) -> None:
        for number, name in enumerate(["c", "a", "b", "d"]):
            kind = ModelKind.BASE if number % 2 else ModelKind.TRAINED
            catalog.register(model(name, kind=kind))
        first = catalog.page(page_size=3)
        rest = catalog.page(page_size=3, page_token=first.next_page_token)
        assert [m.name for m in (*first.models, *rest.models)] == ["a", "b", "c", "d"]
        assert [m.name for m in catalog.page(kinds=[ModelKind.BASE]).models] == ["a", "d"]

    def test_pages_of_versions_go_down(self, catalog: ModelCatalog, model: Model) -> None:
        for number in range(3):
            catalog.register(model(content=str(number).encode()), overwrite=True)
        first = catalog.version_page("m", page_size=2)
        rest = catalog.version_page("m", page_size=2, page_token=first.next_page_token)
        assert [m.version for m in (*first.models, *rest.models)] == [3, 2, 1]

    @pytest.mark.parametrize("token", ["x", "-1", "²"])
    def test_a_token_that_is_no_number_begins_anew(
        self, catalog: ModelCatalog, model: Model, token: str
    ) -> None:
        catalog.register(model())
        assert [m.version for m in catalog.version_page("m", page_token=token).models] == [1]

    @pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
    def test_a_damaged_entry_is_said_to_be_damaged(
        self, catalog: ModelCatalog, store: LocalDirectory, content: bytes
    ) -> None:
        store.write("catalog/models/m.json", [content])
        with pytest.raises(ThanosqlError) as caught:
            catalog.get("m")
        assert reason(caught) is Reason.CHECKSUM_MISMATCH


def write_checkpoint(folder: Path, mark: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "wav2vec2", "mark": mark}))
    (folder / "vocab.json").write_text("{}")
    (folder / "metrics.json").write_text(json.dumps({"wer": 0.125, "note": "text"}))
    (folder / "model.safetensors").write_bytes(mark.encode() * 100)
    (folder / "training_args.bin").write_bytes(b"a pickle that nobody wants")
    return folder


def no_hub(name: str) -> Path:
    raise ConnectionError("the network is down")


class TestSeeding:
    @pytest.fixture
    def bundled(self, tmp_path: Path) -> Path:
        return write_checkpoint(tmp_path / "wav2vec2_en_small", "bundled")

    @pytest.fixture
    def seeder(self, catalog: ModelCatalog, store: LocalDirectory) -> Seeder:
        return Seeder(catalog, store, no_hub)

    def test_a_new_workspace_gets_base_and_prebuilt(
        self, seeder: Seeder, catalog: ModelCatalog, store: LocalDirectory, bundled: Path
    ) -> None:
        assert len(seeder.seed(SeedPlan(bundled=bundled))) == 2
        base, prebuilt = catalog.get(BASE), catalog.get(PREBUILT)
        assert (base.kind, base.version, base.origin) == (ModelKind.BASE, 1, "bundled wav2vec2_en_small")
        assert (prebuilt.kind, prebuilt.base) == (ModelKind.PREBUILT, "Wav2Vec2En.1")
        assert base.metrics == {"wer": 0.125}
        for model in (base, prebuilt):
            ModelFiles(model=model.name, version=1, files=model.artefacts).require_stored(store)
        names = ["config.json", "metrics.json", "model.safetensors", "vocab.json"]
        assert [artefact.name for artefact in base.artefacts] == names

    def test_seeding_again_changes_nothing(
        self, seeder: Seeder, catalog: ModelCatalog, bundled: Path
    ) -> None:
        seeder.seed(SeedPlan(bundled=bundled))
        assert seeder.seed(SeedPlan(bundled=bundled)) == ()
        assert len(catalog.versions(BASE)) == 1

    def test_a_deleted_prebuilt_model_stays_deleted(
        self, seeder: Seeder, catalog: ModelCatalog, bundled: Path
    ) -> None:
        seeder.seed(SeedPlan(bundled=bundled))
        catalog.delete(ModelDeletion(name=PREBUILT))
        seeder.seed(SeedPlan(bundled=bundled))
        assert catalog.names() == [BASE]

    def test_a_base_model_cannot_be_deleted(
        self, seeder: Seeder, catalog: ModelCatalog, bundled: Path
    ) -> None:
        seeder.seed(SeedPlan(bundled=bundled))
        with pytest.raises(ThanosqlError) as raised:
            catalog.delete(ModelDeletion(name=BASE))
        assert raised.value.reason is Reason.PERMISSION_DENIED
        assert BASE in catalog.names()

    def test_a_missing_bundled_checkpoint_is_told_and_comes_later(
        self, seeder: Seeder, catalog: ModelCatalog, tmp_path: Path
    ) -> None:
        plan = SeedPlan(bundled=tmp_path / "later")
        (line,) = seeder.seed(plan)
        assert "no bundled checkpoint" in line
        write_checkpoint(tmp_path / "later", "late")
        seeder.seed(plan)
        assert catalog.names() == [BASE, PREBUILT]

    def test_a_configured_folder_becomes_a_new_version_of_the_base(
        self, seeder: Seeder, catalog: ModelCatalog, bundled: Path, tmp_path: Path
    ) -> None:
        seeder.seed(SeedPlan(bundled=bundled))
        own = write_checkpoint(tmp_path / "own", "own")
        plan = SeedPlan(bundled=bundled, configured=str(own))
        seeder.seed(plan)
        assert (catalog.get(BASE).version, catalog.get(BASE).origin) == (2, f"folder {own}")
        assert catalog.get(PREBUILT).origin == "bundled wav2vec2_en_small"
        assert seeder.seed(plan) == ()
        seeder.seed(SeedPlan(bundled=bundled))
        assert (catalog.get(BASE).version, catalog.get(BASE).origin) == (3, "bundled wav2vec2_en_small")

    def test_a_configured_folder_works_from_the_first_start(
        self, seeder: Seeder, catalog: ModelCatalog, tmp_path: Path
    ) -> None:
        own = write_checkpoint(tmp_path / "own", "own")
        seeder.seed(SeedPlan(bundled=tmp_path / "none", configured=str(own)))
        assert catalog.names() == [BASE]

    def test_a_hub_name_is_downloaded(
        self, catalog: ModelCatalog, store: LocalDirectory, bundled: Path, tmp_path: Path
    ) -> None:
        asked: list[str] = []

        def download(name: str) -> Path:
            asked.append(name)
            return write_checkpoint(tmp_path / "fetched", "hub")

        Seeder(catalog, store, download).seed(
            SeedPlan(bundled=bundled, configured="facebook/wav2vec2-base-960h")
        )
        assert asked == ["facebook/wav2vec2-base-960h"]
        assert catalog.get(BASE).origin == "hub facebook/wav2vec2-base-960h"

    @pytest.mark.parametrize("configured", ["facebook/nowhere", "/no/such/folder", "./nothing", "a/b/c"])
    def test_a_checkpoint_that_cannot_be_had_is_an_error_that_says_how_to_mend(
        self, seeder: Seeder, bundled: Path, configured: str
    ) -> None:
        with pytest.raises(ThanosqlError, match="THANOSQL_STORAGE__WAV2VEC2_EN") as caught:
            seeder.seed(SeedPlan(bundled=bundled, configured=configured))
        assert reason(caught) is Reason.BASE_MODEL_UNAVAILABLE

    def test_a_folder_that_is_no_checkpoint_is_an_error(
        self, seeder: Seeder, catalog: ModelCatalog, bundled: Path, tmp_path: Path
    ) -> None:
        own = write_checkpoint(tmp_path / "own", "own")
        (own / "model.safetensors").rename(own / "pytorch_model.bin")
        with pytest.raises(ThanosqlError, match=r"lacks model\.safetensors"):
            seeder.seed(SeedPlan(bundled=bundled, configured=str(own)))
        assert catalog.get(BASE).version == 1

    def test_the_record_says_the_architecture(
        self, seeder: Seeder, catalog: ModelCatalog, bundled: Path
    ) -> None:
        seeder.seed(SeedPlan(bundled=bundled))
        assert catalog.get(BASE).properties == {"architecture": "wav2vec2"}

    def test_a_checkpoint_of_another_architecture_is_refused(
        self, seeder: Seeder, catalog: ModelCatalog, tmp_path: Path
    ) -> None:
        own = write_checkpoint(tmp_path / "own", "own")
        (own / "config.json").write_text(json.dumps({"model_type": "sew"}))
        with pytest.raises(ThanosqlError, match="'sew'; known are wav2vec2, hubert, wavlm, data2vec-audio"):
            seeder.seed(SeedPlan(bundled=tmp_path / "none", configured=str(own)))
        assert catalog.names() == []

    def test_settings_name_more_base_models(
        self, seeder: Seeder, catalog: ModelCatalog, tmp_path: Path
    ) -> None:
        korean = write_checkpoint(tmp_path / "korean", "ko")
        own = write_checkpoint(tmp_path / "own", "own")
        plan = SeedPlan(bundled=tmp_path / "none", korean=str(korean), others={"HubertEn": str(own)})
        lines = seeder.seed(plan)
        assert f"model Wav2Vec2Ko: folder {korean}" in lines
        assert f"model HubertEn: folder {own}" in lines
        assert [catalog.get(name).kind for name in ("HubertEn", "Wav2Vec2Ko")] == [ModelKind.BASE] * 2
        seeder.seed(plan)
        seeder.seed(SeedPlan(bundled=tmp_path / "none"))
        assert [len(catalog.versions(name)) for name in ("HubertEn", "Wav2Vec2Ko")] == [1, 1]

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            (BASE, "THANOSQL_STORAGE__WAV2VEC2_EN"),
            ("Wav2Vec2Ko", "THANOSQL_STORAGE__WAV2VEC2_KO"),
            ("TextEncoder", "THANOSQL_STORAGE__TEXT_ENCODER"),
            (PREBUILT, "is no base"),
        ],
    )
    def test_a_name_that_is_set_elsewhere_is_refused(
        self, seeder: Seeder, tmp_path: Path, name: str, problem: str
    ) -> None:
        own = write_checkpoint(tmp_path / "own", "own")
        with pytest.raises(ThanosqlError, match=problem) as caught:
            seeder.seed(SeedPlan(bundled=tmp_path / "none", others={name: str(own)}))
        assert reason(caught) is Reason.BASE_MODEL_UNAVAILABLE

    def test_a_model_that_was_built_keeps_its_name(
        self, seeder: Seeder, catalog: ModelCatalog, tmp_path: Path
    ) -> None:
        catalog.register(ModelVersion(name="mine", version=0, kind=ModelKind.TRAINED))
        own = write_checkpoint(tmp_path / "own", "own")
        with pytest.raises(ThanosqlError, match="has to be deleted first"):
            seeder.seed(SeedPlan(bundled=tmp_path / "none", others={"mine": str(own)}))

    def test_a_whisper_has_its_family_and_the_files_that_are_read(
        self, seeder: Seeder, catalog: ModelCatalog, tmp_path: Path
    ) -> None:
        own = write_checkpoint(tmp_path / "whisper", "own")
        (own / "config.json").write_text(json.dumps({"model_type": "whisper"}))
        for name in ("tokenizer.json", "generation_config.json", "model.fp32-00001-of-00002.safetensors"):
            (own / name).write_text("{}")
        seeder.seed(SeedPlan(bundled=tmp_path / "none", whisper=str(own)))
        model = catalog.get("Whisper")
        assert (model.kind, model.family) == (ModelKind.BASE, ModelFamily.WHISPER)
        names = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
        assert [artefact.name for artefact in model.artefacts] == names
        assert model.properties == {"architecture": "whisper"}

    def test_a_recogniser_is_no_whisper(self, seeder: Seeder, tmp_path: Path) -> None:
        own = write_checkpoint(tmp_path / "own", "own")
        (own / "tokenizer.json").write_text("{}")
        with pytest.raises(ThanosqlError, match="'wav2vec2'; known are whisper"):
            seeder.seed(SeedPlan(bundled=tmp_path / "none", whisper=str(own)))

    @pytest.mark.parametrize(
        ("name", "setting"),
        [("Wav2Vec2Ko", "WAV2VEC2_KO"), ("Whisper", "WHISPER"), ("TextEncoder", "TEXT_ENCODER")],
    )
    def test_a_base_without_its_setting_says_which_one_it_is(
        self, catalog: ModelCatalog, name: str, setting: str
    ) -> None:
        with pytest.raises(ThanosqlError, match=f"THANOSQL_STORAGE__{setting} ") as caught:
            catalog.get(name)
        assert reason(caught) is Reason.MODEL_NOT_FOUND

    def test_the_real_hub_client_fails_soon_when_there_is_no_hub(
        self, catalog: ModelCatalog, store: LocalDirectory, bundled: Path, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        hub = HubCheckpoints(tmp_path / "hub", timeout_s=0.5)
        with pytest.raises(ThanosqlError) as caught:
            Seeder(catalog, store, hub.download).seed(SeedPlan(bundled=bundled, configured="facebook/w2v"))
        assert reason(caught) is Reason.BASE_MODEL_UNAVAILABLE
