"""A storage service that knows models and snapshots alone, over real gRPC."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
from google.protobuf.timestamp_pb2 import Timestamp

from thanosql.v1 import storage_pb2, storage_pb2_grpc, types_pb2
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.arrow import encode_batches, encode_schema
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.service import Authoriser

_Context = grpc.aio.ServicerContext[Any, Any]


class TrainerStorage(storage_pb2_grpc.StorageServiceServicer):
    """Satisfies `thanosql_runtime.service.Service`.

    Attributes:
        models: By name, the versions from 1 on.
        snapshots: Rows by snapshot id.
        deleted_snapshots: In order.
        refuse_registration: Raised by the next registrations.
        lose_answers: Raised by the next registrations, one each, after the version is registered.
        refuse_deletion: Raised by the next deletions of snapshots.
        held: The versions that jobs train from, by job.
        lose_snapshots: Raised by the next readings of snapshots, one each.
        may_register: Registrations wait for it.
        registrations: Asked for so far.
    """

    full_name = "thanosql.v1.StorageService"
    authorise: Authoriser | None = None

    def __init__(self) -> None:
        self.models: dict[str, list[types_pb2.ModelVersion]] = {}
        self.snapshots: dict[str, pa.Table] = {}
        self.deleted_snapshots: list[str] = []
        self.refuse_registration: Exception | None = None
        self.lose_answers: list[Exception] = []
        self.refuse_deletion: Exception | None = None
        self.held: dict[str, tuple[str, int]] = {}
        self.lose_snapshots: list[Exception] = []
        self.written_s: dict[str, int] = {}
        self.may_register = asyncio.Event()
        self.may_register.set()
        self.registrations = 0
        self._registered: dict[str, types_pb2.ModelVersion] = {}

    def add_rows(
        self, snapshot_id: str, texts: Sequence[str | None], paths: Sequence[str | None] = ()
    ) -> str:
        columns = {"id": range(len(texts)), "audio_path": paths or [f"{i}.wav" for i in range(len(texts))]}
        self.snapshots[snapshot_id] = pa.table({**columns, "text": pa.array(texts, pa.string())})
        return snapshot_id

    def add_model(
        self, name: str, artefacts: Sequence[types_pb2.Artefact] = (), kind: str = "MODEL_KIND_BASE"
    ) -> None:
        versions = self.models.setdefault(name, [])
        version = types_pb2.ModelVersion(
            name=name,
            version=len(versions) + 1,
            kind=types_pb2.ModelKind.Value(kind),
            artefacts=artefacts,
            active=True,
        )
        versions.append(version)

    async def GetModel(
        self, request: storage_pb2.GetModelRequest, context: _Context
    ) -> storage_pb2.GetModelResponse:
        versions = self.models.get(request.name, [])
        if not versions or request.version > len(versions):
            raise error(Reason.MODEL_NOT_FOUND, f"model {request.name!r} does not exist")
        return storage_pb2.GetModelResponse(model=versions[request.version - 1])

    async def ListModels(
        self, request: storage_pb2.ListModelsRequest, context: _Context
    ) -> storage_pb2.ListModelsResponse:
        return storage_pb2.ListModelsResponse(models=[versions[-1] for versions in self.models.values()])

    async def ListModelVersions(
        self, request: storage_pb2.ListModelVersionsRequest, context: _Context
    ) -> storage_pb2.ListModelVersionsResponse:
        versions = self.models.get(request.name, [])
        if not versions:
            raise error(Reason.MODEL_NOT_FOUND, f"model {request.name!r} does not exist")
        return storage_pb2.ListModelVersionsResponse(models=versions[::-1])

    async def RegisterModel(
        self, request: storage_pb2.RegisterModelRequest, context: _Context
    ) -> storage_pb2.RegisterModelResponse:
        self.registrations += 1
        await self.may_register.wait()
        if self.refuse_registration:
            raise self.refuse_registration
        if request.request_id not in self._registered:
            if request.model.name in self.models and not request.overwrite:
                raise error(Reason.MODEL_ALREADY_EXISTS, f"model {request.model.name!r} exists")
            versions = self.models.setdefault(request.model.name, [])
            model = types_pb2.ModelVersion()
            model.CopyFrom(request.model)
            model.version, model.active = len(versions) + 1, True
            model.create_time.GetCurrentTime()
            versions.append(model)
            self._registered[request.request_id] = model
        if self.lose_answers:
            raise self.lose_answers.pop(0)
        return storage_pb2.RegisterModelResponse(model=self._registered[request.request_id])

    async def HoldModels(
        self, request: storage_pb2.HoldModelsRequest, context: _Context
    ) -> storage_pb2.HoldModelsResponse:
        self.held = {item.job_id: (item.model, item.version) for item in request.models}
        response = storage_pb2.HoldModelsResponse()
        response.lasts.FromSeconds(60)
        return response

    async def ReadSnapshot(
        self, request: storage_pb2.ReadSnapshotRequest, context: _Context
    ) -> AsyncIterator[storage_pb2.ReadSnapshotResponse]:
        if self.lose_snapshots:
            raise self.lose_snapshots.pop(0)
        if request.snapshot_id not in self.snapshots:
            raise error(Reason.TABLE_NOT_FOUND, f"no rows are kept as {request.snapshot_id!r}")
        table = self.snapshots[request.snapshot_id]
        yield storage_pb2.ReadSnapshotResponse(schema=encode_schema(table.schema))
        for batch in table.to_batches(max_chunksize=50):
            for message in encode_batches(batch):
                yield storage_pb2.ReadSnapshotResponse(record_batch=message)

    async def DeleteSnapshot(
        self, request: storage_pb2.DeleteSnapshotRequest, context: _Context
    ) -> storage_pb2.DeleteSnapshotResponse:
        if self.refuse_deletion:
            raise self.refuse_deletion
        self.deleted_snapshots.append(request.snapshot_id)
        return storage_pb2.DeleteSnapshotResponse()

    async def ListSnapshots(
        self, request: storage_pb2.ListSnapshotsRequest, context: _Context
    ) -> storage_pb2.ListSnapshotsResponse:
        kept = [
            storage_pb2.Snapshot(snapshot_id=snapshot_id, create_time=Timestamp(seconds=written_s))
            for snapshot_id, written_s in self.written_s.items()
        ]
        return storage_pb2.ListSnapshotsResponse(snapshots=kept)

    def mount(self, server: grpc.aio.Server) -> None:
        storage_pb2_grpc.add_StorageServiceServicer_to_server(self, server)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


def trainer_storage() -> TrainerStorage:
    """What it does not know it answers with UNIMPLEMENTED, as gRPC does for any method that is not there."""
    return TrainerStorage()  # type: ignore[abstract]


def put_files(goal: Path | ObjectStore, prefix: str, files: Mapping[str, bytes]) -> list[types_pb2.Artefact]:
    """Put files into an object store, or the one at a folder, and describe them as the catalog would."""
    store = LocalDirectory(goal) if isinstance(goal, Path) else goal
    artefacts = []
    for name, content in files.items():
        info = store.write(prefix + name, [content])
        digest = hashlib.sha256(content).hexdigest()
        artefacts.append(types_pb2.Artefact(key=info.key, name=name, sha256=digest, size_bytes=len(content)))
    return artefacts
