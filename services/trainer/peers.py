"""The storage service, as the trainer's core wants it."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
import pyarrow as pa

from services.trainer.convert import holds_to_message, model_from_message, model_to_message
from services.trainer.core.ports import HeldModel
from services.trainer.core.types import Model
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_runtime.arrow import decode_batch, decode_schema
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.moments import seconds_of
from thanosql_runtime.status import peer_errors

_CALL_S = 20.0
_READ_S = 3600.0
# Storage reads and compares every byte of the files before it answers, and other registrations wait in line.
_REGISTER_S = 600.0
_PAGE_SIZE = 1000
_ABSENT = frozenset({Reason.MODEL_NOT_FOUND, Reason.BASE_MODEL_NOT_FOUND})


def storage_stub(channel: grpc.aio.Channel) -> "storage_pb2_grpc.StorageServiceAsyncStub":
    """The stub over a channel; its asynchronous type exists for the type checker alone."""
    return storage_pb2_grpc.StorageServiceStub(channel)


class StorageCatalog:
    """`core.ports.Catalog` and `core.ports.HoldsCatalog` over the storage service.

    Args:
        stub: The service.
        holder: This process, as people find it.
    """

    def __init__(self, stub: "storage_pb2_grpc.StorageServiceAsyncStub", holder: str) -> None:
        self._stub = stub
        self._holder = holder
        self._holder_id = uuid.uuid4().hex

    async def find(self, name: str, version: int = 0) -> Model | None:
        """See `Catalog.find`."""
        request = storage_pb2.GetModelRequest(name=name, version=version)
        try:
            with peer_errors("storage"):
                response = await self._stub.GetModel(request, timeout=_CALL_S)
        except ThanosqlError as failure:
            if failure.reason in _ABSENT:
                return None
            raise
        return model_from_message(response.model)

    async def versions(self, name: str) -> list[Model]:
        """See `Catalog.versions`."""
        request = storage_pb2.ListModelVersionsRequest(name=name, page_size=_PAGE_SIZE)
        try:
            pages = [page async for page in _pages(self._stub.ListModelVersions, request)]
        except ThanosqlError as failure:
            if failure.reason in _ABSENT:
                return []
            raise
        return [model_from_message(model) for page in pages for model in page.models]

    async def names(self) -> list[str]:
        """See `Catalog.names`."""
        with peer_errors("storage"):
            response = await self._stub.ListModels(
                storage_pb2.ListModelsRequest(page_size=_PAGE_SIZE), timeout=_CALL_S
            )
        return [model.name for model in response.models]

    async def register(self, model: Model, *, overwrite: bool, request_id: str) -> Model:
        """See `Catalog.register`."""
        request = storage_pb2.RegisterModelRequest(
            model=model_to_message(model), overwrite=overwrite, request_id=request_id
        )
        with peer_errors("storage"):
            response = await self._stub.RegisterModel(request, timeout=_REGISTER_S)
        return model_from_message(response.model)

    async def hold(self, models: Sequence[HeldModel]) -> float:
        """See `HoldsCatalog.hold`."""
        request = holds_to_message(self._holder_id, self._holder, models)
        with peer_errors("storage"):
            response = await self._stub.HoldModels(request, timeout=_CALL_S)
        return seconds_of(response.lasts)


class StorageSnapshots:
    """`core.ports.Snapshots` over the storage service."""

    def __init__(self, stub: "storage_pb2_grpc.StorageServiceAsyncStub") -> None:
        self._stub = stub

    async def read(self, snapshot_id: str) -> AsyncIterator[pa.Schema | pa.RecordBatch]:
        """See `Snapshots.read`."""
        request = storage_pb2.ReadSnapshotRequest(snapshot_id=snapshot_id)
        schema: pa.Schema | None = None
        with peer_errors("storage"):
            async for response in self._stub.ReadSnapshot(request, timeout=_READ_S):
                if response.WhichOneof("part") == "schema":
                    schema = decode_schema(response.schema)
                    yield schema
                elif schema is not None:
                    yield decode_batch(response.record_batch, schema)
        if schema is None:
            raise error(Reason.INTERNAL, f"storage sent no schema for the rows of {snapshot_id!r}")

    async def delete(self, snapshot_id: str) -> None:
        """See `Snapshots.delete`."""
        with peer_errors("storage"):
            await self._stub.DeleteSnapshot(
                storage_pb2.DeleteSnapshotRequest(snapshot_id=snapshot_id), timeout=_CALL_S
            )

    async def written_before(self, time_s: float) -> list[str]:
        """See `Snapshots.written_before`."""
        request = storage_pb2.ListSnapshotsRequest(page_size=_PAGE_SIZE)
        return [
            kept.snapshot_id
            async for page in _pages(self._stub.ListSnapshots, request)
            for kept in page.snapshots
            if kept.create_time.seconds < time_s
        ]


# Any: a request and its pages may be of any message; gRPC's own types do not tie them together.
async def _pages(call: Callable[..., Awaitable[Any]], request: Any) -> AsyncIterator[Any]:
    """The pages of a listing, one after another."""
    while True:
        with peer_errors("storage"):
            page = await call(request, timeout=_CALL_S)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
