"""Between messages about kept transcripts and the words of the core."""

from collections.abc import Sequence

from services.storage.core.keeping.transcripts import (
    FoundTranscripts,
    KeptTranscript,
    Manner,
    TranscriptTally,
)
from thanosql.v1 import predictor_pb2, storage_pb2
from thanosql_runtime.moments import timestamp


def from_manner(request: storage_pb2.KeepTranscriptsRequest) -> Manner:
    """What made transcripts."""
    return Manner(digest=request.manner, model=request.model, version=request.version)


def from_transcripts(request: storage_pb2.KeepTranscriptsRequest) -> list[KeptTranscript]:
    """Transcripts; what was heard is kept as it came, whatever it holds."""
    return [
        KeptTranscript(audio_sha256=item.audio_sha256, content=item.transcript.SerializeToString())
        for item in request.transcripts
    ]


def to_found(found: FoundTranscripts) -> storage_pb2.FindTranscriptsResponse:
    """What is kept, as the wire tells it."""
    transcripts = [
        storage_pb2.KeptTranscript(
            audio_sha256=item.audio_sha256,
            transcript=predictor_pb2.Transcript.FromString(item.content),
            number=item.number,
        )
        for item in found.transcripts
    ]
    return storage_pb2.FindTranscriptsResponse(
        keeps=found.keeps, newest=found.newest, transcripts=transcripts, known=found.known
    )


def to_tallies(tallies: Sequence[TranscriptTally] | None) -> storage_pb2.ListTranscriptsResponse:
    """What is kept by version, as the wire tells it."""
    return storage_pb2.ListTranscriptsResponse(
        keeps=tallies is not None,
        tallies=[
            storage_pb2.TranscriptTally(
                model=tally.model,
                version=tally.version,
                transcripts=tally.transcripts,
                size_bytes=tally.size_bytes,
                use_time=timestamp(tally.used_s),
            )
            for tally in tallies or ()
        ],
    )
