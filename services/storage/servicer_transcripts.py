"""The RPCs about transcripts that are kept."""

from typing import Any

import grpc

from services.storage import convert_transcripts
from services.storage.parts import Parts
from thanosql.v1 import storage_pb2, storage_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]


class TranscriptCalls(storage_pb2_grpc.StorageServiceServicer):
    """See `StorageServicer`, which has the parts."""

    _parts: Parts

    async def FindTranscripts(
        self, request: storage_pb2.FindTranscriptsRequest, context: _Context
    ) -> storage_pb2.FindTranscriptsResponse:
        """Look for transcripts of recordings."""
        found = await self._parts.work.step(
            self._parts.transcripts.find,
            request.manner,
            list(request.audio_sha256),
            list_known=request.list_known,
        )
        return convert_transcripts.to_found(found)

    async def KeepTranscripts(
        self, request: storage_pb2.KeepTranscriptsRequest, context: _Context
    ) -> storage_pb2.KeepTranscriptsResponse:
        """Keep transcripts as one commit."""
        manner = convert_transcripts.from_manner(request)
        kept = convert_transcripts.from_transcripts(request)
        await self._parts.work.step(self._parts.transcripts.keep, manner, kept)
        return storage_pb2.KeepTranscriptsResponse()

    async def ListTranscripts(
        self, request: storage_pb2.ListTranscriptsRequest, context: _Context
    ) -> storage_pb2.ListTranscriptsResponse:
        """Count what is kept, by version."""
        return convert_transcripts.to_tallies(await self._parts.work.step(self._parts.transcripts.tallies))

    async def DeleteTranscripts(
        self, request: storage_pb2.DeleteTranscriptsRequest, context: _Context
    ) -> storage_pb2.DeleteTranscriptsResponse:
        """Forget what is kept."""
        forget = self._parts.transcripts.forget
        deleted = await self._parts.work.command(forget, request.model, request.version)
        return storage_pb2.DeleteTranscriptsResponse(transcripts_deleted=deleted)
