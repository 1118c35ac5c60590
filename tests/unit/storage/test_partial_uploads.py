"""What is kept of uploads that broke: for how long, and what a full disk does."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.storage.core.files.uploads import UploadLimits, Uploads, UploadStart
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import Reason, ThanosqlError

START = UploadStart(key="uploads/a", upload_id="1")


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        import time

        return time.time() + self.ahead_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def uploads(tmp_path: Path, clock: Clock) -> Uploads:
    limits = UploadLimits(max_bytes=1000, keep_s=3600, total_bytes=2500)
    return Uploads(tmp_path / "parts", LocalDirectory(tmp_path / "objects"), limits, clock)


def kept(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "parts").rglob("*") if path.is_file()]


def broken(uploads: Uploads, content: bytes = b"abc", start: UploadStart = START) -> None:
    upload = uploads.open(start)
    upload.write(content)
    upload.close()


def complete(uploads: Uploads, start: UploadStart) -> None:
    upload = uploads.open(start)
    upload.write(b"abc")
    upload.commit(hashlib.sha256(b"abc").hexdigest())
    upload.close()


def test_what_is_kept_is_removed_in_time_and_not_before(
    uploads: Uploads, clock: Clock, tmp_path: Path
) -> None:
    broken(uploads)
    clock.ahead_s = 3500
    assert uploads.clean() == 0
    assert uploads.state("uploads/a", "1").received_bytes == 3
    clock.ahead_s = 3700
    assert uploads.clean() == 1
    assert uploads.state("uploads/a", "1").received_bytes == 0
    assert kept(tmp_path) == []


def test_an_upload_that_goes_on_is_never_removed(uploads: Uploads, clock: Clock) -> None:
    upload = uploads.open(START)
    upload.write(b"abc")
    clock.ahead_s = 1e6
    assert uploads.clean() == 0
    assert upload.commit(hashlib.sha256(b"abc").hexdigest()).size_bytes == 3
    upload.close()


def test_what_says_that_an_upload_is_complete_goes_too(
    uploads: Uploads, clock: Clock, tmp_path: Path
) -> None:
    upload = uploads.open(START)
    upload.write(b"abc")
    file = upload.commit(hashlib.sha256(b"abc").hexdigest())
    upload.close()
    assert uploads.state("uploads/a", "1").file == file
    clock.ahead_s = 3700
    uploads.clean()
    assert kept(tmp_path) == []
    assert LocalDirectory(tmp_path / "objects").read("uploads/a") == b"abc"


def test_what_an_earlier_release_said_about_complete_uploads_goes_in_time(
    uploads: Uploads, clock: Clock, tmp_path: Path
) -> None:
    broken(uploads)
    (tmp_path / "parts" / "0123.done").write_text("{}")
    clock.ahead_s = 3700
    uploads.clean()
    assert kept(tmp_path) == []


def test_an_upload_does_not_look_through_those_that_are_complete(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[Path] = []
    iterdir = Path.iterdir

    def look(folder: Path) -> Iterator[Path]:
        for path in iterdir(folder):
            looked_at.append(path)
            yield path

    for number in range(3):
        complete(uploads, UploadStart(key=f"uploads/{number}", upload_id="1"))
    monkeypatch.setattr(Path, "iterdir", look)
    complete(uploads, START)
    assert [path for path in looked_at if path.suffix == ".done"] == []


def test_nothing_is_kept_without_an_id(uploads: Uploads, tmp_path: Path) -> None:
    broken(uploads, start=UploadStart(key="uploads/a"))
    assert kept(tmp_path) == []


def test_a_file_that_grows_too_large_is_refused_and_forgotten(uploads: Uploads) -> None:
    broken(uploads, b"x" * 900)
    upload = uploads.open(UploadStart(key="uploads/a", upload_id="1", offset=900))
    with pytest.raises(ThanosqlError) as caught:
        upload.write(b"x" * 101)
    upload.close()
    assert caught.value.reason is Reason.INVALID_DATA
    assert uploads.state("uploads/a", "1").received_bytes == 0


def test_a_full_disk_says_so_and_keeps_what_came_before(uploads: Uploads) -> None:
    upload = uploads.open(START)
    upload.write(b"abc")
    upload.arriving._file.close()
    upload.arriving._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115
    with pytest.raises(ThanosqlError, match="No space left") as caught:
        upload.write(b"def")
    upload.close()
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert uploads.state("uploads/a", "1").received_bytes == 3


@pytest.mark.parametrize("method", ["open", "mkdir"])
def test_a_disk_that_is_full_from_the_start_says_so(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, method, full)
        with pytest.raises(ThanosqlError, match="No space left") as caught:
            uploads.open(START)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    complete(uploads, START)


def test_a_file_is_uploaded_though_the_disk_does_not_take_the_record_of_it(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        complete(uploads, START)
    assert uploads.state("uploads/a", "1").file is None
    complete(uploads, START)


def test_an_upload_can_be_begun_again_when_the_record_of_it_could_not_be_removed(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete(uploads, START)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", full)
        with pytest.raises(ThanosqlError) as caught:
            uploads.open(START)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert not uploads._open
    complete(uploads, START)


def test_an_upload_that_begins_again_has_the_room_of_what_came_of_it(tmp_path: Path) -> None:
    limits = UploadLimits(max_bytes=1000, keep_s=3600, total_bytes=2500)
    store = LocalDirectory(tmp_path / "objects")
    parts = tmp_path / "parts"

    def free_bytes(_folder: Path) -> int:
        return 1000 - sum(path.stat().st_size for path in parts.rglob("*") if path.is_file())

    uploads = Uploads(parts, store, limits, free_bytes=free_bytes)
    start = UploadStart(key="uploads/a", upload_id="1", size_bytes=900)
    broken(uploads, b"x" * 600, start)
    broken(uploads, b"x" * 900, start)
    assert uploads.state("uploads/a", "1").received_bytes == 900


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_store_that_fails_keeps_what_has_arrived(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> ObjectInfo:
        raise ThanosqlError(reason=Reason.STORE_UNAVAILABLE, message="away")

    upload = uploads.open(START)
    upload.write(b"abc")
    with monkeypatch.context() as patch:
        patch.setattr(LocalDirectory, "take", fail)
        with pytest.raises(ThanosqlError, match="away"):
            upload.commit(hashlib.sha256(b"abc").hexdigest())
    upload.close()
    again = uploads.open(UploadStart(key="uploads/a", upload_id="1", offset=3))
    assert again.commit(hashlib.sha256(b"abc").hexdigest()).size_bytes == 3
    again.close()


def test_a_file_under_a_file_is_refused(uploads: Uploads) -> None:
    for key, reason in (("uploads/a", None), ("uploads/a/b", Reason.INVALID_ARGUMENT)):
        upload = uploads.open(UploadStart(key=key))
        upload.write(b"abc")
        if reason is None:
            upload.commit("")
        else:
            with pytest.raises(ThanosqlError) as caught:
                upload.commit("")
            assert caught.value.reason is reason
        upload.close()


def test_an_upload_that_can_go_on_is_not_complete_without_its_digest(
    uploads: Uploads, tmp_path: Path
) -> None:
    broken(uploads, b"of one file, ")
    upload = uploads.open(UploadStart(key="uploads/a", upload_id="1", offset=13))
    upload.write(b"and of another")
    with pytest.raises(ThanosqlError, match="SHA-256") as caught:
        upload.commit("")
    upload.close()
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    assert not (tmp_path / "objects" / "uploads" / "a").exists()


def aged(tmp_path: Path, age_s: float) -> None:
    """Let what is kept be older than it is."""
    for path in (tmp_path / "parts").iterdir():
        status = path.stat()
        os.utime(path, (status.st_atime, status.st_mtime - age_s))


def of(upload_id: str, size_bytes: int | None = None) -> UploadStart:
    return UploadStart(key="uploads/a", upload_id=upload_id, size_bytes=size_bytes)


@pytest.mark.parametrize("size_bytes", [900, None])
def test_the_upload_that_was_left_first_makes_room_for_another(
    uploads: Uploads, tmp_path: Path, size_bytes: int | None
) -> None:
    for upload_id in ("first", "second"):
        broken(uploads, b"x" * 900, of(upload_id))
        aged(tmp_path, 10)
    upload = uploads.open(of("third", size_bytes))
    upload.write(b"x" * 900)
    upload.close()
    kept = [uploads.state("uploads/a", name).received_bytes for name in ("first", "second", "third")]
    assert kept == [0, 900, 900]


def test_an_upload_that_goes_on_is_not_given_up_for_itself(uploads: Uploads, tmp_path: Path) -> None:
    for upload_id in ("first", "second"):
        broken(uploads, b"x" * 900, of(upload_id))
        aged(tmp_path, 10)
    uploads.open(UploadStart(key="uploads/a", upload_id="first", offset=900, size_bytes=1000)).close()
    assert uploads.state("uploads/a", "second").received_bytes == 900


def test_uploads_that_are_at_work_are_not_given_up_and_another_is_told_to_come_again(
    uploads: Uploads,
) -> None:
    upload, announced = uploads.open(of("first")), uploads.open(of("second", 1000))
    upload.write(b"x" * 900)
    with pytest.raises(ThanosqlError, match="THANOSQL_STORAGE__KEEP_UPLOADS_BYTES") as caught:
        uploads.open(of("third", 1000))
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_delay_s is not None
    uploads.open(of("third", 600)).close()
    announced.close()
    uploads.open(of("third", 1000)).close()
    assert upload.commit(hashlib.sha256(b"x" * 900).hexdigest()).size_bytes == 900
    upload.close()


def test_an_id_means_nothing_for_another_path(uploads: Uploads) -> None:
    broken(uploads, start=UploadStart(key="uploads/a", upload_id="b\nc"))
    assert uploads.state("uploads/a\nb", "c").received_bytes == 0


@pytest.mark.parametrize("offset", [0, 3])
def test_a_file_that_cannot_fit_on_the_disk_is_refused_at_its_start(tmp_path: Path, offset: int) -> None:
    limits = UploadLimits(max_bytes=1000, keep_s=3600, total_bytes=2500)
    free = [1000]
    store = LocalDirectory(tmp_path / "objects")
    uploads = Uploads(tmp_path / "parts", store, limits, free_bytes=lambda _folder: free[0])
    if offset:
        broken(uploads)
    start = UploadStart(key="uploads/a", upload_id="1", offset=offset, size_bytes=500 + offset)
    free[0] = 499
    with pytest.raises(ThanosqlError) as caught:
        uploads.open(start)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert "500 bytes of it are to come, and the server's disk has 499 left" in caught.value.message
    assert sum(path.stat().st_size for path in kept(tmp_path)) == offset
    free[0] = 500
    uploads.open(start).close()


def test_a_file_of_unknown_size_is_taken_in_until_the_disk_is_full(tmp_path: Path) -> None:
    limits = UploadLimits(max_bytes=1000, keep_s=3600, total_bytes=2500)
    store = LocalDirectory(tmp_path / "objects")
    uploads = Uploads(tmp_path / "parts", store, limits, free_bytes=lambda _folder: 0)
    broken(uploads)
    assert uploads.state("uploads/a", "1").received_bytes == 3
