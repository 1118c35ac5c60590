"""Clients of other services, behind the ports that the core defines."""

import uuid
from collections.abc import Sequence

from services.predictor.convert import from_hold_answer, from_model_version, to_holds
from services.predictor.core.holding import HeldVersion, HoldAnswer
from services.predictor.core.types import ModelRecord
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_runtime.service import Channels
from thanosql_runtime.status import peer_errors

_TIMEOUT_S = 10.0


class StorageCatalog:
    """Satisfies `ports.ModelCatalog` and `holding.HoldsCatalog` with the storage service.

    Args:
        channels: Ways to the other services.
        holder: This process, as people find it.
    """

    def __init__(self, channels: Channels, holder: str) -> None:
        self._channels = channels
        self._holder = holder
        self._holder_id = uuid.uuid4().hex

    async def get_model(self, name: str, version: int) -> ModelRecord:
        """Find a version, the active one for 0."""
        stub = storage_pb2_grpc.StorageServiceStub(self._channels.to("storage"))
        request = storage_pb2.GetModelRequest(name=name, version=version)
        with peer_errors("storage"):
            response = await stub.GetModel(request, timeout=_TIMEOUT_S)
        return from_model_version(response.model)

    async def hold(self, versions: Sequence[HeldVersion]) -> HoldAnswer:
        """Tell everything that is in memory now."""
        stub = storage_pb2_grpc.StorageServiceStub(self._channels.to("storage"))
        request = to_holds(self._holder_id, self._holder, versions)
        with peer_errors("storage"):
            response = await stub.HoldModels(request, timeout=_TIMEOUT_S)
        return from_hold_answer(response)
