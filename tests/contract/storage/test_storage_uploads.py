"""Uploads that break and go on, reads from any byte, and what is refused; on a directory and on a bucket."""

import asyncio
import hashlib
import os
import time
import urllib.request
from collections.abc import AsyncIterator

import grpc
import pytest

from tests.contract.storage.conftest import Rig
from tests.fakes.storage_client import file_requests
from thanosql.v1 import storage_pb2
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.status import from_rpc_error

CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


async def sent(
    rig: Rig,
    path: str,
    content: bytes = CONTENT,
    *,
    commit: bool = True,
    sha256: str = SHA256,
    **start: object,
) -> storage_pb2.File:
    async def requests() -> AsyncIterator[storage_pb2.WriteFileRequest]:
        opening = storage_pb2.FileStart(path=path, **start)  # type: ignore[arg-type]
        yield storage_pb2.WriteFileRequest(start=opening)
        for begin in range(opening.offset, len(content), 65536):
            yield storage_pb2.WriteFileRequest(chunk=content[begin : begin + 65536])
        if commit:
            yield storage_pb2.WriteFileRequest(commit=storage_pb2.FileCommit(sha256=sha256))

    return (await rig.stub.WriteFile(requests())).file


async def state(rig: Rig, path: str, upload_id: str = "1") -> storage_pb2.GetFileUploadResponse:
    return await rig.stub.GetFileUpload(storage_pb2.GetFileUploadRequest(path=path, upload_id=upload_id))


async def refused(call: object) -> ThanosqlError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return from_rpc_error(caught.value, "storage")


async def read(rig: Rig, path: str, **wanted: int) -> tuple[bytes, str]:
    request = storage_pb2.ReadFileRequest(path=path, **wanted)  # type: ignore[arg-type]
    parts = [part async for part in rig.stub.ReadFile(request)]
    assert parts[0].HasField("file")
    assert all(len(part.chunk) <= 1_000_000 for part in parts)
    return b"".join(part.chunk for part in parts), parts[-1].end.sha256


async def listed(rig: Rig) -> list[str]:
    answer = await rig.stub.ListFiles(storage_pb2.ListFilesRequest(prefix="uploads/"))
    return [file.path for file in answer.files]


async def test_an_upload_goes_on_where_it_broke_and_appears_only_when_it_is_whole(rig: Rig) -> None:
    for received_bytes in (1_500_000, 2_200_000):
        cut = CONTENT[:received_bytes]
        offset = (await state(rig, "a.bin")).received_bytes
        broken = await refused(sent(rig, "a.bin", cut, commit=False, upload_id="1", offset=offset))
        assert broken.reason is Reason.CANCELLED
        told = await state(rig, "a.bin")
        assert told.received_bytes == received_bytes
        assert told.expire_time.seconds > 0
        assert await listed(rig) == []
    file = await sent(rig, "a.bin", upload_id="1", offset=2_200_000, size_bytes=len(CONTENT))
    assert (file.path, file.size_bytes, file.sha256) == ("uploads/a.bin", len(CONTENT), SHA256)
    assert await read(rig, "uploads/a.bin") == (CONTENT, SHA256)


async def test_a_complete_upload_says_so_until_its_file_is_another(rig: Rig) -> None:
    await sent(rig, "a.bin", upload_id="1")
    assert (await state(rig, "uploads/a.bin")).file.path == "uploads/a.bin"
    assert not (await state(rig, "a.bin", "another")).HasField("file")
    rig.objects.store.delete("uploads/a.bin")
    assert (await state(rig, "a.bin")) == storage_pb2.GetFileUploadResponse()
    await sent(rig, "a.bin", upload_id="1")
    await rig.stub.WriteFile(file_requests("a.bin", b"another"))
    assert (await state(rig, "a.bin")) == storage_pb2.GetFileUploadResponse()


async def test_an_offset_that_does_not_fit_is_refused_with_the_right_one(rig: Rig) -> None:
    await refused(sent(rig, "a", CONTENT[:1000], commit=False, upload_id="1"))
    for offset in (999, 1001):
        problem = await refused(sent(rig, "a", upload_id="1", offset=offset))
        assert problem.reason is Reason.INVALID_ARGUMENT
        assert problem.metadata["received_bytes"] == "1000"
    for start in ({"offset": -1, "upload_id": "1"}, {"offset": 5}, {"upload_id": "x" * 129}):
        assert (await refused(sent(rig, "a", **start))).reason is Reason.INVALID_ARGUMENT
    past = sent(rig, "a", upload_id="1", offset=1000, size_bytes=999)
    assert (await refused(past)).reason is Reason.INVALID_ARGUMENT
    assert (await state(rig, "a")).received_bytes == 1000
    elsewhere = sent(rig, "b", upload_id="1", offset=1000)
    assert (await refused(elsewhere)).reason is Reason.INVALID_ARGUMENT


