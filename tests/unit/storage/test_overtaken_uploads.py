"""Two calls of one upload: the later ends the earlier or is told to come again; they never share a part."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.storage.core.uploads import UploadLimits, Uploads, UploadStart
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import Reason, ThanosqlError

START = UploadStart(key="uploads/a", upload_id="1")
CONTENT = b"what the first call has sent"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LIMITS = UploadLimits(max_bytes=1000, keep_s=3600)


class SlowDirectory(LocalDirectory):
    """A store that puts files in their place when it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def take(self, key: str, path: Path, sha256: str) -> ObjectInfo:
        self.begun.set()
        assert self.go_on.wait(60)
        return super().take(key, path, sha256)


@pytest.fixture
def store(tmp_path: Path) -> SlowDirectory:
    return SlowDirectory(tmp_path / "objects")


@pytest.fixture
def uploads(tmp_path: Path, store: SlowDirectory) -> Uploads:
    return Uploads(tmp_path / "parts", store, LIMITS)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def committed(uploads: Uploads) -> Callable[[], ObjectInfo]:
    upload = uploads.open(START)
    upload.write(CONTENT)

    def commit() -> ObjectInfo:
        try:
            return upload.commit(SHA256)
        finally:
            upload.close()

    return commit


def test_every_call_is_told_to_come_again_while_a_file_is_put_in_its_place(
    uploads: Uploads,
    store: SlowDirectory,
    threads: ThreadPoolExecutor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.storage.core.arriving._WAIT_S", 0.01)
    first = threads.submit(committed(uploads))
    assert store.begun.wait(60)
    try:
        for _ in range(3):
            with pytest.raises(ThanosqlError, match="still at work") as caught:
                uploads.open(START)
            assert caught.value.reason is Reason.CONFLICT
    finally:
        store.go_on.set()
    assert first.result().sha256 == SHA256
    assert (tmp_path / "objects/uploads/a").read_bytes() == CONTENT
    again = uploads.open(START)
    again.write(b"new")
    assert (tmp_path / "objects/uploads/a").read_bytes() == CONTENT
    again.close()
