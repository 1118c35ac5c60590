"""Tokens, limits, jobs and files through a gateway on a real port."""

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.fakes.gateway_client import Client
from tests.fakes.gateway_world import World, gateway_world, token_in
from thanosql.v1 import gateway_pb2, storage_pb2, trainer_pb2
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import eventually


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with gateway_world(tmp_path, max_concurrent_calls=2, max_text_bytes=200) as made:
        made.storage.put_table("t", {"audio_path": ["a.flac"]})
        yield made


async def failure_of(call: Any) -> ThanosqlError:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return from_rpc_error(raised.value, "gateway")


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x"]
)
async def test_a_call_without_the_token_is_refused_with_advice(world: World, header: str | None) -> None:
    value = None if header is None else header.format(token=world.token)
    metadata = () if value is None else (("authorization", value),)
    failure = await failure_of(world.client.stub.Explain(gateway_pb2.ExplainRequest(), metadata=metadata))
    assert failure.reason is Reason.INVALID_TOKEN
    assert "first start" in failure.message


async def test_the_token_is_told_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    async with gateway_world(tmp_path) as first:
        token = first.token
    path = tmp_path / "gateway" / "token.json"
    assert token.startswith("thanosql_")
    assert token not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with gateway_world(tmp_path) as second:
        assert token_in(second.announced) == ""
        client = Client(second.address, token)
        await client.succeed("SELECT 1 AS a")
        await client.close()


async def test_a_rotated_token_ends_the_one_before_at_once(world: World) -> None:
    rotated = await world.client.stub.RotateToken(
        gateway_pb2.RotateTokenRequest(), metadata=world.client.metadata
    )
    assert rotated.create_time.seconds > 0
    old = await world.client.run("SELECT 1 AS a")
    assert old.failure is not None
    assert old.failure.reason is Reason.INVALID_TOKEN
    client = Client(world.address, rotated.token)
    await client.succeed("SELECT 1 AS a")
    await client.close()


async def test_calls_above_the_limit_are_told_when_to_come_back(world: World) -> None:
    world.predictor.hang = True
    text = "PREDICT USING tutorial_audio_recognition AS SELECT * FROM t"
    calls = [world.client.begin(text) for _ in range(2)]
    await eventually(lambda: world.predictor.open_streams == 2)
    failure = await world.client.fail("SELECT 1 AS a")
    assert failure.reason is Reason.OVERLOADED
    assert failure.retry_delay_s == 1.0
    for call in calls:
        call.cancel()
    await eventually(lambda: world.predictor.open_streams == 0)
    await world.client.succeed("SELECT 1 AS a")


async def test_a_text_that_is_too_long_is_refused(world: World) -> None:
    failure = await world.client.fail(f"SELECT '{'x' * 300}' AS a")
    assert failure.reason is Reason.STATEMENT_TOO_LARGE


async def test_a_request_id_has_a_longest_length(world: World) -> None:
    failed = await world.client.run("SELECT 1 AS a", request_id="x" * 129)
    assert failed.failure is not None
    assert failed.failure.reason is Reason.INVALID_ARGUMENT


async def test_a_peer_that_is_gone_is_named(tmp_path: Path) -> None:
    async with gateway_world(tmp_path, absent=("storage",)) as world:
        failure = await world.client.fail("SELECT 1 AS a")
        assert failure.reason is Reason.PEER_UNAVAILABLE
        assert "storage" in failure.message


async def test_jobs_pass_through(world: World) -> None:
    stub, metadata = world.client.stub, world.client.metadata
    for job_id in ("a", "b", "c"):
        world.trainer.jobs[job_id] = trainer_pb2.TrainingJob(job_id=job_id, sequence=1)
    page = await stub.ListJobs(gateway_pb2.ListJobsRequest(page_size=2), metadata=metadata)
    assert [job.job_id for job in page.jobs] == ["a", "b"]
    request = gateway_pb2.ListJobsRequest(page_size=2, page_token=page.next_page_token)
    assert [job.job_id for job in (await stub.ListJobs(request, metadata=metadata)).jobs] == ["c"]
    got = await stub.GetJob(gateway_pb2.GetJobRequest(job_id="a"), metadata=metadata)
    assert got.job.job_id == "a"
    watched = stub.WatchJob(gateway_pb2.WatchJobRequest(job_id="a", after_sequence=1), metadata=metadata)
    assert [message.job.sequence async for message in watched] == [2, 3]
    await stub.CancelJob(gateway_pb2.CancelJobRequest(job_id="b"), metadata=metadata)
    assert world.trainer.cancelled == ["b"]
    failure = await failure_of(stub.GetJob(gateway_pb2.GetJobRequest(job_id="z"), metadata=metadata))
    assert failure.reason is Reason.JOB_NOT_FOUND


