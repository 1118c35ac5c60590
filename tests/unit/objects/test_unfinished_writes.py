"""Writes that were begun: found in a directory as in a bucket, and removed without harm to others."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from minio import Minio

from tests.s3_servers import new_bucket, s3_server
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.settings import ObjectSettings

PART = b"x" * (5 << 20)


@dataclass(frozen=True, kw_only=True)
class Half:
    """A store, and the way to begin a write there and die."""

    objects: Objects
    client: Minio | None

    def begin(self, key: str, parts: int = 1) -> None:
        if self.client is None:
            incoming = Path(self.objects.settings.uri) / ".incoming" / key.replace("/", "-")
            incoming.parent.mkdir(parents=True, exist_ok=True)
            incoming.write_bytes(PART * parts)
            return
        bucket = self.objects.settings.bucket
        upload = self.client._create_multipart_upload(bucket, key, {})
        for number in range(1, parts + 1):
            self.client._upload_part(bucket, key, PART, {}, upload, number)


@pytest.fixture(params=["directory", "bucket"])
def half(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Half]:
    if request.param == "directory":
        yield Half(objects=open_objects(ObjectSettings(uri=str(tmp_path / "objects"))), client=None)
        return
    with s3_server() as endpoint:
        settings = new_bucket(endpoint)
        client = Minio(
            endpoint=endpoint, access_key="user", secret_key="password", secure=False, region="us-east-1"
        )
        yield Half(objects=open_objects(settings), client=client)


def test_a_write_that_was_begun_is_found_with_its_bytes_and_goes(half: Half) -> None:
    half.objects.store.write("uploads/whole", [b"all of it"])
    half.begin("uploads/a", parts=2)
    (found,) = half.objects.unfinished.find()
    assert found.size_bytes == 2 * len(PART)
    half.objects.unfinished.abandon(found)
    half.objects.unfinished.abandon(found)
    assert list(half.objects.unfinished.find()) == []
    assert half.objects.store.read("uploads/whole") == b"all of it"


def test_its_state_changes_with_what_arrives(half: Half) -> None:
    half.begin("uploads/a")
    (before,) = half.objects.unfinished.find()
    (again,) = half.objects.unfinished.find()
    assert again.state == before.state
    half.objects.unfinished.abandon(before)
    half.begin("uploads/a", parts=2)
    (after,) = half.objects.unfinished.find()
    assert after.state != before.state


def test_a_prefix_leaves_out_what_others_write_in_a_bucket(half: Half) -> None:
    if half.client is None:
        pytest.skip("a directory has no keys for what is on its way in")
    for key in ("uploads/ü b", "workspace/c"):
        half.begin(key)
    assert [write.key for write in half.objects.unfinished.find("uploads/")] == ["uploads/ü b"]


def test_a_store_without_any_has_none(half: Half) -> None:
    assert list(half.objects.unfinished.find()) == []
