"""A running storage service looks after its tables by itself."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.app import build
from services.storage.settings import StorageSettings
from tests.fakes.storage_client import StorageClient
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.testing import peer_channel, serving

ROW = pa.table({"n": [1]})
PIECES = 20


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[StorageClient]:
    objects = open_objects(ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path)))
    settings = StorageSettings(
        bundled_checkpoint=tmp_path / "no-checkpoint", maintenance_interval_s=0.05, keep_versions_h=1.0
    )
    home = tmp_path / "home"
    async with (
        serving([lambda context: build(settings, context, objects)], home) as address,
        peer_channel(address) as channel,
    ):
        yield StorageClient(storage_pb2_grpc.StorageServiceStub(channel))


async def test_small_pieces_become_large_ones_and_no_version_of_today_goes(client: StorageClient) -> None:
    await client.write("t", ROW)
    for _ in range(PIECES):
        await client.write("t", ROW, storage_pb2.WRITE_MODE_APPEND)

    async def operations() -> list[str]:
        request = storage_pb2.ListTableVersionsRequest(table="t")
        return [item.operation for item in (await client.stub.ListTableVersions(request)).versions]

    async with asyncio.timeout(30):
        while "MAINTENANCE" not in await operations():
            pass
    made = [name for name in await operations() if name != "MAINTENANCE"]
    assert made == ["INSERT"] * PIECES + ["CREATE TABLE"]
    assert (await client.query("SELECT count(*) AS n FROM t", "t")).to_pylist() == [{"n": PIECES + 1}]


async def test_the_index_of_a_dropped_table_goes_while_the_server_runs(
    client: StorageClient, tmp_path: Path
) -> None:
    indexes = tmp_path / "home" / "keyword_indexes"
    await client.write("spoken", pa.table({"text": ["the library is open"] * 5000}))
    search = storage_pb2.KeywordSearch(search_input="library", text_col="text", result_col="score", top_k=1)
    start = storage_pb2.QueryStart(sql="SELECT * FROM spoken", tables=["spoken"], search=search)
    assert [part async for part in client.stub.Query(iter([storage_pb2.QueryRequest(start=start)]))]
    async with asyncio.timeout(30):
        while not list(indexes.glob("spoken/*/*/facts.json")):
            assert await client.query("SELECT 1")
    await client.stub.DropTable(storage_pb2.DropTableRequest(table="spoken"))
    async with asyncio.timeout(30):
        while list(indexes.iterdir()):
            assert await client.query("SELECT 1")


async def test_what_a_killed_process_left_is_told_to_operators(client: StorageClient, tmp_path: Path) -> None:
    half, lost = tmp_path / "home" / "tables" / "half.lance", tmp_path / "objects" / "models" / "lost"
    # Made elsewhere and put there whole: a round of maintenance may come at any moment.
    for place, file, size in ((half, "data/rows.lance", 10), (lost, "job/model.safetensors", 20)):
        made = tmp_path / "made" / place.name
        (made / file).parent.mkdir(parents=True)
        (made / file).write_bytes(b"x" * size)
        place.parent.mkdir(parents=True, exist_ok=True)
        made.rename(place)

    async def told() -> dict[str, tuple[int, int]]:
        answer = await client.stub.ListLeftovers(storage_pb2.ListLeftoversRequest())
        return {tally.kind: (tally.found, tally.found_bytes) for tally in answer.tallies if tally.found}

    async with asyncio.timeout(30):
        while len(await told()) < 2:
            pass
    assert await told() == {"model_files": (1, 20), "table_files": (1, 10)}
    assert half.exists()
    assert lost.exists()
