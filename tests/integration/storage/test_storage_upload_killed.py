"""kill -9 of storage in the middle of an upload: the client goes on where it was, and the file is whole."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.gateway.app import build as build_gateway
from services.gateway.settings import GatewaySettings
from tests.ceph_server import ACCESS_KEY, SECRET_KEY, CephServer, missing_programs
from tests.deployment import Program
from tests.fakes.gateway_world import token_in
from tests.s3_servers import new_bucket, s3_server
from thanosql import AsyncThanoSQL, File
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.testing import PEER_TOKEN, serving

CONTENT = os.urandom(24 << 20)
KILLED_AT = 12 << 20


@pytest.fixture(params=["directory", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectSettings]:
    """Where files go: a directory, or a bucket of Ceph where that is installed."""
    if request.param == "directory":
        yield ObjectSettings(uri=str(tmp_path / "objects"))
    elif missing_programs():
        with s3_server() as endpoint:
            yield new_bucket(endpoint)
    else:
        server = CephServer()
        try:
            server.make()
            yield new_bucket(server.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        finally:
            server.remove()


class Storage:
    """The storage service as a process of its own, which comes back at the same address."""

    def __init__(self, home: Path, objects: ObjectSettings) -> None:
        self.home = home
        self._environment = {
            "THANOSQL_SERVER__PEER_TOKEN": PEER_TOKEN,
            "THANOSQL_OBJECTS__URI": objects.uri,
            "THANOSQL_OBJECTS__ENDPOINT": objects.endpoint,
            "THANOSQL_OBJECTS__ACCESS_KEY": objects.access_key,
            "THANOSQL_OBJECTS__SECRET_KEY": objects.secret_key.get_secret_value(),
            "THANOSQL_OBJECTS__SECURE": "false",
        }
        self.address = self._start("127.0.0.1:0")

    def kill_and_start_again(self) -> None:
        self.kill()
        self._start(self.address)

    def kill(self) -> None:
        self._program.process.kill()
        self._program.process.wait()

    def kept_bytes(self) -> int:
        return sum(path.stat().st_size for path in (self.home / "storage" / "uploads").glob("*.part"))

    def _start(self, address: str) -> str:
        environment = {**self._environment, "THANOSQL_SERVER__ADDRESS": address}
        self._program = Program("storage", self.home, environment)
        self._program.wait_for("ready")
        return self._program.wait_for("listening on")


@pytest.fixture
def storage(tmp_path: Path, objects: ObjectSettings) -> Iterator[Storage]:
    running = Storage(tmp_path / "home", objects)
    yield running
    running.kill()


@asynccontextmanager
async def client_of(storage: Storage, home: Path) -> AsyncIterator[AsyncThanoSQL]:
    announced: list[str] = []
    builds = [lambda context: build_gateway(GatewaySettings(), context)]
    peers = {"storage": storage.address}
    async with (
        serving(builds, home, peers, announce=announced.append) as address,
        AsyncThanoSQL(address, token_in(announced)) as client,
    ):
        yield client


@pytest.mark.timeout(400)
async def test_an_upload_goes_on_where_it_was_when_storage_is_killed(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Told at every block, or a fast machine has sent everything before it tells that it is half-way.
    monkeypatch.setattr("thanosql.transfer._TELL_EVERY_S", 0.0)
    (tmp_path / "here.bin").write_bytes(CONTENT)
    kept_bytes, after_the_kill = 0, []
    async with client_of(storage, tmp_path / "gateway") as client:
        async for item in client.uploading(tmp_path / "here.bin", "uploads/there.bin"):
            if isinstance(item, File):
                assert item.sha256 in (hashlib.sha256(CONTENT).hexdigest(), "")
            elif kept_bytes:
                after_the_kill.append(item.done)
            elif item.done >= KILLED_AT:
                assert await client.files("uploads/") == []
                await asyncio.to_thread(storage.kill_and_start_again)
                kept_bytes = storage.kept_bytes()
        assert kept_bytes > 0
        assert [file.size_bytes for file in await client.files("uploads/")] == [len(CONTENT)]
        await client.download("uploads/there.bin", tmp_path / "back.bin")
    assert after_the_kill[-1] == len(CONTENT)
    assert (tmp_path / "back.bin").read_bytes() == CONTENT
    assert storage.kept_bytes() == 0
