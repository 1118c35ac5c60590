"""The RPCs about files of the workspace."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from services.storage import answers, convert
from services.storage.core.paging import page_length
from services.storage.parts import Parts
from services.storage.streams import receive_file
from thanosql.v1 import storage_pb2, storage_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]


class FileCalls(storage_pb2_grpc.StorageServiceServicer):
    """See `StorageServicer`, which has the parts."""

    _parts: Parts

    async def WriteFile(
        self, request_iterator: AsyncIterator[storage_pb2.WriteFileRequest], context: _Context
    ) -> storage_pb2.WriteFileResponse:
        """Put a file under `uploads/`."""
        parts = self._parts
        info = await receive_file(request_iterator, parts.objects.workspace, parts.uploads, parts.work)
        return storage_pb2.WriteFileResponse(file=convert.to_file(info))

    async def GetFileUpload(
        self, request: storage_pb2.GetFileUploadRequest, context: _Context
    ) -> storage_pb2.GetFileUploadResponse:
        """Say how much of an upload has arrived."""
        key = self._parts.objects.workspace.upload_key(request.path)
        state = await self._parts.work.step(self._parts.uploads.state, key, request.upload_id)
        return convert.to_file_upload(state)

    async def ReadFile(
        self, request: storage_pb2.ReadFileRequest, context: _Context
    ) -> AsyncIterator[storage_pb2.ReadFileResponse]:
        """Read a file of the workspace."""
        async with aclosing(answers.file_parts(self._parts, convert.from_file_range(request))) as responses:
            async for response in responses:
                yield response

    async def DeleteFile(
        self, request: storage_pb2.DeleteFileRequest, context: _Context
    ) -> storage_pb2.DeleteFileResponse:
        """Delete a file under `uploads/`."""
        info = await self._parts.work.step(self._parts.objects.workspace.delete, request.path)
        return storage_pb2.DeleteFileResponse(file=convert.to_file(info))

    async def SignFileUrl(
        self, request: storage_pb2.SignFileUrlRequest, context: _Context
    ) -> storage_pb2.SignFileUrlResponse:
        """Sign an address for browsers."""
        lasts, expires_s = convert.from_lasts(request)
        url = await self._parts.work.step(self._parts.objects.workspace.sign, request.path, lasts)
        return convert.to_signed_url(url, expires_s)

    async def ListFiles(
        self, request: storage_pb2.ListFilesRequest, context: _Context
    ) -> storage_pb2.ListFilesResponse:
        """List the files of the workspace by path."""
        size = page_length(request.page_size)
        page = await self._parts.work.step(
            self._parts.objects.workspace.list, request.prefix, page_token=request.page_token, page_size=size
        )
        return convert.to_file_page(page)