async def test_who_leaves_a_watch_leaves_the_job_alone(world: World) -> None:
    world.trainer.hang = True
    world.trainer.jobs["a"] = trainer_pb2.TrainingJob(job_id="a", sequence=1)
    call = world.client.stub.WatchJob(gateway_pb2.WatchJobRequest(job_id="a"), metadata=world.client.metadata)
    await call.read()
    call.cancel()
    await eventually(lambda: world.trainer.watchers == 0)
    assert world.trainer.cancelled == []


async def upload(world: World, parts: list[gateway_pb2.UploadFileRequest]) -> gateway_pb2.UploadFileResponse:
    async def requests() -> AsyncIterator[gateway_pb2.UploadFileRequest]:
        for part in parts:
            yield part

    response: gateway_pb2.UploadFileResponse = await world.client.stub.UploadFile(
        requests(), metadata=world.client.metadata
    )
    return response


START = gateway_pb2.UploadFileRequest(start=storage_pb2.FileStart(path="a.bin"))
COMMIT = gateway_pb2.UploadFileRequest(commit=storage_pb2.FileCommit())


async def test_files_go_up_come_down_and_are_listed(world: World) -> None:
    stub, metadata = world.client.stub, world.client.metadata
    chunks = [gateway_pb2.UploadFileRequest(chunk=bytes([n]) * 60_000) for n in range(5)]
    response = await upload(world, [START, *chunks, COMMIT])
    assert (response.file.path, response.file.size_bytes) == ("uploads/a.bin", 300_000)
    parts = [
        part
        async for part in stub.DownloadFile(
            gateway_pb2.DownloadFileRequest(path="uploads/a.bin"), metadata=metadata
        )
    ]
    assert parts[0].file.size_bytes == 300_000
    assert b"".join(part.chunk for part in parts[1:]) == b"".join(chunk.chunk for chunk in chunks)
    listed = await stub.ListWorkspaceFiles(
        gateway_pb2.ListWorkspaceFilesRequest(prefix="uploads/"), metadata=metadata
    )
    assert [file.path for file in listed.files] == ["uploads/a.bin"]


async def test_the_other_calls_about_files_reach_storage(world: World) -> None:
    stub, metadata = world.client.stub, world.client.metadata
    state = gateway_pb2.GetUploadRequest(path="uploads/a", upload_id="1234")
    assert (await stub.GetUpload(state, metadata=metadata)).received_bytes == 4
    world.storage.files["uploads/a"] = b"0123456789"
    request = gateway_pb2.DownloadFileRequest(path="uploads/a", offset=4)
    parts = [part async for part in stub.DownloadFile(request, metadata=metadata)]
    assert b"".join(part.chunk for part in parts) == b"456789"
    assert parts[-1].end.sha256 == "of the whole"
    address = gateway_pb2.GetFileUrlRequest(path="uploads/a")
    address.lasts.seconds = 60
    answer = await stub.GetFileUrl(address, metadata=metadata)
    assert (answer.url, answer.expire_time.seconds) == ("http://s3/uploads/a", 60)
    removal = gateway_pb2.DeleteWorkspaceFileRequest(path="uploads/a")
    assert (await stub.DeleteWorkspaceFile(removal, metadata=metadata)).file.size_bytes == 10
    assert world.storage.files == {}


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer thanosql_wrong"),)])
async def test_calls_about_files_need_the_token(world: World, metadata: tuple[tuple[str, str], ...]) -> None:
    stub = world.client.stub
    for call in (
        stub.GetUpload(gateway_pb2.GetUploadRequest(), metadata=metadata),
        stub.GetFileUrl(gateway_pb2.GetFileUrlRequest(), metadata=metadata),
        stub.DeleteWorkspaceFile(gateway_pb2.DeleteWorkspaceFileRequest(), metadata=metadata),
        stub.DownloadFile(gateway_pb2.DownloadFileRequest(), metadata=metadata).read(),
    ):
        assert (await failure_of(call)).reason is Reason.INVALID_TOKEN


async def test_an_upload_without_its_commit_leaves_no_file(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await upload(world, [START, gateway_pb2.UploadFileRequest(chunk=b"x")])
    assert world.storage.files == {}


async def test_an_upload_with_an_empty_message_is_refused(world: World) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await upload(world, [START, gateway_pb2.UploadFileRequest(), COMMIT])
    assert from_rpc_error(raised.value, "gateway").reason is Reason.INVALID_ARGUMENT
    assert world.storage.files == {}


async def test_a_download_of_no_file_fails(world: World) -> None:
    call = world.client.stub.DownloadFile(
        gateway_pb2.DownloadFileRequest(path="nothing"), metadata=world.client.metadata
    )
    assert (await failure_of(call.read())).reason is Reason.FILE_NOT_FOUND


async def test_the_server_tells_its_version_and_what_answers(world: World) -> None:
    info = await world.client.stub.GetServerInfo(
        gateway_pb2.GetServerInfoRequest(), metadata=world.client.metadata
    )
    assert info.version
    assert "thanosql.v1.GatewayService" in info.services
    assert "thanosql.v1.StorageService" in info.services
