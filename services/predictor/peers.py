"""Clients of other services, behind the ports that the core defines."""

import uuid
from collections.abc import Mapping, Sequence

from services.predictor.convert import from_hold_answer, from_model_version, to_holds
from services.predictor.core.holding import HeldVersion, HoldAnswer
from services.predictor.core.kept_transcripts import Manner, StoredTranscripts
from services.predictor.core.types import ModelRecord
from thanosql.v1 import predictor_pb2, storage_pb2, storage_pb2_grpc
from thanosql_runtime.service import Channels
from thanosql_runtime.status import peer_errors

_TIMEOUT_S = 10.0
# What is kept spares work: it is not worth a longer wait.
_TRANSCRIPTS_TIMEOUT_S = 5.0


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


class StorageTranscripts:
    """Satisfies `kept_transcripts.TranscriptStore` with the storage service.

    Args:
        channels: Ways to the other services.
    """

    def __init__(self, channels: Channels) -> None:
        self._channels = channels

    async def find(
        self, manner: Manner, digests: Sequence[str], *, list_known: bool = False
    ) -> StoredTranscripts:
        """Look for the transcripts of recordings."""
        stub = storage_pb2_grpc.StorageServiceStub(self._channels.to("storage"))
        request = storage_pb2.FindTranscriptsRequest(
            manner=manner.digest, audio_sha256=digests, list_known=list_known
        )
        with peer_errors("storage"):
            response = await stub.FindTranscripts(request, timeout=_TRANSCRIPTS_TIMEOUT_S)
        told = {
            item.audio_sha256: (item.transcript.SerializeToString(), item.number)
            for item in response.transcripts
        }
        known = response.known if response.HasField("known") else None
        return StoredTranscripts(keeps=response.keeps, newest=response.newest, told=told, known=known)

    async def keep(self, manner: Manner, told: Mapping[str, bytes]) -> None:
        """Keep transcripts by the digests of their recordings."""
        stub = storage_pb2_grpc.StorageServiceStub(self._channels.to("storage"))
        request = storage_pb2.KeepTranscriptsRequest(
            manner=manner.digest, model=manner.model, version=manner.version
        )
        for sha256, content in told.items():
            request.transcripts.add(
                audio_sha256=sha256, transcript=predictor_pb2.Transcript.FromString(content)
            )
        with peer_errors("storage"):
            await stub.KeepTranscripts(request, timeout=_TRANSCRIPTS_TIMEOUT_S)
