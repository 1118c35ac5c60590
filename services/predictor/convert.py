"""Between the messages of the contract and what the core speaks about."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeVar

from services.predictor.convert_words import from_detail, to_transcript
from services.predictor.core.decoding.beam.decoding import Beam
from services.predictor.core.decoding.beam.options import BeamOptions, Hotword
from services.predictor.core.holding import HeldVersion, HoldAnswer
from services.predictor.core.kept_transcripts import KeptTranscript, Manner
from services.predictor.core.places import ModelStatus, State
from services.predictor.core.statistics import Counters
from services.predictor.core.types import (
    Artefact,
    Embedding,
    ModelFamily,
    ModelRecord,
    Row,
    RowAnswer,
    TextRow,
    Transcript,
)
from services.predictor.core.whisper.types import AUTO, SpeechTask, Wish
from services.predictor.core.wishes import Hearing
from thanosql.v1 import predictor_pb2, storage_pb2, types_pb2
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.moments import duration, seconds_of, timestamp
from thanosql_runtime.status import to_status

_STATES = {
    State.LOADING: predictor_pb2.LoadedModel.STATE_LOADING,
    State.READY: predictor_pb2.LoadedModel.STATE_READY,
    State.UNLOADING: predictor_pb2.LoadedModel.STATE_UNLOADING,
    State.FAILED: predictor_pb2.LoadedModel.STATE_FAILED,
}
_FAMILIES = {
    types_pb2.MODEL_FAMILY_RECOGNISER: ModelFamily.RECOGNISER,
    types_pb2.MODEL_FAMILY_TEXT_ENCODER: ModelFamily.TEXT_ENCODER,
    types_pb2.MODEL_FAMILY_WHISPER: ModelFamily.WHISPER,
}
_FAMILIES_OUT = {family: number for number, family in _FAMILIES.items()}
_NamesModel = (
    predictor_pb2.LoadModelRequest
    | predictor_pb2.UnloadModelRequest
    | predictor_pb2.RecognizeRequest
    | predictor_pb2.StreamingConfig
    | predictor_pb2.TranscribeConfig
)
_RowsRequest = predictor_pb2.TranscribeRequest | predictor_pb2.EmbedRequest
_Config = predictor_pb2.TranscribeConfig | predictor_pb2.EmbedConfig | predictor_pb2.EmbedTextConfig
_ConfigRequest = _RowsRequest | predictor_pb2.EmbedTextRequest
_AnyConfigRequest = TypeVar("_AnyConfigRequest", bound=_ConfigRequest)
_NamesPrecision = predictor_pb2.TranscribeConfig | predictor_pb2.LoadModelRequest
_PRECISIONS = {
    types_pb2.PRECISION_UNSPECIFIED: "",
    types_pb2.PRECISION_FLOAT32: "float32",
    types_pb2.PRECISION_BFLOAT16: "bfloat16",
    types_pb2.PRECISION_INT8: "int8",
}
_PRECISIONS_OUT = {precision: number for number, precision in _PRECISIONS.items()}
_DEFAULT_PAGE = 100
_LARGEST_PAGE = 1000
_PARTS_OF_TOKEN = 3
# Raised when the code begins to write other transcripts of the same recordings: kept ones are of no use then.
_TRANSCRIPTS = 2


def from_model_version(message: types_pb2.ModelVersion) -> ModelRecord:
    """Read a version of the catalog."""
    artefacts = tuple(
        Artefact(key=file.key, name=file.name, sha256=file.sha256, size_bytes=file.size_bytes)
        for file in message.artefacts
    )
    return ModelRecord(
        name=message.name,
        version=message.version,
        artefacts=artefacts,
        kind=message.kind,
        base=message.base,
        origin=message.origin,
        metrics=dict(message.metrics),
        properties=dict(message.properties),
        active=message.active,
        created_s=seconds_of(message.create_time),
        family=_FAMILIES.get(message.family, ModelFamily.RECOGNISER),
    )


def to_model_version(record: ModelRecord) -> types_pb2.ModelVersion:
    """Write a version as the catalog would."""
    message = types_pb2.ModelVersion(
        name=record.name,
        version=record.version,
        kind=types_pb2.ModelKind.ValueType(record.kind),
        base=record.base,
        origin=record.origin,
        artefacts=[
            types_pb2.Artefact(key=file.key, name=file.name, sha256=file.sha256, size_bytes=file.size_bytes)
            for file in record.artefacts
        ],
        metrics=record.metrics,
        properties=record.properties,
        active=record.active,
        family=_FAMILIES_OUT[record.family],
    )
    if record.created_s:
        message.create_time.CopyFrom(timestamp(record.created_s))
    return message


def to_holds(holder_id: str, holder: str, versions: Sequence[HeldVersion]) -> storage_pb2.HoldModelsRequest:
    """Write what is in memory."""
    request = storage_pb2.HoldModelsRequest(holder_id=holder_id, holder=holder)
    for held in versions:
        record = held.record
        request.models.add(model=record.name, version=record.version, since=timestamp(held.since_s))
    return request


def from_hold_answer(message: storage_pb2.HoldModelsResponse) -> HoldAnswer:
    """Read what the catalog says to that."""
    missing = frozenset((item.model, item.version) for item in message.missing)
    return HoldAnswer(missing=missing, lasts_s=seconds_of(message.lasts))


async def read_config(requests: AsyncIterator[_ConfigRequest]) -> tuple[str, int]:
    """Read the first message of a stream: the name and version of the model."""
    request = await _first(requests)
    return request.config.model, _version(request.config.version)


async def read_transcribe_config(
    requests: AsyncIterator[predictor_pb2.TranscribeRequest],
) -> predictor_pb2.TranscribeConfig:
    """Read the first message of a stream to transcribe."""
    return (await _first(requests)).config


async def _first(requests: AsyncIterator[_AnyConfigRequest]) -> _AnyConfigRequest:
    async for request in requests:
        if request.WhichOneof("part") != "config":
            break
        return request
    raise error(Reason.INVALID_ARGUMENT, "the first message of the stream must be the configuration")


def to_manner(config: predictor_pb2.TranscribeConfig, model: Hearing, beam: Beam | None) -> Manner:
    """Write how a stream hears: the model, and every option that its own manner does not tell."""
    options = predictor_pb2.TranscribeConfig()
    options.CopyFrom(config)
    for name in ("model", "version", "precision", "reuse"):
        options.ClearField(name)
    if from_detail(options.detail).is_text_alone:
        options.ClearField("detail")
    # What the language model says counts, as the search tells it, and not where it is.
    if options.HasField("beam_search"):
        options.beam_search.ClearField("language_model")
    written = options.SerializeToString(deterministic=True).hex()
    known = beam.language_model if beam is not None else ""
    digest = hashlib.sha256(f"{_TRANSCRIPTS} {model.manner} {written} {known}".encode()).hexdigest()
    return Manner(digest=digest, model=model.record.name, version=model.record.version)


def beam_options(
    request: predictor_pb2.TranscribeConfig | predictor_pb2.RecognizeRequest,
) -> BeamOptions | None:
    """Read how labels become text; None for the best label of every frame."""
    if not request.HasField("beam_search"):
        return None
    search = request.beam_search
    return BeamOptions(
        language_model=search.language_model,
        lm_weight=search.lm_weight,
        word_score=search.word_score,
        beam_width=search.beam_width,
        hotwords=[Hotword(phrase=item.phrase, weight=item.weight) for item in search.hotwords],
    )


async def read_rows(requests: AsyncIterator[_RowsRequest]) -> AsyncIterator[Row]:
    """Read the other messages of a stream."""
    async for request in requests:
        if request.WhichOneof("part") != "row":
            raise _no_row()
        yield Row(row_key=request.row.row_key, audio_path=request.row.audio_path)


async def read_texts(requests: AsyncIterator[predictor_pb2.EmbedTextRequest]) -> AsyncIterator[TextRow]:
    """Read the other messages of a stream of texts."""
    async for request in requests:
        if request.WhichOneof("part") != "row":
            raise _no_row()
        yield TextRow(row_key=request.row.row_key, text=request.row.text)


def named_version(request: _NamesModel) -> tuple[str, int]:
    """Read the model that a request names."""
    return request.model, _version(request.version)


def precision(request: _NamesPrecision) -> str:
    """Read the precision that a request asks for; empty for any."""
    if request.precision not in _PRECISIONS:
        text = f"this predictor knows no precision number {request.precision}; it is older than its caller"
        raise error(Reason.INVALID_ARGUMENT, text)
    return _PRECISIONS[request.precision]


def wish(config: predictor_pb2.TranscribeConfig) -> Wish:
    """Read what a request wants of the speech."""
    task = SpeechTask.TRANSLATE if config.translate else SpeechTask.TRANSCRIBE
    return Wish(language=config.language or AUTO, task=task)


def to_transcribe_start(record: ModelRecord, model: Hearing) -> predictor_pb2.TranscribeResponse:
    """Write what answers a stream of rows to transcribe."""
    return predictor_pb2.TranscribeResponse(
        model=to_model_version(record), engine=model.description, notice=model.notice
    )


def to_answer(answer: RowAnswer[Transcript | KeptTranscript]) -> predictor_pb2.TranscribeResponse:
    """Write the answer to a row: a transcript, or the status of its failure."""
    result = predictor_pb2.TranscribeResult(row_key=answer.row_key, is_new=True)
    match answer.outcome:
        case ThanosqlError():
            result.status.CopyFrom(to_status(answer.outcome))
        case KeptTranscript(told=told, was_before=was_before):
            result.transcript.ParseFromString(told)
            result.reused, result.is_new = True, not was_before
        case _:
            result.transcript.CopyFrom(to_transcript(answer.outcome))
    return predictor_pb2.TranscribeResponse(result=result)


def to_embed_answer(answer: RowAnswer[Embedding]) -> predictor_pb2.EmbedResponse:
    """Write the answer to a row: an embedding, or the status of its failure."""
    result = _embed_result(answer)
    if not isinstance(answer.outcome, ThanosqlError):
        result.embedding.audio_duration.CopyFrom(duration(answer.outcome.audio_s))
    return predictor_pb2.EmbedResponse(result=result)


def to_text_answer(answer: RowAnswer[Embedding]) -> predictor_pb2.EmbedTextResponse:
    """Write the answer to a text: an embedding, or the status of its failure."""
    return predictor_pb2.EmbedTextResponse(result=_embed_result(answer))


def _embed_result(answer: RowAnswer[Embedding]) -> predictor_pb2.EmbedResult:
    result = predictor_pb2.EmbedResult(row_key=answer.row_key)
    if isinstance(answer.outcome, ThanosqlError):
        result.status.CopyFrom(to_status(answer.outcome))
    else:
        result.embedding.values.extend(answer.outcome.values.tolist())
    return result


def to_embed_start(record: ModelRecord, dimension: int) -> predictor_pb2.EmbedStart:
    """Write what answers a stream of rows to embed."""
    return predictor_pb2.EmbedStart(model=to_model_version(record), dimension=dimension)


def to_loaded_model(status: ModelStatus) -> predictor_pb2.LoadedModel:
    """Write how a model stands."""
    return predictor_pb2.LoadedModel(
        model=status.name,
        version=status.version,
        state=_STATES[status.state],
        message=status.message,
        engine=status.engine,
        size_bytes=status.size_bytes,
        precision=_PRECISIONS_OUT[status.precision],
    )


def to_page(
    statuses: Sequence[ModelStatus], request: predictor_pb2.ListLoadedModelsRequest
) -> predictor_pb2.ListLoadedModelsResponse:
    """Write one page of the models, which come sorted by name, version and precision."""
    after = _read_token(request.page_token)
    rest = [status for status in sorted(statuses, key=_order) if _order(status) > after]
    size = min(request.page_size if request.page_size > 0 else _DEFAULT_PAGE, _LARGEST_PAGE)
    page = rest[:size]
    more = len(rest) > size
    return predictor_pb2.ListLoadedModelsResponse(
        models=map(to_loaded_model, page),
        next_page_token=f"{page[-1].version}:{page[-1].precision}:{page[-1].name}" if more else "",
    )


def to_statistics(counters: Mapping[tuple[str, int], Counters]) -> predictor_pb2.GetStatisticsResponse:
    """Write the counters of every version."""
    return predictor_pb2.GetStatisticsResponse(
        models=[
            predictor_pb2.ModelStatistics(
                model=name,
                version=version,
                rows_succeeded=counted.rows_succeeded,
                rows_failed=counted.rows_failed,
                rows_cancelled=counted.rows_cancelled,
                batches=counted.batches,
                audio_s=counted.audio_s,
                queue_s=counted.queue_s,
                decode_s=counted.decode_s,
                compute_s=counted.compute_s,
                utterances=counted.utterances,
                rows_reused=counted.rows_reused,
            )
            for (name, version), counted in counters.items()
        ]
    )


def _no_config() -> ThanosqlError:
    return error(Reason.INVALID_ARGUMENT, "the first message of the stream must be the configuration")


def _no_row() -> ThanosqlError:
    return error(Reason.INVALID_ARGUMENT, "every message after the first must be a row")


def _version(version: int) -> int:
    if version < 0:
        raise error(Reason.INVALID_ARGUMENT, f"version {version} is negative; 0 means the active one")
    return version


def _order(status: ModelStatus) -> tuple[str, int, str]:
    return (status.name, status.version, status.precision)


def _read_token(token: str) -> tuple[str, int, str]:
    if not token:
        return ("", 0, "")
    parts = token.split(":", _PARTS_OF_TOKEN - 1)
    if len(parts) < _PARTS_OF_TOKEN or not parts[0].isdecimal():
        raise error(Reason.INVALID_ARGUMENT, "the page token is not one that this service gave")
    version, precision, name = parts
    return (name, int(version), precision)
