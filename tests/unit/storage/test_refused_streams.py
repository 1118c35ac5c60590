"""Streams that are refused: their sender is heard out, so that it hears why."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from services.storage import streams
from services.storage.core.files.uploads import UploadLimits, Uploads
from services.storage.servicer_files import FileCalls
from services.storage.streams import received_query, received_rows
from services.storage.work import Work
from thanosql.v1 import storage_pb2
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace
from thanosql_runtime.arrow import encode_schema
from thanosql_runtime.errors import Reason, ThanosqlError, error

BATCH = storage_pb2.QueryRequest(
    relation_batch=storage_pb2.RelationBatch(relation="r", record_batch=b"0" * 1000)
)


async def said(count: int, left: list[int]) -> AsyncIterator[storage_pb2.QueryRequest]:
    for number in range(count):
        left.append(number)
        yield BATCH


async def refused(requests: AsyncIterator[storage_pb2.QueryRequest]) -> None:
    with pytest.raises(ThanosqlError) as caught:
        async with received_query(requests, Work(query_threads=1, command_threads=1)):
            raise AssertionError
    assert caught.value.reason is Reason.INVALID_ARGUMENT


async def test_a_sender_is_heard_to_its_end() -> None:
    heard: list[int] = []
    await refused(said(20, heard))
    assert heard == list(range(20))


async def test_a_sender_of_much_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_HEAR_OUT_BYTES", 1_000_000)
    heard: list[int] = []
    await refused(said(100_000, heard))
    assert 900 < len(heard) < 1100


async def test_a_sender_that_falls_silent_is_not_waited_for() -> None:
    async def silent() -> AsyncIterator[storage_pb2.QueryRequest]:
        yield BATCH
        await asyncio.Event().wait()

    await asyncio.wait_for(refused(silent()), 20)


async def test_a_write_is_heard_to_its_end_too() -> None:
    ended = False

    async def requests() -> AsyncIterator[storage_pb2.WriteTableRequest]:
        nonlocal ended
        for _ in range(5):
            yield storage_pb2.WriteTableRequest(schema=b"")
        ended = True

    with pytest.raises(ThanosqlError):
        async with received_rows(requests(), Work(query_threads=1, command_threads=1)):
            raise AssertionError
    assert ended


@pytest.fixture
def files(tmp_path: Path) -> FileCalls:
    store = LocalDirectory(tmp_path / "objects")
    limits = UploadLimits(max_bytes=1000, keep_s=3600, total_bytes=2500)
    calls = FileCalls()  # type: ignore[abstract]
    calls._parts = SimpleNamespace(  # type: ignore[assignment]
        objects=SimpleNamespace(workspace=Workspace(store, store)),
        uploads=Uploads(tmp_path / "parts", store, limits),
        work=Work(query_threads=1, command_threads=1),
    )
    return calls


@pytest.mark.parametrize(
    "opening",
    [
        storage_pb2.WriteFileRequest(start=storage_pb2.FileStart(path="../a")),
        storage_pb2.WriteFileRequest(start=storage_pb2.FileStart(path="a", offset=5)),
        storage_pb2.WriteFileRequest(chunk=b"a"),
    ],
    ids=["path", "offset", "no start"],
)
async def test_a_file_whose_start_is_refused_is_heard_to_its_end(
    files: FileCalls, opening: storage_pb2.WriteFileRequest
) -> None:
    ended = False

    async def requests() -> AsyncIterator[storage_pb2.WriteFileRequest]:
        nonlocal ended
        yield opening
        for _ in range(5):
            yield storage_pb2.WriteFileRequest(chunk=b"a")
        ended = True

    with pytest.raises(ThanosqlError):
        await files.WriteFile(requests(), None)  # type: ignore[arg-type]
    assert ended


async def test_a_file_that_fails_at_its_commit_is_refused_at_once(files: FileCalls) -> None:
    asked_on = False

    async def requests() -> AsyncIterator[storage_pb2.WriteFileRequest]:
        nonlocal asked_on
        yield storage_pb2.WriteFileRequest(start=storage_pb2.FileStart(path="a"))
        yield storage_pb2.WriteFileRequest(chunk=b"a")
        yield storage_pb2.WriteFileRequest(commit=storage_pb2.FileCommit(sha256="0" * 64))
        asked_on = True
        await asyncio.Event().wait()

    with pytest.raises(ThanosqlError):
        await files.WriteFile(requests(), None)  # type: ignore[arg-type]
    assert not asked_on


async def test_a_write_that_fails_at_its_commit_is_refused_at_once() -> None:
    asked_on = False

    async def requests() -> AsyncIterator[storage_pb2.WriteTableRequest]:
        nonlocal asked_on
        yield storage_pb2.WriteTableRequest(start=storage_pb2.WriteStart(table="t"))
        yield storage_pb2.WriteTableRequest(schema=encode_schema(pa.schema({"a": pa.int64()})))
        yield storage_pb2.WriteTableRequest(commit=storage_pb2.WriteCommit())
        asked_on = True
        await asyncio.Event().wait()

    with pytest.raises(ThanosqlError, match="already"):
        async with received_rows(requests(), Work(query_threads=1, command_threads=1)):
            raise error(Reason.TABLE_ALREADY_EXISTS, "the table is there already")
    assert not asked_on