async def test_an_upload_may_start_over(rig: Rig) -> None:
    await refused(sent(rig, "a", b"something else", commit=False, upload_id="1"))
    assert (await sent(rig, "a", upload_id="1")).sha256 == SHA256


async def test_a_wrong_checksum_keeps_nothing(rig: Rig) -> None:
    await refused(sent(rig, "a", CONTENT[:1000], commit=False, upload_id="1"))
    wrong = await refused(sent(rig, "a", b"x" * 2000, upload_id="1", offset=1000))
    assert wrong.reason is Reason.FILE_DAMAGED
    assert (await state(rig, "a")).received_bytes == 0
    assert await listed(rig) == []


@pytest.mark.parametrize("size_bytes", [len(CONTENT) - 1, len(CONTENT) + 1])
async def test_a_size_that_was_announced_is_kept_to(rig: Rig, size_bytes: int) -> None:
    problem = await refused(sent(rig, "a", size_bytes=size_bytes))
    assert problem.reason is Reason.INVALID_ARGUMENT
    assert f"the {size_bytes} announced" in problem.message
    assert await listed(rig) == []


async def test_a_file_that_is_too_large_is_refused_before_its_bytes(rig: Rig) -> None:
    # Nothing more is sent: to what is written after a refusal grpc.aio makes up a status of its own.
    problem = await refused(sent(rig, "a", b"", commit=False, size_bytes=5 << 30))
    assert problem.reason is Reason.INVALID_DATA
    assert "THANOSQL_STORAGE__MAX_UPLOAD_BYTES" in problem.message


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", Reason.PATH_OUTSIDE_WORKSPACE),
        ("uploads/../../x", Reason.PATH_OUTSIDE_WORKSPACE),
        ("~/x", Reason.PATH_OUTSIDE_WORKSPACE),
        (".env", Reason.INVALID_ARGUMENT),
        ("uploads/.git/config", Reason.INVALID_ARGUMENT),
        ("uploads/", Reason.INVALID_ARGUMENT),
        ("folder/", Reason.INVALID_ARGUMENT),
        ("", Reason.INVALID_ARGUMENT),
    ],
)
async def test_paths_that_no_statement_could_read_are_refused(rig: Rig, path: str, reason: Reason) -> None:
    assert (await refused(sent(rig, path, b"", commit=False))).reason is reason
    assert (await refused(state(rig, path))).reason is reason


async def test_many_uploads_at_once_do_not_meet(rig: Rig) -> None:
    contents = [os.urandom(200_000 + number) for number in range(6)]

    async def upload(number: int) -> None:
        content, path = contents[number], f"many/{number}"
        sha256 = hashlib.sha256(content).hexdigest()
        await refused(sent(rig, path, content[:100_000], commit=False, upload_id="same"))
        await sent(rig, path, sha256=sha256, content=content, upload_id="same", offset=100_000)

    await asyncio.gather(*(upload(number) for number in range(len(contents))))
    for number, content in enumerate(contents):
        assert (await read(rig, f"uploads/many/{number}"))[0] == content


async def test_a_client_that_came_again_ends_its_own_call_of_before(rig: Rig) -> None:
    first = rig.stub.WriteFile()
    await first.write(storage_pb2.WriteFileRequest(start=storage_pb2.FileStart(path="a", upload_id="1")))
    for begin in range(0, 1 << 20, 65536):
        await first.write(storage_pb2.WriteFileRequest(chunk=CONTENT[begin : begin + 65536]))
    received_bytes = 0
    while not received_bytes:
        received_bytes = (await state(rig, "a")).received_bytes
    await sent(rig, "a", upload_id="1", offset=received_bytes)
    await first.write(storage_pb2.WriteFileRequest(commit=storage_pb2.FileCommit()))
    assert (await refused(first)).reason is Reason.CONFLICT
    assert (await read(rig, "uploads/a"))[0] == CONTENT


