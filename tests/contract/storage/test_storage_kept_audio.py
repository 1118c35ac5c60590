"""Recordings in keeping through the service, in a directory and in a bucket."""

import hashlib

import grpc
import pytest
import soundfile

from tests.contract.storage.conftest import Rig
from thanosql.v1 import storage_pb2
from thanosql_runtime.errors import Reason
from thanosql_runtime.status import from_rpc_error

FIRST = "libri/84/121550/84-121550-0000.flac"


async def content(rig: Rig, path: str) -> bytes:
    parts = [part async for part in rig.stub.ReadFile(storage_pb2.ReadFileRequest(path=path))]
    return b"".join(part.chunk for part in parts)


async def kept(rig: Rig, prefix: str = "audio/sha256/") -> list[storage_pb2.File]:
    return list((await rig.stub.ListFiles(storage_pb2.ListFilesRequest(prefix=prefix))).files)


async def test_a_tree_is_kept_once_and_read_by_its_keys(rig: Rig) -> None:
    result = await rig.client.copy("t", "libri", store_audio=True)
    # Both recordings of the tree are the same silence.
    told = result.notices[0].message
    assert told.startswith("2 rows name recordings kept by content: 1 was stored now")
    rows = (await rig.client.query("SELECT * FROM t", "t")).to_pylist()
    recording = await content(rig, FIRST)
    sha256 = hashlib.sha256(recording).hexdigest()
    assert {row["audio_path"] for row in rows} == {f"audio/sha256/{sha256[:2]}/{sha256}.flac"}
    assert [row["audio_sha256"] for row in rows] == [sha256, sha256]
    assert await content(rig, rows[0]["audio_path"]) == recording
    assert [file.path for file in await kept(rig)] == [rows[0]["audio_path"]]


async def test_uploads_are_kept_too_and_may_go_afterwards(rig: Rig) -> None:
    recording = await content(rig, FIRST)
    rig.objects.store.write("uploads/calls/a.flac", [recording])
    rig.objects.store.write("uploads/t.csv", [b"recording,n\nuploads/calls/a.flac,1\n"])
    await rig.client.copy("t", "uploads/t.csv", store_audio=True, audio_col="recording")
    await rig.stub.DeleteFile(storage_pb2.DeleteFileRequest(path="uploads/calls/a.flac"))
    row = (await rig.client.query("SELECT * FROM t", "t")).to_pylist()[0]
    assert row["source_path"] == "uploads/calls/a.flac"
    assert await content(rig, row["recording"]) == recording


async def test_what_is_kept_is_no_part_of_the_folders_of_users(rig: Rig) -> None:
    await rig.client.copy("t", "libri", store_audio=True)
    assert await kept(rig)
    assert not [file.path for file in await kept(rig, "") if file.path.startswith("audio/")]


async def test_a_user_cannot_remove_what_is_kept(rig: Rig) -> None:
    await rig.client.copy("t", "libri", store_audio=True)
    path = (await kept(rig))[0].path
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rig.stub.DeleteFile(storage_pb2.DeleteFileRequest(path=path))
    assert from_rpc_error(caught.value, "storage").reason is Reason.PERMISSION_DENIED
    assert await content(rig, path)


async def test_a_second_copy_stores_nothing_and_keeps_the_bytes(rig: Rig) -> None:
    await rig.client.copy("t", "libri", store_audio=True)
    before = await kept(rig)
    result = await rig.client.copy("u", "libri", store_audio=True)
    assert "0 were stored now, 0 bytes" in result.notices[0].message
    assert [file.path for file in await kept(rig)] == [file.path for file in before]


async def test_explaining_says_what_would_be_stored_and_stores_nothing(rig: Rig) -> None:
    request = storage_pb2.ExplainCopyRequest(table="t", source="libri", store_audio=True)
    explained = await rig.stub.ExplainCopy(request)
    size_bytes = len(await content(rig, FIRST))
    assert (explained.audio_files, explained.audio_bytes) == (2, 2 * size_bytes)
    assert [column.name for column in explained.columns][-2:] == ["source_path", "audio_sha256"]
    assert await kept(rig) == []


async def test_explaining_rows_tells_those_whose_recording_is_missing(rig: Rig) -> None:
    source = f'[{{"audio_path": "{FIRST}"}}, {{"audio_path": "gone.wav"}}]'
    request = storage_pb2.ExplainCopyRequest(table="t", source=source, store_audio=True)
    explained = await rig.stub.ExplainCopy(request)
    assert (explained.audio_files, explained.rows_read, explained.rows_quarantined) == (1, 1, 1)
    assert explained.quarantined[0].reason == "AUDIO_NOT_FOUND"


async def test_the_header_that_a_table_tells_is_that_of_what_is_kept(rig: Rig) -> None:
    await rig.client.copy("t", "libri", store_audio=True)
    row = (await rig.client.query("SELECT * FROM t LIMIT 1", "t")).to_pylist()[0]
    with rig.objects.workspace.open(row["audio_path"]) as file:
        info = soundfile.info(file)
    assert (row["sample_rate"], row["channels"], row["duration"]) == (
        info.samplerate,
        info.channels,
        info.duration,
    )
