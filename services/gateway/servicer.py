"""The calls of `GatewayService`: check, convert, call, convert."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import structlog

from services.gateway import convert, convert_files
from services.gateway.core.execution import Executor
from services.gateway.core.tokens import TokenKeeper
from services.gateway.peers import Links
from thanosql.v1 import gateway_pb2, gateway_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]
_OWN_NAME = "thanosql.v1.GatewayService"


class GatewayServicer(gateway_pb2_grpc.GatewayServiceServicer):
    """Answers users; every call has shown the token before it comes here."""

    def __init__(self, executor: Executor, links: Links, tokens: TokenKeeper, version: str) -> None:
        self._executor = executor
        self._links = links
        self._tokens = tokens
        self._version = version

    async def Execute(
        self, request: gateway_pb2.ExecuteRequest, context: _Context
    ) -> AsyncIterator[gateway_pb2.ExecuteResponse]:
        """Run the statements; a caller who leaves stops what runs for it."""
        structlog.contextvars.bind_contextvars(request=request.request_id[:128])
        async with aclosing(self._executor.execute(request.text, request.request_id)) as events:
            async for index, event in events:
                yield convert.event(index, event)

    async def Explain(
        self, request: gateway_pb2.ExplainRequest, context: _Context
    ) -> gateway_pb2.ExplainResponse:
        """Say what would run."""
        explanations = await self._executor.explain(request.text)
        return gateway_pb2.ExplainResponse(explanations=[convert.explanation(item) for item in explanations])

    async def GetJob(
        self, request: gateway_pb2.GetJobRequest, context: _Context
    ) -> gateway_pb2.GetJobResponse:
        """Describe a job."""
        return gateway_pb2.GetJobResponse(job=await self._links.jobs.get(request.job_id))

    async def ListJobs(
        self, request: gateway_pb2.ListJobsRequest, context: _Context
    ) -> gateway_pb2.ListJobsResponse:
        """List jobs."""
        page = await self._links.jobs.page(request.page_size, request.page_token)
        return gateway_pb2.ListJobsResponse(jobs=page.jobs, next_page_token=page.next_page_token)

    async def WatchJob(
        self, request: gateway_pb2.WatchJobRequest, context: _Context
    ) -> AsyncIterator[gateway_pb2.WatchJobResponse]:
        """Send a job at every change."""
        async with aclosing(self._links.jobs.watch(request.job_id, request.after_sequence)) as jobs:
            async for job in jobs:
                yield gateway_pb2.WatchJobResponse(job=job)

    async def CancelJob(
        self, request: gateway_pb2.CancelJobRequest, context: _Context
    ) -> gateway_pb2.CancelJobResponse:
        """Stop a job."""
        return gateway_pb2.CancelJobResponse(job=await self._links.jobs.cancel(request.job_id))

    async def Dictate(
        self, request_iterator: AsyncIterator[gateway_pb2.DictateRequest], context: _Context
    ) -> AsyncIterator[gateway_pb2.DictateResponse]:
        """Transcribe live audio; a caller who leaves ends the stream behind."""
        async with aclosing(self._links.live.dictate(request_iterator)) as responses:
            async for response in responses:
                yield response

    async def UploadFile(
        self, request_iterator: AsyncIterator[gateway_pb2.UploadFileRequest], context: _Context
    ) -> gateway_pb2.UploadFileResponse:
        """Write a file."""
        return gateway_pb2.UploadFileResponse(file=await self._links.files.upload(request_iterator))

    async def GetUpload(
        self, request: gateway_pb2.GetUploadRequest, context: _Context
    ) -> gateway_pb2.GetUploadResponse:
        """Say how much of an upload has arrived."""
        return convert_files.upload_state(
            await self._links.files.upload_state(request.path, request.upload_id)
        )

    async def DownloadFile(
        self, request: gateway_pb2.DownloadFileRequest, context: _Context
    ) -> AsyncIterator[gateway_pb2.DownloadFileResponse]:
        """Read a file."""
        async with aclosing(self._links.files.download(request)) as parts:
            async for part in parts:
                yield convert_files.download_part(part)

    async def ListWorkspaceFiles(
        self, request: gateway_pb2.ListWorkspaceFilesRequest, context: _Context
    ) -> gateway_pb2.ListWorkspaceFilesResponse:
        """List files."""
        page = await self._links.files.page(request.prefix, request.page_size, request.page_token)
        return gateway_pb2.ListWorkspaceFilesResponse(files=page.files, next_page_token=page.next_page_token)

    async def DeleteWorkspaceFile(
        self, request: gateway_pb2.DeleteWorkspaceFileRequest, context: _Context
    ) -> gateway_pb2.DeleteWorkspaceFileResponse:
        """Delete a file under `uploads/`."""
        deleted = await self._links.files.delete(request.path)
        return gateway_pb2.DeleteWorkspaceFileResponse(file=deleted.file)

    async def GetFileUrl(
        self, request: gateway_pb2.GetFileUrlRequest, context: _Context
    ) -> gateway_pb2.GetFileUrlResponse:
        """Give an address for browsers."""
        signed = await self._links.files.sign(convert_files.sign_request(request))
        return gateway_pb2.GetFileUrlResponse(url=signed.url, expire_time=signed.expire_time)

    async def RotateToken(
        self, request: gateway_pb2.RotateTokenRequest, context: _Context
    ) -> gateway_pb2.RotateTokenResponse:
        """Replace the token."""
        token, created = await asyncio.to_thread(self._tokens.rotate)
        response = gateway_pb2.RotateTokenResponse(token=token)
        response.create_time.FromDatetime(created)
        return response

    async def GetServerInfo(
        self, request: gateway_pb2.GetServerInfoRequest, context: _Context
    ) -> gateway_pb2.GetServerInfoResponse:
        """Describe the server."""
        services = [_OWN_NAME, *await self._links.health.serving()]
        return gateway_pb2.GetServerInfoResponse(version=self._version, services=services)
