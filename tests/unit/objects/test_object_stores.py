"""One suite for every object store: whatever keeps the bytes, the promises are the same."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from minio import Minio

from tests.s3_servers import s3_server
from thanosql_objects.bucket import Bucket
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["directory", "bucket", "prefix of a bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return LocalDirectory(tmp_path / "objects")
    endpoint = request.getfixturevalue("s3_endpoint")
    client = Minio(
        endpoint=endpoint, access_key="user", secret_key="secret", region="us-east-1", secure=False
    )
    prefix = "inside/" if request.param.startswith("prefix") else ""
    bucket = Bucket(client, f"b{uuid.uuid4().hex}", prefix=prefix)
    bucket.check()
    return bucket


def reason(caught: pytest.ExceptionInfo[ThanosqlError]) -> Reason:
    return caught.value.reason


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix).objects]


def test_an_object_reads_back_as_it_was_written(store: ObjectStore) -> None:
    info = store.write("a/b.bin", [b"one", b"", b"two"])
    assert store.read("a/b.bin") == b"onetwo"
    assert (info.key, info.size_bytes) == ("a/b.bin", 6)
    assert info.sha256 == hashlib.sha256(b"onetwo").hexdigest()


def test_an_empty_object_exists(store: ObjectStore) -> None:
    store.write("empty", [])
    assert store.exists("empty")
    assert store.read("empty") == b""


def test_an_object_of_several_parts_is_whole(store: ObjectStore, tmp_path: Path) -> None:
    content = os.urandom((17 << 20) + 1)
    (tmp_path / "large").write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    info = store.take("large", tmp_path / "large", sha256)
    assert (info.size_bytes, info.sha256) == (len(content), sha256)
    assert store.read("large") == content


def test_open_streams_and_closes(store: ObjectStore) -> None:
    store.write("big", [b"x" * 700_000, b"tail"])
    with store.open("big") as file:
        assert file.read(10) == b"x" * 10
        rest = file.read()
    assert rest.endswith(b"tail")
    assert len(rest) == 700_004 - 10


def test_an_open_object_can_be_sought_in(store: ObjectStore) -> None:
    store.write("k", [bytes(range(256)) * 4000])
    with store.open("k") as file:
        assert file.seekable()
        file.seek(-2, 2)
        assert file.read() == b"\xfe\xff"
        file.seek(256 * 3000 + 7)
        assert file.read(2) == b"\x07\x08"
        file.seek(0)
        assert file.read(1) == b"\x00"
        assert file.tell() == 1
        file.seek(10**9)
        assert file.read() == b""


def test_a_second_write_replaces_the_first(store: ObjectStore) -> None:
    store.write("k", [b"old and longer"])
    store.write("k", [b"new"])
    assert store.read("k") == b"new"


def test_an_object_is_created_only_where_there_is_none(store: ObjectStore) -> None:
    assert store.create("a/b", b"first")
    assert not store.create("a/b", b"second")
    assert store.read("a/b") == b"first"


def test_of_several_that_create_one_object_one_wins(store: ObjectStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: store.create("a/b", b"%d" % number), range(8)))
    assert sum(won) == 1
    assert store.read("a/b") == b"%d" % won.index(True)


def test_a_writer_that_fails_leaves_the_old_object_and_nothing_else(store: ObjectStore) -> None:
    store.write("k", [b"old"])

    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("source died")

    with pytest.raises(RuntimeError, match="source died"):
        store.write("k", chunks())
    with pytest.raises(RuntimeError, match="source died"):
        store.write("fresh", chunks())
    assert store.read("k") == b"old"
    assert keys(store) == ["k"]


def test_a_full_disk_is_the_stores_failure_and_leaves_nothing(store: ObjectStore) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises((ThanosqlError, OSError)):
        store.write("fresh", chunks())
    assert keys(store) == []


def test_what_is_removed_while_it_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalDirectory(tmp_path)
    for key in ("a", "b", "folder/c"):
        store.write(key, [b"x"])
    read = os.scandir

    def vanishing(folder: Path) -> list[os.DirEntry[str]]:
        with read(folder) as found:
            entries = list(found)
        for key in ("b", "folder/c"):
            (tmp_path / key).unlink(missing_ok=True)
        if (tmp_path / "folder").is_dir():
            (tmp_path / "folder").rmdir()
        return entries

    monkeypatch.setattr(os, "scandir", vanishing)
    assert keys(store) == ["a"]


def test_folders_are_named_without_what_is_in_them(store: ObjectStore) -> None:
    for key in ("a/b/c", "a/d", "a-b/e", "top", "a/b/f"):
        store.write(key, [b"x"])
    assert store.folders() == ("a", "a-b")
    assert store.folders("a/") == ("b",)
    assert store.folders("nowhere/") == ()


def test_missing_objects_are_named_with_their_nearest(store: ObjectStore) -> None:
    store.write("audio/clip_001.flac", [b"x"])
    for attempt in (
        lambda: store.read("audio/clip_01.flac"),
        lambda: store.open("audio/clip_01.flac"),
        lambda: store.stat("audio/clip_01.flac"),
        lambda: store.read("audoi/clip_001.flac"),
    ):
        with pytest.raises(ThanosqlError) as caught:
            attempt()
        assert reason(caught) is Reason.FILE_NOT_FOUND
        assert "audio/clip_001.flac" in caught.value.message
    assert not store.exists("audio/clip_01.flac")


def test_a_folder_is_not_an_object(store: ObjectStore) -> None:
    store.write("folder/x", [b"1"])
    assert not store.exists("folder")
    with pytest.raises(ThanosqlError) as caught:
        store.read("folder")
    assert reason(caught) is Reason.FILE_NOT_FOUND


@pytest.mark.parametrize(
    "key", ["/etc/passwd", "../x", "a/../../x", "a/..", "~/x", "C:/x", "\\x", "a\\..\\b"]
)
def test_keys_that_leave_are_refused(store: ObjectStore, key: str) -> None:
    for attempt in (
        lambda: store.read(key),
        lambda: store.write(key, [b"x"]),
        lambda: store.delete(key),
        lambda: store.stat(key),
        lambda: store.list(key),
    ):
        with pytest.raises(ThanosqlError) as caught:
            attempt()
        assert reason(caught) is Reason.PATH_OUTSIDE_WORKSPACE


@pytest.mark.parametrize("key", ["", ".", "./", "a\0b", "k" * 2000])
def test_keys_that_name_nothing_are_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(ThanosqlError) as caught:
        store.write(key, [b"x"])
    assert reason(caught) is Reason.INVALID_ARGUMENT


def test_equal_spellings_name_one_object(store: ObjectStore) -> None:
    store.write("./a//b", [b"x"])
    assert store.read("a/b") == b"x"


def test_keys_may_hold_spaces_and_any_script(store: ObjectStore) -> None:
    for key in ("with space.txt", "한국어/음성.flac", "plus+percent%20.txt"):
        store.write(key, [key.encode()])
        assert store.read(key) == key.encode()
    assert sorted(keys(store)) == sorted(["with space.txt", "한국어/음성.flac", "plus+percent%20.txt"])


def test_listing_is_ordered_and_pages_cover_it_once(store: ObjectStore) -> None:
    names = ["a", "a.b", "a-b/c", "ab/x", "ab/y/z", "b", "ab.x"]
    for name in names:
        store.write(name, [name.encode()])
    assert keys(store) == sorted(names)
    seen, token = [], ""
    while True:
        page = store.list(page_token=token, page_size=2)
        seen += [info.key for info in page.objects]
        assert len(page.objects) <= 2
        token = page.next_page_token
        if not token:
            break
    assert seen == sorted(names)


def test_a_prefix_may_end_anywhere(store: ObjectStore) -> None:
    for name in ("ab/x", "ab/y", "abc", "b"):
        store.write(name, [b"1"])
    assert keys(store, "ab") == ["ab/x", "ab/y", "abc"]
    assert keys(store, "ab/") == ["ab/x", "ab/y"]
    assert keys(store, "nope/") == []


def test_stat_knows_the_size(store: ObjectStore) -> None:
    store.write("k", [b"12345"])
    assert store.stat("k").size_bytes == 5
    assert store.list("k").objects[0].size_bytes == 5
    assert store.stat("k").modified_s > 1e9


def test_delete_is_idempotent_and_delete_prefix_counts(store: ObjectStore) -> None:
    for name in ("m/1/a", "m/1/b", "m/10/a", "n"):
        store.write(name, [b"1"])
    store.delete("n")
    store.delete("n")
    assert store.delete_prefix("m/1/") == 2
    assert keys(store) == ["m/10/a"]
    assert store.delete_prefix("nothing/") == 0


def test_files_go_up_and_come_down(store: ObjectStore, tmp_path: Path) -> None:
    source, goal = tmp_path / "up", tmp_path / "down"
    source.write_bytes(b"y" * 1_000_001)
    info = store.upload_from("x/y", source)
    assert info.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert store.download_to("x/y", goal).size_bytes == 1_000_001
    assert goal.read_bytes() == source.read_bytes()


def test_download_of_a_missing_object_leaves_no_file(store: ObjectStore, tmp_path: Path) -> None:
    goal = tmp_path / "down"
    with pytest.raises(ThanosqlError):
        store.download_to("missing", goal)
    assert not goal.exists()


def test_a_read_stops_at_its_limit(store: ObjectStore) -> None:
    store.write("k", [b"12345"])
    assert store.read("k", limit_bytes=5) == b"12345"
    with pytest.raises(ThanosqlError) as caught:
        store.read("k", limit_bytes=4)
    assert reason(caught) is Reason.INVALID_DATA


def test_threads_share_a_store(store: ObjectStore) -> None:
    def write_and_read(number: int) -> bytes:
        store.write(f"k/{number}", [str(number).encode()])
        return store.read(f"k/{number}")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write_and_read, range(24)))
    assert answers == [str(number).encode() for number in range(24)]
    assert len(keys(store, "k/")) == 24


def test_writes_and_deletes_in_one_folder_do_not_disturb_each_other(store: ObjectStore) -> None:
    def churn(number: int) -> None:
        for _ in range(10):
            store.write(f"folder/{number}", [b"x"])
            assert store.read(f"folder/{number}") == b"x"
            store.delete(f"folder/{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, range(4)))
    assert keys(store) == []


def test_concurrent_writers_of_one_key_leave_one_of_their_values(store: ObjectStore) -> None:
    values = [bytes([65 + n]) * 10_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda value: store.write("k", [value]), values))
    assert store.read("k") in values
    assert keys(store) == ["k"]


class TestLocalDirectory:
    """What only a file system can do to a store."""

    def test_links_that_lead_out_are_refused_and_not_listed(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("s")
        root = tmp_path / "root"
        root.mkdir()
        (root / "link").symlink_to(tmp_path / "secret")
        (root / "folder").symlink_to(tmp_path)
        (root / "loop").symlink_to(root)
        store = LocalDirectory(root)
        for key in ("link", "folder/secret"):
            with pytest.raises(ThanosqlError) as caught:
                store.read(key)
            assert reason(caught) is Reason.PATH_OUTSIDE_WORKSPACE
        assert keys(store) == []

    def test_links_that_stay_inside_are_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real.txt").write_text("s")
        (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
        assert LocalDirectory(tmp_path).read("link.txt") == b"s"

    def test_a_read_only_store_refuses_changes(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("1")
        store = LocalDirectory(tmp_path, read_only=True)
        assert store.read("a") == b"1"
        for attempt in (lambda: store.write("b", [b""]), lambda: store.delete("a")):
            with pytest.raises(ThanosqlError) as caught:
                attempt()
            assert reason(caught) is Reason.STORE_READ_ONLY
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]

    def test_a_missing_directory_is_an_unavailable_store(self, tmp_path: Path) -> None:
        store = LocalDirectory(tmp_path / "nowhere", read_only=True)
        assert keys(store) == []
        with pytest.raises(ThanosqlError):
            store.check()

    def test_delete_leaves_no_empty_folders(self, tmp_path: Path) -> None:
        store = LocalDirectory(tmp_path)
        store.write("a/b/c", [b"1"])
        store.delete("a/b/c")
        assert not (tmp_path / "a").exists()


class TestBucket:
    """What only a server can do to a store."""

    def test_a_server_that_is_not_there_is_an_unavailable_store(self) -> None:
        import urllib3

        pool = urllib3.PoolManager(timeout=0.5, retries=False)
        client = Minio(
            endpoint="127.0.0.1:1", access_key="a", secret_key="b", secure=False, region="x", http_client=pool
        )
        store = Bucket(client, "bucket")
        for attempt in (
            lambda: store.read("k"),
            lambda: store.write("k", [b"x"]),
            lambda: store.exists("k"),
            lambda: store.list(),
            lambda: store.delete("k"),
            lambda: store.delete_prefix("k"),
            store.check,
        ):
            with pytest.raises(ThanosqlError) as caught:
                attempt()
            assert reason(caught) is Reason.STORE_UNAVAILABLE

    def test_a_bucket_that_is_not_there_is_an_unavailable_store(self, s3_endpoint: str) -> None:
        client = Minio(endpoint=s3_endpoint, access_key="a", secret_key="b", secure=False, region="us-east-1")
        with pytest.raises(ThanosqlError) as caught:
            Bucket(client, "missing-bucket").read("k")
        assert reason(caught) is Reason.STORE_UNAVAILABLE

    def test_a_read_only_bucket_refuses_changes(self, s3_endpoint: str) -> None:
        client = Minio(endpoint=s3_endpoint, access_key="a", secret_key="b", secure=False, region="us-east-1")
        with pytest.raises(ThanosqlError) as caught:
            Bucket(client, "any", read_only=True).write("k", [b""])
        assert reason(caught) is Reason.STORE_READ_ONLY


def test_what_comes_in_beside_its_place_is_taken_or_goes(store: ObjectStore) -> None:
    with store.incoming() as path:
        path.write_bytes(b"abc")
        store.take("k", path, hashlib.sha256(b"abc").hexdigest())
    assert store.read("k") == b"abc"
    with store.incoming() as path:
        path.write_bytes(b"left")
    assert not path.exists()


def test_an_object_is_found_or_is_not(store: ObjectStore) -> None:
    store.write("k", [b"abc"])
    found = store.find("k")
    assert found is not None
    assert found.size_bytes == 3
    assert store.find("other") is None


def test_touching_changes_the_time_alone(store: ObjectStore) -> None:
    store.write("k", [b"abc"])
    sha256 = store.stat("k").sha256
    assert store.touch("k")
    assert store.read("k") == b"abc"
    assert store.stat("k").sha256 == sha256
    assert not store.touch("other")
    assert not store.exists("other")


def test_a_revision_is_another_when_the_content_is(store: ObjectStore) -> None:
    store.write("k", [b"abc"])
    first = store.stat("k").revision
    assert first
    assert [info.revision for info in store.walk("k")] == [first]
    store.write("k", [b"abd"])
    assert store.stat("k").revision != first
