"""A storage service that knows models alone, over real gRPC; and recordings for any test."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import soundfile

from thanosql.v1 import storage_pb2, storage_pb2_grpc, types_pb2
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.service import Authoriser


class FakeStorage(storage_pb2_grpc.StorageServiceServicer):
    """Satisfies `thanosql_runtime.service.Service`; tests put models in."""

    full_name = "thanosql.v1.StorageService"
    authorise: Authoriser | None = None

    def __init__(self) -> None:
        self.models: dict[str, dict[int, types_pb2.ModelVersion]] = {}
        self.lookups = 0
        self.held: list[tuple[str, int]] = []

    def add(self, model: types_pb2.ModelVersion) -> None:
        self.models.setdefault(model.name, {})[model.version] = model

    async def GetModel(
        self, request: storage_pb2.GetModelRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> storage_pb2.GetModelResponse:
        self.lookups += 1
        versions = self.models.get(request.name, {})
        version = request.version or max(versions, default=0)
        if version not in versions:
            raise error(Reason.MODEL_NOT_FOUND, f"model '{request.name}' does not exist", model=request.name)
        return storage_pb2.GetModelResponse(model=versions[version])

    async def HoldModels(
        self, request: storage_pb2.HoldModelsRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> storage_pb2.HoldModelsResponse:
        self.held = [(item.model, item.version) for item in request.models]
        missing = [item for item in request.models if item.version not in self.models.get(item.model, {})]
        response = storage_pb2.HoldModelsResponse(missing=missing)
        response.lasts.FromSeconds(60)
        return response

    def mount(self, server: grpc.aio.Server) -> None:
        storage_pb2_grpc.add_StorageServiceServicer_to_server(self, server)

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass


def fake_storage() -> FakeStorage:
    """What it does not know it answers with UNIMPLEMENTED, as gRPC does for any method that is not there."""
    return FakeStorage()  # type: ignore[abstract]


def put_model(store: ObjectStore, folder: Path, name: str, version: int = 1) -> types_pb2.ModelVersion:
    """Put a checkpoint folder into a store and describe it as the catalog would."""
    artefacts = []
    for file in sorted(folder.iterdir()):
        key = f"models/{name}/{version}/{file.name}"
        content = file.read_bytes()
        store.write(key, [content])
        digest = hashlib.sha256(content).hexdigest()
        artefacts.append(types_pb2.Artefact(key=key, name=file.name, sha256=digest, size_bytes=len(content)))
    return types_pb2.ModelVersion(
        name=name,
        version=version,
        kind=types_pb2.MODEL_KIND_TRAINED,
        base="Wav2Vec2En.1",
        artefacts=artefacts,
        metrics={"wer": 0.5},
        properties={"epochs": "1"},
        active=True,
    )


def babble(duration_s: float, *, seed: int = 0, rate_hz: int = 16_000, channels: int = 1) -> np.ndarray:
    """Noise with the rhythm of speech."""
    generator = np.random.default_rng(seed)
    samples = int(duration_s * rate_hz)
    loudness = np.abs(np.sin(np.arange(samples) * 25.0 / rate_hz + seed))[:, None]
    noise: np.ndarray = 0.2 * loudness * generator.standard_normal((samples, channels))
    return noise.astype(np.float32)


def wav(samples: np.ndarray, rate_hz: int = 16_000, container: str = "WAV") -> bytes:
    """A file's bytes."""
    target = io.BytesIO()
    soundfile.write(target, samples, rate_hz, format=container)
    return target.getvalue()


def write_workspace(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A workspace with these files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
