"""Model files: fetched once, verified always, given up when they grow."""

import hashlib
import os
from pathlib import Path

import pytest

from services.predictor.core.artefact_cache import ArtefactCache
from services.predictor.core.types import Artefact, ModelRecord
from thanosql_runtime.errors import Reason, ThanosqlError, error


class FakeStore:
    """Objects in a dictionary; counts what was fetched."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def download_to(self, key: str, path: Path) -> None:
        if key not in self.objects:
            raise error(Reason.FILE_NOT_FOUND, f"no object {key}")
        self.fetched.append(key)
        path.write_bytes(self.objects[key])


def record(store: FakeStore, name: str, files: dict[str, bytes]) -> ModelRecord:
    for file, content in files.items():
        store.objects[f"{name}/{file}"] = content
    artefacts = tuple(
        Artefact(
            key=f"{name}/{file}",
            name=file,
            sha256=hashlib.sha256(content).hexdigest(),
            size_bytes=len(content),
        )
        for file, content in files.items()
    )
    return ModelRecord(name=name, version=1, artefacts=artefacts)


def test_files_are_fetched_once(tmp_path: Path) -> None:
    store = FakeStore()
    cache = ArtefactCache(tmp_path / "cache", store, 1000)
    model = record(store, "m", {"a": b"one", "b": b"two"})
    first, second = cache.fetch(model), cache.fetch(model)
    assert first == second
    assert sorted(file.name for file in first.iterdir()) == ["a", "b"]
    assert sorted(store.fetched) == ["m/a", "m/b"]


def test_other_bytes_than_registered_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    store = FakeStore()
    model = record(store, "m", {"a": b"one"})
    store.objects["m/a"] = b"two"
    with pytest.raises(ThanosqlError, match="SHA-256 differs") as caught:
        ArtefactCache(tmp_path / "cache", store, 1000).fetch(model)
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(b"bad"), lambda file: file.unlink()])
def test_a_damaged_cache_is_fetched_again(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    store = FakeStore()
    cache = ArtefactCache(tmp_path / "cache", store, 1000)
    model = record(store, "m", {"a": b"one"})
    damage(cache.fetch(model) / "a")
    assert (cache.fetch(model) / "a").read_bytes() == b"one"
    assert len(store.fetched) == 2


def test_the_least_recently_used_is_given_up(tmp_path: Path) -> None:
    store = FakeStore()
    cache = ArtefactCache(tmp_path / "cache", store, limit_bytes=250)
    models = [record(store, name, {"a": name.encode() * 100}) for name in "xyz"]
    folders = []
    for age_s, model in enumerate(models):
        folders.append(cache.fetch(model))
        os.utime(folders[-1], (age_s, age_s))
    assert [folder.is_dir() for folder in folders] == [False, True, True]


def test_one_model_above_the_limit_still_works(tmp_path: Path) -> None:
    store = FakeStore()
    assert ArtefactCache(tmp_path, store, limit_bytes=0).fetch(record(store, "m", {"a": b"one"})).is_dir()


def test_a_store_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = FakeStore()
    model = record(store, "m", {"a": b"one", "b": b"two"})
    del store.objects["m/b"]
    with pytest.raises(ThanosqlError):
        ArtefactCache(tmp_path, store, 1000).fetch(model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".", ".hidden", "/etc/passwd"])
def test_names_that_are_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    model = record(FakeStore(), "m", {name: b"one"})
    with pytest.raises(ThanosqlError) as caught:
        ArtefactCache(tmp_path, FakeStore(), 1000).fetch(model)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT


def test_a_model_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ThanosqlError, match="none"):
        ArtefactCache(tmp_path, FakeStore(), 1000).fetch(ModelRecord(name="m", version=1, artefacts=()))
