"""Folders of very many files: what a listing in pages reads, and what a recording costs on a server."""

import io
import os
import threading
import wave
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.storage.core.copying.probing import looked
from services.storage.core.keeping.headers import look_at
from services.storage.core.types import Recording
from tests.s3_servers import Application, new_bucket, s3_server
from thanosql_objects import folder_names
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError

NAMES = [f"folder/{number:03}" for number in range(30)]


def paged(store: ObjectStore, prefix: str = "", size: int = 4) -> list[str]:
    found, token = [], ""
    while True:
        page = store.list(prefix, page_token=token, page_size=size)
        found += [info.key for info in page.objects]
        token = page.next_page_token
        if not token:
            return found


@pytest.fixture
def read_folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every folder that was read, where ten names are very many."""
    read: list[Path] = []
    scandir = os.scandir

    def counted(folder: Path) -> Any:
        read.append(Path(folder))
        return scandir(folder)

    monkeypatch.setattr(folder_names, "_FEWEST", 10)
    monkeypatch.setattr(os, "scandir", counted)
    return read


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A folder of many files that nobody has changed for a while."""
    for name in [*NAMES, "before", "folder-b", "z/1"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    os.utime(tmp_path / "folder", (1e9, 1e9))
    return tmp_path


def test_a_large_folder_is_read_once_for_all_its_pages(large: Path, read_folders: list[Path]) -> None:
    assert paged(LocalDirectory(large)) == sorted(["before", "folder-b", *NAMES, "z/1"])
    assert read_folders.count(large / "folder") == 1


def test_a_folder_that_changed_is_read_again(large: Path, read_folders: list[Path]) -> None:
    store = LocalDirectory(large)
    assert paged(store, "folder/") == NAMES
    (large / "folder" / "100").touch()
    assert paged(store, "folder/") == [*NAMES, "folder/100"]
    (large / "folder" / "000").unlink()
    assert paged(store, "folder/") == [*NAMES[1:], "folder/100"]


def test_only_names_that_the_prefix_allows_are_looked_at(large: Path) -> None:
    store = LocalDirectory(large)
    assert paged(store, "folder/01") == NAMES[10:20]
    assert paged(store, "folder") == sorted(["folder-b", *NAMES])
    assert paged(store, "folder/9") == []


@pytest.fixture
def requests() -> Counter[str]:
    return Counter()


@pytest.fixture
def objects(requests: Counter[str]) -> Iterator[Objects]:
    """A bucket whose requests are counted by their method."""
    guard = threading.Lock()

    def counting(application: Application) -> Application:
        def answer(environment: dict[str, Any], start: Any) -> Iterable[bytes]:
            with guard:
                requests[environment["REQUEST_METHOD"]] += 1
            return application(environment, start)

        return answer

    with s3_server(counting) as endpoint:
        yield open_objects(new_bucket(endpoint))


def recording(seconds: float) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * int(16000 * seconds)))
    return content.getvalue()


@pytest.mark.parametrize("seconds", [0.1, 60.0])
def test_the_header_of_a_recording_costs_one_request(
    objects: Objects, requests: Counter[str], seconds: float
) -> None:
    paths = [f"uploads/{number}.wav" for number in range(5)]
    for path in paths:
        objects.store.write(path, [recording(seconds)])
    requests.clear()
    look = partial(look_at, objects.workspace)
    found = [item for _, item in looked(look, paths, lambda path: path, lambda: None)]
    assert [item.duration_s for item in found if isinstance(item, Recording)] == [seconds] * 5
    assert requests == {"GET": 5}


@pytest.mark.parametrize("size_bytes", [0, 1, 262_144, 262_145, 1_000_000])
def test_an_object_of_any_size_is_read_from_anywhere(
    objects: Objects, requests: Counter[str], size_bytes: int
) -> None:
    content = os.urandom(size_bytes)
    objects.store.write("k", [content])
    requests.clear()
    with objects.store.open("k") as file:
        assert file.read() == content
        assert file.seek(0, io.SEEK_END) == size_bytes
        assert file.read() == b""
        for begin in (0, size_bytes // 2, max(0, size_bytes - 1)):
            file.seek(begin)
            assert file.read(1000) == content[begin : begin + 1000]
    assert requests["HEAD"] == 0
    assert requests["GET"] <= 4


@pytest.mark.parametrize("size_bytes", [0, 1, 262_145, 1_000_000])
def test_an_object_that_is_read_whole_costs_one_request(
    objects: Objects, requests: Counter[str], size_bytes: int
) -> None:
    content = os.urandom(size_bytes)
    objects.store.write("uploads/k", [content])
    requests.clear()
    with objects.workspace.open("uploads/k", whole=True) as file:
        assert file.read(100_000) == content[:100_000]
        assert file.read() == content[100_000:]
        assert file.read() == b""
    assert requests == {"GET": 1}


def test_an_object_that_was_to_be_read_whole_may_be_sought_in_and_left(objects: Objects) -> None:
    content = os.urandom(1_000_000)
    objects.store.write("uploads/k", [content])
    for _ in range(20):  # More than there are connections.
        with objects.workspace.open("uploads/k", whole=True) as file:
            assert file.read(10) == content[:10]
            file.seek(500_000)
            assert file.read(10) == content[500_000:500_010]
    with pytest.raises(ThanosqlError) as caught:
        objects.workspace.open("uploads/none", whole=True)
    assert caught.value.reason is Reason.FILE_NOT_FOUND


def test_a_page_of_a_thousand_costs_one_request(objects: Objects, requests: Counter[str]) -> None:
    for number in range(3):
        objects.store.write(f"uploads/{number}", [b"x"])
    requests.clear()
    assert len(objects.store.list("uploads/", page_size=1000).objects) == 3
    assert paged(objects.store, "uploads/", 1) == [f"uploads/{number}" for number in range(3)]
    assert requests == {"GET": 4}
