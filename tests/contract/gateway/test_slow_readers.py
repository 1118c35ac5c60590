"""A client that reads nothing for a while: little is made for it meanwhile, and the rest when it reads."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.gateway_client import Client
from tests.fakes.gateway_on_storage import gateway_on_storage
from tests.fakes.storage_made import Made
from thanosql.v1 import gateway_pb2

ROWS = 200_000
SQL = f"SELECT r, repeat('x', 1000) || r AS t FROM range({ROWS}) t(r)"
FILE_BYTES = 200 << 20
MOST_BYTES = 64 << 20


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(monkeypatch)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    files = tmp_path / "files"
    files.mkdir()
    with (files / "large.bin").open("wb") as file:
        file.truncate(FILE_BYTES)
    async with gateway_on_storage(tmp_path / "server", files) as client:
        yield client


async def test_rows_of_a_query(client: Client, made: Made) -> None:
    events = aiter(client.begin(SQL))
    await anext(events)
    assert await made.at_rest() < MOST_BYTES
    done = [event.done.rows async for event in events if event.WhichOneof("event") == "done"]
    assert done == [ROWS]
    assert made.bytes > 1000 * ROWS


async def test_a_file(client: Client, made: Made) -> None:
    request = gateway_pb2.DownloadFileRequest(path="large.bin")
    parts = aiter(client.stub.DownloadFile(request, metadata=client.metadata))
    await anext(parts)
    assert await made.at_rest() < MOST_BYTES
    assert sum([len(part.chunk) async for part in parts]) == FILE_BYTES
