"""Who is still sending when it is refused learns why, however much it has left to send."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest

from services.gateway.app import build as build_gateway
from services.gateway.core.ports import BoundQuery, Relation, WriteTarget
from services.gateway.core.records import Rows
from services.gateway.peer_storage import StorageTables
from services.gateway.settings import GatewaySettings
from services.parser.app import build as build_parser
from services.parser.settings import ParserSettings
from services.storage import streams
from services.storage.app import build as build_storage
from services.storage.settings import StorageSettings
from tests.fakes.gateway_world import token_in
from thanosql import AsyncThanoSQL, InvalidData
from thanosql.v1 import storage_pb2_grpc
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.testing import peer_channel, serving

MORE = 32 << 20
BATCH = pa.record_batch({"a": ["x" * 1000] * 4096})
TIMES = range(5)


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A gateway and a storage that takes small files only."""

    db: AsyncThanoSQL
    tables: StorageTables


@pytest.fixture
async def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Rig]:
    monkeypatch.setattr(streams, "_HEAR_OUT_BYTES", 1 << 20)
    (tmp_path / "files").mkdir()
    objects = open_objects(ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path / "files")))
    storage = StorageSettings(bundled_checkpoint=tmp_path / "no-checkpoint", max_upload_bytes=1 << 20)
    announced: list[str] = []
    builds = [
        lambda context: build_parser(ParserSettings(), context),
        lambda context: build_storage(storage, context, objects),
        lambda context: build_gateway(GatewaySettings(), context),
    ]
    async with (
        serving(builds, tmp_path / "home", announce=announced.append) as address,
        peer_channel(address) as channel,
        AsyncThanoSQL(address, token_in(announced)) as db,
    ):
        stub = storage_pb2_grpc.StorageServiceStub(channel)
        yield Rig(db=db, tables=StorageTables(stub, 10.0))


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_spool: object, _message: bytes) -> None:
        raise error(Reason.STORE_UNAVAILABLE, "temporary storage failed")

    monkeypatch.setattr(streams, "_write", refuse)


@asynccontextmanager
async def rows() -> AsyncIterator[Rows]:
    async def batches() -> AsyncIterator[pa.RecordBatch]:
        for _ in range(MORE // BATCH.nbytes):
            yield BATCH

    yield Rows(schema=BATCH.schema, batches=batches())


async def answered(rig: Rig, query: BoundQuery) -> AsyncIterator[pa.RecordBatch]:
    async with rig.tables.query(query) as answer:
        async for batch in answer.batches:
            yield batch


@pytest.mark.parametrize("_time", TIMES)
async def test_of_a_file(rig: Rig, tmp_path: Path, _time: int) -> None:
    (tmp_path / "large.bin").write_bytes(bytes(MORE))
    with pytest.raises(InvalidData, match="larger than the 1048576 bytes"):
        await rig.db.upload(tmp_path / "large.bin", "large.bin")


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("_time", TIMES)
async def test_of_a_write(rig: Rig, _time: int) -> None:
    target = WriteTarget(table="t", mode="CREATE", columns=())
    async with rows() as sent:
        with pytest.raises(ThanosqlError) as caught:
            await rig.tables.write(target, sent)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


@pytest.mark.usefixtures("full_disk")
@pytest.mark.parametrize("_time", TIMES)
async def test_of_the_rows_of_a_query(rig: Rig, _time: int) -> None:
    relation = Relation(name="r", open=rows)
    query = BoundQuery(sql="SELECT * FROM r", tables=(), versions=(), relations=[relation])
    with pytest.raises(ThanosqlError) as caught:
        await anext(answered(rig, query))
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
