"""Tables on real S3 servers: many processes at once, and a server that dies under load."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pyarrow as pa
import pytest

from services.storage.app import build
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.settings import StorageSettings
from tests.ceph_server import ACCESS_KEY, SECRET_KEY, CephServer, missing_programs
from tests.fakes.storage_client import StorageClient
from tests.s3_servers import new_bucket, s3_server
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_objects.opening import open_objects, open_place
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import peer_channel, serving

ROOT = Path(__file__).resolve().parents[3]
APPEND = storage_pb2.WRITE_MODE_APPEND

# For each line with the name of a table: appends numbered rows to it, one commit each.
WRITER = """
import json, sys
import pyarrow as pa
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from thanosql_objects.opening import open_place
from thanosql_objects.settings import ObjectSettings

where, settings, writer, count = json.loads(sys.argv[1])
tables = Tables(TableHome(open_place(ObjectSettings(**settings), where)))
print("ready", flush=True)
for line in sys.stdin:
    for number in range(count):
        rows = pa.table({"writer": [writer], "number": [number]})
        tables.append(line.strip(), Rows(rows.schema, rows.to_batches()))
    print("done", flush=True)
"""
WRITERS, EACH = 8, 8


@pytest.fixture(scope="module")
def ceph() -> Iterator[CephServer]:
    missing = missing_programs()
    if missing:
        pytest.skip(f"needs Debian's packages radosgw, ceph-mon and ceph-osd; not found: {missing[0]}")
    server = CephServer()
    try:
        server.make()
        yield server
    finally:
        server.remove()


@pytest.fixture(params=["directory", "bucket"])
def shared_home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, ObjectSettings]]:
    """A place for tables, and the settings that lead to it; a bucket of Ceph where that is installed."""
    if request.param == "directory":
        yield str(tmp_path / "tables"), ObjectSettings(uri=str(tmp_path))
    elif not missing_programs():
        settings = bucket_of(request.getfixturevalue("ceph"))
        yield f"{settings.uri}/tables", settings
    else:
        with s3_server() as endpoint:
            settings = new_bucket(endpoint)
            yield f"{settings.uri}/tables", settings


def bucket_of(ceph: CephServer) -> ObjectSettings:
    return new_bucket(ceph.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY)


@pytest.mark.timeout(300)
def test_processes_that_insert_into_one_table_lose_nothing_and_repeat_nothing(
    shared_home: tuple[str, ObjectSettings],
) -> None:
    where, settings = shared_home
    tables = Tables(TableHome(open_place(settings, where)))
    with ExitStack() as stack:
        programs = [stack.enter_context(running_writer(where, settings, writer)) for writer in range(WRITERS)]
        assert [answer_of(program) for program in programs] == ["ready"] * WRITERS
        for count in (2, WRITERS):
            name = f"by_{count}"
            empty = pa.table({"writer": pa.array([], pa.int64()), "number": pa.array([], pa.int64())})
            tables.create(name, Rows(empty.schema, empty.to_batches()))
            for program in programs[:count]:
                tell(program, name)
            assert [answer_of(program) for program in programs[:count]] == ["done"] * count
            kept = tables.dataset(name).to_table().to_pylist()
            written = [(writer, number) for writer in range(count) for number in range(EACH)]
            assert sorted((row["writer"], row["number"]) for row in kept) == written


@contextmanager
def running_writer(where: str, settings: ObjectSettings, writer: int) -> Iterator["subprocess.Popen[str]"]:
    plain = settings.model_dump() | {"secret_key": settings.secret_key.get_secret_value()}
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "libs", "sdk"))
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, json.dumps([where, plain, writer, EACH])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        cwd=ROOT,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def tell(program: "subprocess.Popen[str]", line: str) -> None:
    assert program.stdin is not None
    program.stdin.write(f"{line}\n")
    program.stdin.flush()


def answer_of(program: "subprocess.Popen[str]") -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


@pytest.fixture
async def inserting(ceph: CephServer, tmp_path: Path) -> AsyncIterator["Inserting"]:
    """A service with its tables on Ceph, that waits for no answer longer than two seconds."""
    settings = bucket_of(ceph).model_copy(update={"timeout_s": 2.0})
    storage = StorageSettings(bundled_checkpoint=tmp_path / "none")
    objects = open_objects(settings)
    async with (
        serving([lambda context: build(storage, context, objects)], tmp_path / "home") as address,
        peer_channel(address) as channel,
    ):
        client = StorageClient(storage_pb2_grpc.StorageServiceStub(channel))
        await client.write("t", pa.table({"number": pa.array([], pa.int64())}))
        yield Inserting(client)


class Inserting:
    """A stream of INSERTs of one row each, and what was said of each."""

    def __init__(self, client: StorageClient) -> None:
        self.client = client
        self.acknowledged: list[int] = []
        self.failures: dict[int, ThanosqlError] = {}
        self.failed = asyncio.Event()
        self._progress = asyncio.Condition()

    async def insert_until(self, acknowledged: int) -> None:
        while len(self.acknowledged) < acknowledged:
            await self._insert()

    async def reached(self, acknowledged: int) -> None:
        async with self._progress:
            await self._progress.wait_for(lambda: len(self.acknowledged) >= acknowledged)

    async def _insert(self) -> None:
        number = len(self.acknowledged) + len(self.failures)
        try:
            await self.client.write("t", pa.table({"number": [number]}), APPEND)
        except grpc.aio.AioRpcError as failure:
            self.failures[number] = from_rpc_error(failure, "storage")
            self.failed.set()
            return
        self.acknowledged.append(number)
        async with self._progress:
            self._progress.notify_all()

    async def kept(self) -> list[int]:
        rows = await self.client.query("SELECT number FROM t ORDER BY number", "t")
        return [row["number"] for row in rows.to_pylist()]


@pytest.mark.timeout(400)
async def test_a_server_that_is_killed_under_load_loses_nothing_that_was_acknowledged(
    ceph: CephServer, inserting: Inserting
) -> None:
    load = asyncio.ensure_future(inserting.insert_until(30))
    await inserting.reached(10)
    await asyncio.to_thread(ceph.kill)
    await inserting.failed.wait()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inserting.kept()
    assert from_rpc_error(caught.value, "storage").reason is Reason.STORE_UNAVAILABLE
    await asyncio.to_thread(ceph.start)
    await load
    kept = await inserting.kept()
    unknown = {number for number, failure in inserting.failures.items() if failure.metadata.get("outcome")}
    assert len(kept) == len(set(kept))
    assert set(inserting.acknowledged) <= set(kept) <= set(inserting.acknowledged) | unknown
    for failure in inserting.failures.values():
        assert failure.reason is Reason.STORE_UNAVAILABLE
        assert "run the statement again" in failure.message
