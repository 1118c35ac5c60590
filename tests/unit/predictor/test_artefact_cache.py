"""Model files: fetched once, verified always, given up when they grow."""

import hashlib
import os
import shutil
from collections.abc import Iterator
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


def fetch(cache: ArtefactCache, model: ModelRecord) -> Path:
    with cache.opened(model) as folder:
        return folder


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".locks")


def test_files_are_fetched_once(tmp_path: Path) -> None:
    store = FakeStore()
    cache = ArtefactCache(tmp_path / "cache", store, 1000)
    model = record(store, "m", {"a": b"one", "b": b"two"})
    first, second = fetch(cache, model), fetch(cache, model)
    assert first == second
    assert sorted(file.name for file in first.iterdir()) == ["a", "b"]
    assert sorted(store.fetched) == ["m/a", "m/b"]


def test_other_bytes_than_registered_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    store = FakeStore()
    model = record(store, "m", {"a": b"one"})
    store.objects["m/a"] = b"two"
    with pytest.raises(ThanosqlError, match="file 'a' of model 'm' version 1 is damaged at 'm/a'") as caught:
        fetch(ArtefactCache(tmp_path / "cache", store, 1000), model)
    assert caught.value.reason is Reason.CHECKSUM_MISMATCH
    assert kept(tmp_path / "cache") == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"onf"),
        lambda file: file.write_bytes(b"on"),
        lambda file: file.write_bytes(b"one."),
        lambda file: file.unlink(),
        lambda file: file.with_name("pytorch_model.bin").write_bytes(b"more"),
        lambda file: (file.unlink(), file.mkdir()),
    ],
    ids=["flipped", "shortened", "longer", "missing", "an extra file", "a folder"],
)
def test_a_damaged_cache_is_fetched_again(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    store = FakeStore()
    cache = ArtefactCache(tmp_path / "cache", store, 1000)
    model = record(store, "m", {"a": b"one"})
    damage(fetch(cache, model) / "a")
    folder = fetch(cache, model)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"a": b"one"}
    assert len(store.fetched) == 2


def test_the_least_recently_used_is_given_up(tmp_path: Path) -> None:
    store = FakeStore()
    cache = ArtefactCache(tmp_path / "cache", store, limit_bytes=250)
    models = [record(store, name, {"a": name.encode() * 100}) for name in "xyz"]
    folders = []
    for age_s, model in enumerate(models):
        folders.append(fetch(cache, model))
        os.utime(folders[-1], (age_s, age_s))
    assert [folder.is_dir() for folder in folders] == [False, True, True]


def test_one_model_above_the_limit_still_works(tmp_path: Path) -> None:
    store = FakeStore()
    assert fetch(ArtefactCache(tmp_path, store, limit_bytes=0), record(store, "m", {"a": b"one"})).is_dir()


def test_a_store_that_fails_leaves_nothing(tmp_path: Path) -> None:
    store = FakeStore()
    model = record(store, "m", {"a": b"one", "b": b"two"})
    del store.objects["m/b"]
    with pytest.raises(ThanosqlError):
        fetch(ArtefactCache(tmp_path, store, 1000), model)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("name", ["../a", "a/b", "", ".", ".hidden", "/etc/passwd"])
def test_names_that_are_no_file_names_are_refused(tmp_path: Path, name: str) -> None:
    model = record(FakeStore(), "m", {name: b"one"})
    with pytest.raises(ThanosqlError) as caught:
        fetch(ArtefactCache(tmp_path, FakeStore(), 1000), model)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT


def test_a_model_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ThanosqlError, match="none"):
        fetch(ArtefactCache(tmp_path, FakeStore(), 1000), ModelRecord(name="m", version=1, artefacts=()))


def test_what_is_being_read_is_not_given_up(tmp_path: Path) -> None:
    store = FakeStore()
    reader, other = (ArtefactCache(tmp_path, store, limit_bytes=0) for _ in range(2))
    with reader.opened(record(store, "m", {"a": b"one"})) as folder:
        os.utime(folder, (0, 0))
        fetch(other, record(store, "n", {"a": b"two"}))
        assert (folder / "a").read_bytes() == b"one"
    fetch(other, record(store, "n", {"a": b"two"}))
    assert not folder.exists()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    store = FakeStore()
    model, other = record(store, "m", {"a": b"one"}), record(store, "n", {"a": b"two"})
    for name in (f".{model.fingerprint}.0123", f".{other.fingerprint}.4567"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_bytes(b"hal")
    fetch(ArtefactCache(tmp_path, store, 1000), model)
    assert kept(tmp_path) == [model.fingerprint]


def test_what_another_process_is_fetching_is_left_to_it(tmp_path: Path) -> None:
    store = FakeStore()
    slow, other = record(store, "m", {"a": b"one"}), record(store, "n", {"a": b"two"})

    class SlowStore(FakeStore):
        def download_to(self, key: str, path: Path) -> None:
            fetch(ArtefactCache(tmp_path, store, 0), other)
            store.download_to(key, path)

    assert (fetch(ArtefactCache(tmp_path, SlowStore(), 1000), slow) / "a").read_bytes() == b"one"


def test_a_folder_that_goes_away_while_sizes_are_counted_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FakeStore()
    cache = ArtefactCache(tmp_path, store, limit_bytes=0)
    fetch(cache, record(store, "m", {"a": b"one"}))
    listed = Path.iterdir

    def remove_and_list(folder: Path) -> Iterator[Path]:
        files = list(listed(folder))
        if (folder / "a").read_bytes() == b"one":
            shutil.rmtree(folder)
        return iter(files)

    monkeypatch.setattr(Path, "iterdir", remove_and_list)
    assert fetch(cache, record(store, "n", {"a": b"two"})).is_dir()
