"""What is told of a recording beside its text, to and from the predictor."""

from collections.abc import Iterable, Sequence

from services.gateway.core.plan_parts import Detail
from services.gateway.core.records import Alternative, Word
from thanosql.v1 import predictor_pb2, types_pb2
from thanosql_runtime.moments import seconds_of


def to_detail(detail: Detail) -> types_pb2.TranscriptDetail | None:
    """Ask for it; for nothing, if the text is wanted alone."""
    if detail == Detail():
        return None
    return types_pb2.TranscriptDetail(
        word_times=detail.word_times, confidence=detail.confidence, n_best=detail.n_best
    )


def from_detail(message: types_pb2.TranscriptDetail) -> Detail:
    """Read what a plan asks for."""
    return Detail(word_times=message.word_times, confidence=message.confidence, n_best=max(1, message.n_best))


def alternatives(message: predictor_pb2.Transcript) -> Sequence[Alternative]:
    """The readings of a recording, the best first."""
    return [_alternative(one) for one in message.alternatives or [message]]


def _alternative(message: types_pb2.Alternative | predictor_pb2.Transcript) -> Alternative:
    confidence = message.confidence if message.HasField("confidence") else None
    return Alternative(text=message.text, confidence=confidence, words=_words(message.words))


def _words(messages: Iterable[types_pb2.Word]) -> Sequence[Word]:
    return [
        Word(
            text=word.text,
            start_s=seconds_of(word.start_offset),
            end_s=seconds_of(word.end_offset),
            confidence=word.confidence if word.HasField("confidence") else None,
        )
        for word in messages
    ]
