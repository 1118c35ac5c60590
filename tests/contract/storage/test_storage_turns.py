"""Statements that wait for one table leave the others alone."""

import asyncio
from pathlib import Path

import pyarrow as pa

from services.storage.app import StorageApp
from services.storage.settings import StorageSettings
from tests.fakes.storage_client import StorageClient
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.service import Context, Service
from thanosql_runtime.testing import peer_channel, serving

ROW = pa.table({"n": [1]})
WAITING = 4


async def test_writers_that_wait_for_one_table_stop_no_other(tmp_path: Path) -> None:
    objects = open_objects(ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path)))
    settings = StorageSettings(bundled_checkpoint=tmp_path / "no-checkpoint", command_threads=2)
    apps: list[StorageApp] = []

    def build(context: Context) -> Service:
        apps.append(StorageApp(settings, context, objects))
        return apps[0]

    async with serving([build], tmp_path / "home") as address, peer_channel(address) as channel:
        client = StorageClient(storage_pb2_grpc.StorageServiceStub(channel))
        await client.write("t", ROW)
        with apps[0]._parts.tables.writing("t"):
            waiting = [
                asyncio.create_task(client.write(name, ROW, storage_pb2.WRITE_MODE_APPEND))
                for name in ("t", "T") * (WAITING // 2)
            ]
            await client.query("SELECT 1")
            async with asyncio.timeout(10):
                for number in range(WAITING):
                    await client.write(f"other_{number}", ROW)
        await asyncio.gather(*waiting)
        answer = await client.query("SELECT count(*) AS n FROM t", "t")
    assert answer.to_pylist() == [{"n": WAITING + 1}]
