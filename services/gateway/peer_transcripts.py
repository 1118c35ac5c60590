"""Transcripts that storage keeps, behind the port that core defines."""

from services.gateway import convert
from services.gateway.core.records import KeptTranscripts, TranscriptTally
from services.gateway.peer_streams import peer_call
from thanosql.v1 import storage_pb2, storage_pb2_grpc

_PEER = "storage"


class StorageTranscripts:
    """See `Transcripts`."""

    def __init__(self, stub: "storage_pb2_grpc.StorageServiceAsyncStub", timeout_s: float) -> None:
        self._stub = stub
        self._timeout_s = timeout_s

    async def kept(self) -> KeptTranscripts:
        """See `Transcripts.kept`."""
        with peer_call(_PEER):
            response = await self._stub.ListTranscripts(
                storage_pb2.ListTranscriptsRequest(), timeout=self._timeout_s
            )
        return KeptTranscripts(keeps=response.keeps, tallies=[_tally(item) for item in response.tallies])

    async def delete(self, model: str, version: int) -> int:
        """See `Transcripts.delete`."""
        request = storage_pb2.DeleteTranscriptsRequest(model=model, version=version)
        with peer_call(_PEER):
            return (await self._stub.DeleteTranscripts(request, timeout=self._timeout_s)).transcripts_deleted


def _tally(message: storage_pb2.TranscriptTally) -> TranscriptTally:
    return TranscriptTally(
        model=message.model,
        version=message.version,
        transcripts=message.transcripts,
        size_bytes=message.size_bytes,
        use_time=convert.moment(message.use_time, message.HasField("use_time")),
    )
