"""Between the messages of live audio and what the core speaks about."""

from collections.abc import AsyncIterator, Sequence

from services.predictor.convert import to_model_version
from services.predictor.convert_words import to_word
from services.predictor.core.live.types import Finalize, LiveConfig, LiveResult, Part
from services.predictor.core.types import ModelRecord
from thanosql.v1 import predictor_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.moments import duration, seconds_of

_AUDIO_BYTES = 64 << 10


async def read_config(
    requests: AsyncIterator[predictor_pb2.StreamingRecognizeRequest],
) -> predictor_pb2.StreamingConfig:
    """Read the first message of a stream."""
    async for request in requests:
        if request.WhichOneof("part") != "config":
            break
        return request.config
    raise error(Reason.INVALID_ARGUMENT, "the first message of the stream must be the configuration")


def from_config(config: predictor_pb2.StreamingConfig) -> LiveConfig:
    """Read how to listen."""
    return LiveConfig(
        sample_rate_hz=config.sample_rate_hz,
        interim_results=config.interim_results,
        endpoint_silence_s=_seconds(config, "endpoint_silence"),
        max_utterance_s=_seconds(config, "max_utterance"),
        word_times=config.word_times,
        confidence=config.confidence,
    )


async def read_parts(
    requests: AsyncIterator[predictor_pb2.StreamingRecognizeRequest],
) -> AsyncIterator[Part]:
    """Read the other messages of a stream."""
    async for request in requests:
        match request.WhichOneof("part"):
            case "audio" if len(request.audio) > _AUDIO_BYTES:
                text = f"a message of {len(request.audio)} bytes of audio; send {_AUDIO_BYTES} at most"
                raise error(Reason.INVALID_ARGUMENT, text)
            case "audio":
                yield request.audio
            case "finalize":
                yield Finalize()
            case _:
                raise error(
                    Reason.INVALID_ARGUMENT,
                    "every message after the first must be audio or an end of utterance",
                )


def to_start(record: ModelRecord) -> predictor_pb2.StreamingRecognizeResponse:
    """Write the first response: what answers."""
    return predictor_pb2.StreamingRecognizeResponse(model=to_model_version(record))


def to_response(results: Sequence[LiveResult]) -> predictor_pb2.StreamingRecognizeResponse:
    """Write what was heard."""
    return predictor_pb2.StreamingRecognizeResponse(results=map(_result, results))


def _result(result: LiveResult) -> predictor_pb2.StreamingResult:
    return predictor_pb2.StreamingResult(
        text=result.text,
        is_final=result.is_final,
        stability=result.stability,
        start_offset=duration(result.start_s),
        end_offset=duration(result.end_s),
        words=map(to_word, result.words),
        confidence=result.confidence,
    )


def _seconds(config: predictor_pb2.StreamingConfig, name: str) -> float | None:
    if not config.HasField(name):  # type: ignore[arg-type]  # one of its two durations
        return None
    return seconds_of(getattr(config, name))
