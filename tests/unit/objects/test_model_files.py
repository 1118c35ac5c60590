"""Every file of a model is compared with what was registered, wherever it is read from."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.s3_servers import new_bucket, s3_server
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.model_files import ModelFiles
from thanosql_objects.opening import open_objects
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError

MEND = "restore it from a backup, or build or upload the model again"


@dataclass(frozen=True, kw_only=True)
class File:
    key: str
    name: str
    sha256: str
    size_bytes: int


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return LocalDirectory(tmp_path / "objects")
    return open_objects(new_bucket(request.getfixturevalue("s3_endpoint"))).store


@pytest.fixture
def files(store: ObjectStore) -> ModelFiles:
    registered = []
    for name, content in {"config.json": b"{}", "w": b"weights"}.items():
        store.write(f"models/m/{name}", [content])
        sha256 = hashlib.sha256(content).hexdigest()
        registered.append(File(key=f"models/m/{name}", name=name, sha256=sha256, size_bytes=len(content)))
    return ModelFiles(model="m", version=2, files=registered)


def failure_of(call: Callable[[], object]) -> tuple[Reason, str]:
    with pytest.raises(ThanosqlError) as caught:
        call()
    assert caught.value.metadata["model"] == "m"
    return caught.value.reason, caught.value.message


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_files_arrive_as_they_were_registered(files: ModelFiles, store: ObjectStore, tmp_path: Path) -> None:
    files.fetch(store, tmp_path / "cache")
    assert (tmp_path / "cache" / "w").read_bytes() == b"weights"
    files.require_stored(store)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"weighty", f"its SHA-256 is {digest(b'weighty')}, and {digest(b'weights')} was registered"),
        (b"weight", "it has 6 bytes, and 7 were registered"),
        (b"", "it has 0 bytes, and 7 were registered"),
        (b"weights.", "it has 8 bytes, and 7 were registered"),
    ],
    ids=["flipped", "shortened", "empty", "longer"],
)
def test_a_damaged_file_is_named_with_its_model(
    files: ModelFiles, store: ObjectStore, tmp_path: Path, content: bytes, what: str
) -> None:
    store.write("models/m/w", [content])
    expected = f"file 'w' of model 'm' version 2 is damaged at 'models/m/w': {what}; {MEND}"
    for call in (lambda: files.fetch(store, tmp_path / "cache"), lambda: files.require_stored(store)):
        assert failure_of(call) == (Reason.CHECKSUM_MISMATCH, expected)


def test_a_missing_file_is_named_with_its_model(
    files: ModelFiles, store: ObjectStore, tmp_path: Path
) -> None:
    store.delete("models/m/w")
    assert failure_of(lambda: files.fetch(store, tmp_path / "cache")) == (
        Reason.FILE_NOT_FOUND,
        f"file 'w' of model 'm' version 2 is missing in the object store, at 'models/m/w'; {MEND}",
    )


def test_a_copy_that_is_damaged_is_named_by_its_own_place(
    files: ModelFiles, store: ObjectStore, tmp_path: Path
) -> None:
    files.fetch(store, tmp_path / "cache")
    (tmp_path / "cache" / "w").write_bytes(b"weight")
    reason, message = failure_of(lambda: files.require_intact(tmp_path / "cache"))
    assert reason is Reason.CHECKSUM_MISMATCH
    assert f"'w' of model 'm' version 2 is damaged at '{tmp_path / 'cache' / 'w'}'" in message
    (tmp_path / "cache" / "w").unlink()
    reason, message = failure_of(lambda: files.require_intact(tmp_path / "cache"))
    assert reason is Reason.FILE_NOT_FOUND
    assert f"'w' of model 'm' version 2 is missing in '{tmp_path / 'cache'}'" in message


def test_an_extra_file_is_named_with_its_model(files: ModelFiles, store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    files.fetch(store, tmp_path / "cache")
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "cache" / "pytorch_model.bin")
    assert failure_of(lambda: files.require_intact(tmp_path / "cache")) == (
        Reason.CHECKSUM_MISMATCH,
        f"'{tmp_path / 'cache'}' has 'pytorch_model.bin', which is no file of model 'm' version 2; remove it",
    )


def test_what_else_lies_beside_a_model_in_the_store_is_never_read(
    files: ModelFiles, store: ObjectStore, tmp_path: Path
) -> None:
    store.write("models/m/pytorch_model.bin", [b"a pickle"])
    files.fetch(store, tmp_path / "cache")
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["config.json", "w"]