@pytest.mark.parametrize("path", ["uploads/a", "of_the_user.bin"])
async def test_a_read_begins_anywhere_and_knows_the_digest_of_the_whole(rig: Rig, path: str) -> None:
    await sent(rig, "a")
    put_into_the_workspace(rig, "of_the_user.bin", CONTENT)
    for offset in (0, 1, 1_048_577, len(CONTENT)):
        assert await read(rig, path, offset=offset) == (CONTENT[offset:], SHA256)
    content, _ = await read(rig, path, offset=5, length=100_000)
    assert content == CONTENT[5:100_005]
    assert await read(rig, path, offset=5, length=1 << 40) == (CONTENT[5:], SHA256)
    for wanted in ({"offset": len(CONTENT) + 1}, {"offset": -1}, {"length": -1}):
        assert (await refused(read(rig, path, **wanted))).reason is Reason.INVALID_ARGUMENT


async def test_a_file_that_was_uploaded_can_be_deleted_and_no_other(rig: Rig) -> None:
    await sent(rig, "folder/a")
    put_into_the_workspace(rig, "of_the_user.bin", b"123")
    rig.objects.store.write("models/m/1/weights", [b"123"])
    deleted = await delete(rig, "uploads/folder/a")
    assert (deleted.path, deleted.size_bytes) == ("uploads/folder/a", len(CONTENT))
    assert await listed(rig) == []
    for path, reason in (
        ("uploads/folder/a", Reason.FILE_NOT_FOUND),
        ("uploads/folder", Reason.FILE_NOT_FOUND),
        ("folder/a", Reason.FILE_NOT_FOUND),
        ("models/m/1/weights", Reason.FILE_NOT_FOUND),
        ("uploads/.hidden", Reason.FILE_NOT_FOUND),
        ("of_the_user.bin", Reason.PERMISSION_DENIED),
        ("uploads/../of_the_user.bin", Reason.PATH_OUTSIDE_WORKSPACE),
        ("/etc/passwd", Reason.PATH_OUTSIDE_WORKSPACE),
        ("", Reason.INVALID_ARGUMENT),
    ):
        assert (await refused(delete(rig, path))).reason is reason, path
    assert rig.objects.store.exists("models/m/1/weights")


async def delete(rig: Rig, path: str) -> storage_pb2.File:
    return (await rig.stub.DeleteFile(storage_pb2.DeleteFileRequest(path=path))).file


async def test_a_browser_reads_a_file_at_a_signed_address_or_is_told_what_to_use(rig: Rig) -> None:
    await sent(rig, "a.wav")
    request = storage_pb2.SignFileUrlRequest(path="uploads/a.wav")
    if not rig.objects.settings.is_bucket:
        problem = await refused(rig.stub.SignFileUrl(request))
        assert problem.reason is Reason.NOT_AVAILABLE_YET
        assert "thanosql files get" in problem.message
        return
    begun_s = time.time()
    signed = await rig.stub.SignFileUrl(request)
    assert 3590 < signed.expire_time.seconds - begun_s < 3610
    status, kind, content = await asyncio.to_thread(fetched, signed.url)
    assert (status, kind, content) == (200, "audio/x-wav", CONTENT)
    for path, reason in (
        ("uploads/b.wav", Reason.FILE_NOT_FOUND),
        ("uploads/.env", Reason.FILE_NOT_FOUND),
        ("models/m/1/weights", Reason.FILE_NOT_FOUND),
        ("../a", Reason.PATH_OUTSIDE_WORKSPACE),
    ):
        request.path = path
        assert (await refused(rig.stub.SignFileUrl(request))).reason is reason, path
    request.path = "uploads/a.wav"
    for seconds in (-1, 0, 8 * 24 * 3600):
        request.lasts.seconds = seconds
        assert (await refused(rig.stub.SignFileUrl(request))).reason is Reason.INVALID_ARGUMENT


def fetched(url: str) -> tuple[int, str, bytes]:
    with urllib.request.urlopen(url) as answer:
        return answer.status, answer.headers["Content-Type"], answer.read()


def put_into_the_workspace(rig: Rig, name: str, content: bytes) -> None:
    settings = rig.objects.settings
    if settings.workspace:
        (rig.home.parent / "workspace" / name).write_bytes(content)
    else:
        rig.objects.store.write(f"workspace/{name}", [content])
