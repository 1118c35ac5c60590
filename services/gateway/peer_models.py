"""The catalog of models in the storage service, behind the port that core defines."""

from collections.abc import AsyncIterator, Sequence

from services.gateway import convert
from services.gateway.core.plans import DeleteModel, split_version
from services.gateway.core.records import ModelVersion
from services.gateway.peer_streams import pages, peer_call
from thanosql.v1 import storage_pb2, storage_pb2_grpc, types_pb2

_PEER = "storage"
_PAGE = 1000


class StorageCatalog:
    """Models and their versions."""

    def __init__(self, stub: "storage_pb2_grpc.StorageServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def get(self, name: str, version: int) -> ModelVersion:
        """See `Catalog.get`."""
        request = storage_pb2.GetModelRequest(name=name, version=version)
        with peer_call(_PEER):
            return convert.model((await self._stub.GetModel(request, timeout=self._timeout_s)).model)

    async def pages(self, kinds: Sequence[str]) -> AsyncIterator[Sequence[ModelVersion]]:
        """See `Catalog.pages`."""
        values = [types_pb2.ModelKind.Value(f"MODEL_KIND_{kind}") for kind in kinds]
        request = storage_pb2.ListModelsRequest(page_size=_PAGE, kinds=values)
        async for page in pages(self._stub.ListModels, request, _PEER, self._timeout_s):
            yield [convert.model(message) for message in page.models]

    async def version_pages(self, name: str) -> AsyncIterator[Sequence[ModelVersion]]:
        """See `Catalog.version_pages`."""
        request = storage_pb2.ListModelVersionsRequest(name=name, page_size=_PAGE)
        async for page in pages(self._stub.ListModelVersions, request, _PEER, self._timeout_s):
            yield [convert.model(message) for message in page.models]

    async def activate(self, name: str, version: int, *, explain_only: bool = False) -> ModelVersion:
        """See `Catalog.activate`."""
        request = storage_pb2.ActivateModelRequest(name=name, version=version, explain_only=explain_only)
        with peer_call(_PEER):
            return convert.model((await self._stub.ActivateModel(request, timeout=self._timeout_s)).model)

    async def delete(self, statement: DeleteModel, *, explain_only: bool = False) -> int:
        """See `Catalog.delete`."""
        name, version = split_version(statement.model.text)
        request = storage_pb2.DeleteModelRequest(
            name=name,
            version=version,
            force=statement.force,
            if_exists=statement.if_exists,
            explain_only=explain_only,
        )
        with peer_call(_PEER):
            return (await self._stub.DeleteModel(request, timeout=self._timeout_s)).versions_deleted
