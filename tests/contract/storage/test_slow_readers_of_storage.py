"""A reader that reads nothing for a while: storage makes little meanwhile, and the rest when it reads."""

from pathlib import Path

import pytest

from tests.contract.storage.conftest import Rig
from tests.fakes.storage_client import query_requests
from tests.fakes.storage_made import Made
from thanosql.v1 import storage_pb2

ROWS = 200_000
SQL = f"SELECT r, repeat('x', 1000) || r AS t FROM range({ROWS}) t(r)"
FILE_BYTES = 200 << 20
MOST_BYTES = 64 << 20

pytestmark = pytest.mark.parametrize("rig", ["alone"], indirect=True)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    return Made(monkeypatch)


async def test_rows_of_a_query(rig: Rig, made: Made) -> None:
    parts = aiter(rig.stub.Query(query_requests(SQL, (), {})))
    await anext(parts)
    assert await made.at_rest() < MOST_BYTES
    assert sum([len(part.record_batch) async for part in parts]) > 1000 * ROWS


async def test_a_file(rig: Rig, made: Made, workspace: Path) -> None:
    with (workspace / "large.bin").open("wb") as file:
        file.truncate(FILE_BYTES)
    parts = aiter(rig.stub.ReadFile(storage_pb2.ReadFileRequest(path="large.bin")))
    await anext(parts)
    assert await made.at_rest() < MOST_BYTES
    assert sum([len(part.chunk) async for part in parts]) == FILE_BYTES
