"""Files up and down: against plain copies in a directory, against MinIO's client in a bucket."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from minio import Minio

from benchmarks.reporting import Contest, in_turn, timed
from benchmarks.storage_service import StorageClient, StorageServer
from tests.ceph_server import ACCESS_KEY, SECRET_KEY, CephServer, missing_programs
from tests.s3_servers import new_bucket
from thanosql_objects.settings import ObjectSettings

_LEAST_RATIO = 0.8
_NAME = "calls.bin"
_BLOCK_BYTES = 1 << 20


def in_directory(folder: Path, size_bytes: int, rounds: int) -> list[Contest]:
    """A file up and down, against plain copies; what is written up there reaches the disk, as ours does."""
    source, copied = _recording(folder, size_bytes), folder / "peer.bin"
    with StorageServer(folder) as server, server.client() as client:
        up, down = partial(client.upload, _NAME, source), partial(_download, client, folder)
        copy_up, copy_down = partial(_copy_to_disk, source, copied), partial(shutil.copyfile, copied, source)
        return [
            in_turn("file_up", "a plain copy", timed(up), timed(copy_up), rounds),
            in_turn("file_down", "a plain copy", timed(down), timed(copy_down), rounds),
        ]


def in_bucket(folder: Path, settings: ObjectSettings, size_bytes: int, rounds: int) -> list[Contest]:
    """A file up and down, against MinIO's client on the same bucket."""
    source, copied, bucket = _recording(folder, size_bytes), folder / "peer.bin", settings.bucket
    peer = _client(settings)
    with StorageServer(folder, _environment(settings)) as server, server.client() as client:
        up, down = partial(client.upload, _NAME, source), partial(_download, client, folder)
        put = partial(peer.fput_object, bucket, "peer.bin", str(source))
        get = partial(peer.fget_object, bucket, "peer.bin", str(copied))
        contests = [
            in_turn("object_up", "MinIO's client", timed(up), timed(put), rounds),
            in_turn("object_down", "MinIO's client", timed(down), timed(get), rounds),
        ]
    return [contest.asking(least_ratio=_LEAST_RATIO) for contest in contests]


@contextmanager
def bucket() -> Iterator[ObjectSettings | None]:
    """A bucket on a server of Ceph's that lasts as long as the block; None where it is not installed."""
    if missing_programs():
        yield None
        return
    server = CephServer()
    try:
        server.make()
        yield new_bucket(server.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    finally:
        server.remove()


def _client(settings: ObjectSettings) -> Minio:
    return Minio(
        endpoint=settings.endpoint,
        access_key=settings.access_key,
        secret_key=settings.secret_key.get_secret_value(),
        region=settings.region,
        secure=settings.secure,
    )


def _environment(settings: ObjectSettings) -> dict[str, str]:
    return {
        "THANOSQL_OBJECTS__URI": settings.uri,
        "THANOSQL_OBJECTS__ENDPOINT": settings.endpoint,
        "THANOSQL_OBJECTS__ACCESS_KEY": settings.access_key,
        "THANOSQL_OBJECTS__SECRET_KEY": settings.secret_key.get_secret_value(),
        "THANOSQL_OBJECTS__SECURE": str(settings.secure).lower(),
    }


def _recording(folder: Path, size_bytes: int) -> Path:
    """A file whose bytes nothing can press together."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "source.bin"
    with path.open("wb") as file:
        for begin in range(0, size_bytes, _BLOCK_BYTES):
            file.write(os.urandom(min(_BLOCK_BYTES, size_bytes - begin)))
    return path


def _copy_to_disk(source: Path, goal: Path) -> None:
    shutil.copyfile(source, goal)
    with goal.open("rb") as file:
        os.fsync(file.fileno())


def _download(client: StorageClient, folder: Path) -> None:
    client.download(f"uploads/{_NAME}", folder / "ours.bin")
