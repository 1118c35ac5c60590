"""The services behind the gateway: as ports for core, and as stubs for the calls that pass through."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.gateway import convert_plans
from services.gateway.core.pipes import Pipe
from services.gateway.core.plans import Plan
from services.gateway.core.ports import Peers
from services.gateway.peer_live import LiveCalls
from services.gateway.peer_models import StorageCatalog
from services.gateway.peer_speech import PredictorPeer, TrainerPeer
from services.gateway.peer_storage import StorageFiles, StorageTables
from services.gateway.peer_streams import REQUESTS_AHEAD, Feed, answer, answers
from services.gateway.peer_transcripts import StorageTranscripts
from thanosql.v1 import (
    gateway_pb2,
    parser_pb2,
    parser_pb2_grpc,
    predictor_pb2_grpc,
    storage_pb2,
    storage_pb2_grpc,
    trainer_pb2,
    trainer_pb2_grpc,
)
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.service import Channels
from thanosql_runtime.status import peer_errors

_HEALTH_TIMEOUT_S = 2.0
_SERVICES = {
    "parser": "thanosql.v1.ParserService",
    "storage": "thanosql.v1.StorageService",
    "trainer": "thanosql.v1.TrainerService",
    "predictor": "thanosql.v1.PredictorService",
}


@dataclass(frozen=True, kw_only=True)
class Links:
    """Everything behind the gateway: ports, and what passes through as it is."""

    peers: Peers
    jobs: "JobCalls"
    files: "FileCalls"
    live: LiveCalls
    health: "HealthCalls"


def connect(channels: Channels, timeout_s: float, stopping: asyncio.Event) -> Links:
    """The services on these channels.

    Args:
        channels: To each of them.
        timeout_s: Longest wait for one answer.
        stopping: Set once the gateway begins to stop.
    """
    storage: storage_pb2_grpc.StorageServiceAsyncStub = storage_pb2_grpc.StorageServiceStub(
        channels.to("storage")
    )
    trainer: trainer_pb2_grpc.TrainerServiceAsyncStub = trainer_pb2_grpc.TrainerServiceStub(
        channels.to("trainer")
    )
    predictor: predictor_pb2_grpc.PredictorServiceAsyncStub = predictor_pb2_grpc.PredictorServiceStub(
        channels.to("predictor")
    )
    peers = Peers(
        parser=ParserPeer(parser_pb2_grpc.ParserServiceStub(channels.to("parser")), timeout_s),
        tables=StorageTables(storage, timeout_s),
        catalog=StorageCatalog(storage, timeout_s),
        files=StorageFiles(storage, timeout_s),
        trainer=TrainerPeer(trainer, timeout_s),
        transcripts=StorageTranscripts(storage, timeout_s),
        predictor=PredictorPeer(predictor, timeout_s),
    )
    return Links(
        peers=peers,
        jobs=JobCalls(trainer, timeout_s),
        files=FileCalls(storage, timeout_s),
        live=LiveCalls(predictor, stopping),
        health=HealthCalls(channels),
    )


class ParserPeer:
    """Text to plans."""

    def __init__(self, stub: "parser_pb2_grpc.ParserServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def parse(self, text: str) -> Sequence[Plan]:
        """See `Parser.parse`."""
        # The parser's places are places in this very text, so they stay.
        with peer_errors("parser"):
            response = await self._stub.Parse(parser_pb2.ParseRequest(text=text), timeout=self._timeout_s)
        return [convert_plans.plan(message) for message in response.plans]


class JobCalls:
    """Calls about jobs, answered by the trainer."""

    def __init__(self, stub: "trainer_pb2_grpc.TrainerServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def get(self, job_id: str) -> trainer_pb2.TrainingJob:
        """A job."""
        request = trainer_pb2.GetTrainingJobRequest(job_id=job_id)
        with peer_errors("trainer"):
            return (await self._stub.GetTrainingJob(request, timeout=self._timeout_s)).job

    async def page(self, page_size: int, page_token: str) -> trainer_pb2.ListTrainingJobsResponse:
        """A page of jobs."""
        request = trainer_pb2.ListTrainingJobsRequest(page_size=page_size, page_token=page_token)
        with peer_errors("trainer"):
            return await self._stub.ListTrainingJobs(request, timeout=self._timeout_s)

    async def watch(self, job_id: str, after_sequence: int) -> AsyncGenerator[trainer_pb2.TrainingJob]:
        """A job at every change until it has ended; a caller who leaves does not stop it."""
        request = trainer_pb2.WatchTrainingJobRequest(job_id=job_id, after_sequence=after_sequence)
        async for message in answers(self._stub.WatchTrainingJob(request), "trainer"):
            yield message.job

    async def cancel(self, job_id: str) -> trainer_pb2.TrainingJob:
        """Stop a job."""
        request = trainer_pb2.CancelTrainingJobRequest(job_id=job_id)
        with peer_errors("trainer"):
            return (await self._stub.CancelTrainingJob(request, timeout=self._timeout_s)).job


class FileCalls:
    """Calls about files, answered by storage."""

    def __init__(self, stub: "storage_pb2_grpc.StorageServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def upload(self, requests: AsyncIterator[gateway_pb2.UploadFileRequest]) -> storage_pb2.File:
        """Write a file; a stream of requests that breaks leaves none."""
        feed: Feed = Pipe(REQUESTS_AHEAD)
        async with feed.fed_by(partial(_send_parts, requests, feed.put)):
            response = await answer(self._stub.WriteFile(feed.items()), "storage", feed)
        file: storage_pb2.File = response.file
        return file

    async def upload_state(self, path: str, upload_id: str) -> storage_pb2.GetFileUploadResponse:
        """How much of an upload has arrived."""
        request = storage_pb2.GetFileUploadRequest(path=path, upload_id=upload_id)
        with peer_errors("storage"):
            return await self._stub.GetFileUpload(request, timeout=self._timeout_s)

    async def download(
        self, wanted: gateway_pb2.DownloadFileRequest
    ) -> AsyncGenerator[storage_pb2.ReadFileResponse]:
        """The parts of a file."""
        request = storage_pb2.ReadFileRequest(path=wanted.path, offset=wanted.offset, length=wanted.length)
        call = self._stub.ReadFile(request)
        async for message in answers(call, "storage"):
            yield message

    async def delete(self, path: str) -> storage_pb2.DeleteFileResponse:
        """Delete a file under `uploads/`."""
        with peer_errors("storage"):
            return await self._stub.DeleteFile(
                storage_pb2.DeleteFileRequest(path=path), timeout=self._timeout_s
            )

    async def sign(self, request: storage_pb2.SignFileUrlRequest) -> storage_pb2.SignFileUrlResponse:
        """An address for browsers."""
        with peer_errors("storage"):
            return await self._stub.SignFileUrl(request, timeout=self._timeout_s)

    async def page(self, prefix: str, page_size: int, page_token: str) -> storage_pb2.ListFilesResponse:
        """A page of files."""
        request = storage_pb2.ListFilesRequest(prefix=prefix, page_size=page_size, page_token=page_token)
        with peer_errors("storage"):
            return await self._stub.ListFiles(request, timeout=self._timeout_s)


class HealthCalls:
    """Which services answer."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def serving(self) -> list[str]:
        """Full names of the services behind the gateway that say SERVING."""
        found = await asyncio.gather(*(self._is_serving(name) for name in _SERVICES))
        return [full_name for full_name, serves in zip(_SERVICES.values(), found, strict=True) if serves]

    async def _is_serving(self, name: str) -> bool:
        # Any: the published types lack the calls of this stub.
        stub: Any = health_pb2_grpc.HealthStub(self._channels.to(name))
        request = health_pb2.HealthCheckRequest(service=_SERVICES[name])
        try:
            response = await stub.Check(request, timeout=_HEALTH_TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)


async def _send_parts(
    requests: AsyncIterator[gateway_pb2.UploadFileRequest],
    put: Callable[[storage_pb2.WriteFileRequest], Awaitable[None]],
) -> None:
    async for request in requests:
        match request.WhichOneof("part"):
            case "start":
                await put(storage_pb2.WriteFileRequest(start=request.start))
            case "chunk":
                await put(storage_pb2.WriteFileRequest(chunk=request.chunk))
            case "commit":
                await put(storage_pb2.WriteFileRequest(commit=request.commit))
            case None:
                raise error(Reason.INVALID_ARGUMENT, "a message of the upload has no part")
