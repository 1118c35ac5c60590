"""The RPCs about models."""

from typing import Any

import grpc
import structlog

from services.storage import convert_models
from services.storage.parts import Parts
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("storage")
_Context = grpc.aio.ServicerContext[Any, Any]


class ModelCalls(storage_pb2_grpc.StorageServiceServicer):
    """See `StorageServicer`, which has the parts."""

    _parts: Parts

    async def GetModel(
        self, request: storage_pb2.GetModelRequest, context: _Context
    ) -> storage_pb2.GetModelResponse:
        """Describe one version of a model."""
        model = await self._parts.work.step(self._parts.models.get, request.name, request.version)
        return storage_pb2.GetModelResponse(model=convert_models.to_model(model))

    async def ListModels(
        self, request: storage_pb2.ListModelsRequest, context: _Context
    ) -> storage_pb2.ListModelsResponse:
        """List models by name, each by its active version."""
        page = await self._parts.work.step(
            self._parts.models.page,
            page_size=request.page_size,
            page_token=request.page_token,
            kinds=convert_models.from_kinds(request),
        )
        return convert_models.to_model_page(page)

    async def ListModelVersions(
        self, request: storage_pb2.ListModelVersionsRequest, context: _Context
    ) -> storage_pb2.ListModelVersionsResponse:
        """List the versions of a model, newest first."""
        page = await self._parts.work.step(
            self._parts.models.version_page,
            request.name,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return convert_models.to_version_page(page)

    async def RegisterModel(
        self, request: storage_pb2.RegisterModelRequest, context: _Context
    ) -> storage_pb2.RegisterModelResponse:
        """Make a version of a model known, and active."""
        registered = await self._parts.work.command(
            self._parts.models.register,
            convert_models.from_model(request.model),
            overwrite=request.overwrite,
            request_id=request.request_id,
        )
        return storage_pb2.RegisterModelResponse(model=convert_models.to_model(registered))

    async def ActivateModel(
        self, request: storage_pb2.ActivateModelRequest, context: _Context
    ) -> storage_pb2.ActivateModelResponse:
        """Make a version the one that statements use when they name none."""
        model = await self._parts.work.command(
            self._parts.models.activate,
            request.name,
            request.version,
            explain_only=request.explain_only,
        )
        return storage_pb2.ActivateModelResponse(model=convert_models.to_model(model))

    async def DeleteModel(
        self, request: storage_pb2.DeleteModelRequest, context: _Context
    ) -> storage_pb2.DeleteModelResponse:
        """Delete a model with its versions and files, and forget what it has heard."""
        count = await self._parts.work.command(
            self._parts.models.delete, convert_models.from_deletion(request)
        )
        if count and not request.explain_only:
            try:
                await self._parts.work.command(self._parts.transcripts.forget, request.name, request.version)
            except ThanosqlError as problem:  # the model is gone, and DELETE TRANSCRIPTS can be tried again
                _log.warning("transcripts_stay", model=request.name, error=problem.message)
        return storage_pb2.DeleteModelResponse(versions_deleted=count)

    async def HoldModels(
        self, request: storage_pb2.HoldModelsRequest, context: _Context
    ) -> storage_pb2.HoldModelsResponse:
        """Take which versions a process uses."""
        holds = convert_models.from_holds(request)
        missing = await self._parts.work.step(self._parts.models.hold, request.holder_id, holds)
        return convert_models.to_missing(missing, self._parts.models.holds_last_s)
