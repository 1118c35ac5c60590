"""Clients of other services, behind the ports that the core defines."""

from services.predictor.convert import from_model_version
from services.predictor.core.types import ModelRecord
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_runtime.service import Channels
from thanosql_runtime.status import peer_errors

_TIMEOUT_S = 10.0


class StorageCatalog:
    """Satisfies `ports.ModelCatalog` with the storage service."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def get_model(self, name: str, version: int) -> ModelRecord:
        """Find a version, the active one for 0."""
        stub = storage_pb2_grpc.StorageServiceStub(self._channels.to("storage"))
        request = storage_pb2.GetModelRequest(name=name, version=version)
        with peer_errors("storage"):
            response = await stub.GetModel(request, timeout=_TIMEOUT_S)
        return from_model_version(response.model)
