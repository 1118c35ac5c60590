"""Transcripts and what is told beside their text, between the contract and the core."""

from services.predictor.core.decoding.types import Detail, Reading, SpokenWord
from services.predictor.core.types import Transcript
from thanosql.v1 import predictor_pb2, types_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.moments import duration

_MOST_READINGS = 10


def to_transcript(transcript: Transcript) -> predictor_pb2.Transcript:
    """Write a transcript."""
    return predictor_pb2.Transcript(
        text=transcript.text,
        audio_duration=duration(transcript.audio_s),
        words=map(to_word, transcript.words),
        confidence=transcript.confidence,
        alternatives=map(_alternative, transcript.alternatives),
    )


def to_word(word: SpokenWord) -> types_pb2.Word:
    """Write a word with its times."""
    return types_pb2.Word(
        text=word.text,
        start_offset=duration(word.start_s),
        end_offset=duration(word.end_s),
        confidence=word.confidence,
    )


def _alternative(reading: Reading) -> types_pb2.Alternative:
    return types_pb2.Alternative(
        text=reading.text, confidence=reading.confidence, words=map(to_word, reading.words)
    )


def from_detail(message: types_pb2.TranscriptDetail) -> Detail:
    """Read what is told beside the text."""
    if not 0 <= message.n_best <= _MOST_READINGS:
        text = f"n_best must lie in 1 to {_MOST_READINGS}, got {message.n_best}; 1 is the text alone"
        raise error(Reason.INVALID_ARGUMENT, text)
    return Detail(word_times=message.word_times, confidence=message.confidence, n_best=max(1, message.n_best))


def told_transcript(transcript: Transcript) -> bytes:
    """Write a transcript as callers and the store are told it."""
    return to_transcript(transcript).SerializeToString()
