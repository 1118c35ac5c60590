"""Two calls of one upload: the later ends the earlier or is told to come again; they never share a part."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.storage.core.files.arriving import Arriving
from services.storage.core.files.uploads import UploadLimits, Uploads, UploadStart
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import Reason, ThanosqlError

START = UploadStart(key="uploads/a", upload_id="1")
CONTENT = b"what the first call has sent"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LIMITS = UploadLimits(max_bytes=1000, keep_s=3600, total_bytes=2500)


class SlowDirectory(LocalDirectory):
    """A store that puts files in their place when it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def take(self, key: str, path: Path, sha256: str) -> ObjectInfo:
        self.begun.set()
        assert self.go_on.wait(60)
        return super().take(key, path, sha256)


class EndlessDigest:
    """A digest of a file that grows as fast as it is hashed, until the test is over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.begun, self.enough = threading.Event(), threading.Event()

    def update(self, block: bytes) -> None:
        self.begun.set()
        if not self.enough.is_set():
            with self._path.open("ab") as file:
                file.write(b"x")


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
    monkeypatch.setattr("services.storage.core.files.arriving._WAIT_S", 0.01)
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


def test_a_call_that_still_hashes_what_is_here_ends_at_once(
    uploads: Uploads, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.storage.core.files.arriving._BLOCK_BYTES", 1)
    first = uploads.open(START)
    first.write(b"abc")
    first.close()
    older = uploads.open(UploadStart(key="uploads/a", upload_id="1", offset=3))
    digest = EndlessDigest(older.arriving.path)
    monkeypatch.setattr(older.arriving, "_digest", digest)
    writing = threads.submit(older.write, b"def")
    assert digest.begun.wait(60)
    try:
        newer = uploads.open(START)
    finally:
        digest.enough.set()
    with pytest.raises(ThanosqlError, match="another call goes on") as caught:
        writing.result()
    assert caught.value.reason is Reason.CONFLICT
    newer.write(CONTENT)
    assert newer.arriving.sha256() == SHA256
    newer.close()


def test_a_call_that_waits_for_an_earlier_one_holds_up_no_other_upload(
    uploads: Uploads, store: SlowDirectory, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = threading.Event()
    leave = Arriving.leave_to_another

    def told(arriving: Arriving) -> None:
        waiting.set()
        leave(arriving)

    monkeypatch.setattr("services.storage.core.files.arriving._WAIT_S", 60.0)
    monkeypatch.setattr(Arriving, "leave_to_another", told)
    threads.submit(committed(uploads))
    assert store.begun.wait(60)
    later = threads.submit(uploads.open, START)
    assert waiting.wait(60)
    timer = threading.Timer(20.0, store.go_on.set)
    timer.start()
    try:
        uploads.open(UploadStart(key="uploads/b", upload_id="1")).close()
        uploads.clean()
        assert not store.go_on.is_set()
    finally:
        store.go_on.set()
        timer.cancel()
    later.result().close()
