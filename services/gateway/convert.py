"""Messages of the wire to what core knows, and back."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import singledispatch

from google.protobuf.timestamp_pb2 import Timestamp

from services.gateway.convert_words import alternatives
from services.gateway.core import events
from services.gateway.core.execution import Explanation
from services.gateway.core.records import (
    JobNotice,
    ModelVersion,
    RowAnswer,
    RowError,
    Scores,
    Table,
    TableVersion,
    TrainingJob,
)
from thanosql.v1 import errors_pb2, gateway_pb2, predictor_pb2, trainer_pb2, types_pb2
from thanosql_runtime.arrow import encode_schema
from thanosql_runtime.errors import Span
from thanosql_runtime.moments import seconds_of
from thanosql_runtime.status import from_status

_Response = gateway_pb2.ExecuteResponse


def moment(message: Timestamp, present: bool) -> datetime | None:
    """The moment, or None where the field is absent."""
    return message.ToDatetime(UTC) if present else None


def table(message: types_pb2.Table) -> Table:
    """A table."""
    return Table(
        name=message.name,
        row_count=message.row_count,
        columns=[(column.name, column.type) for column in message.columns],
        version=message.version,
        update_time=moment(message.update_time, message.HasField("update_time")),
        quarantine=message.quarantine,
    )


def table_version(message: types_pb2.TableVersion) -> TableVersion:
    """A version of a table."""
    return TableVersion(
        table=message.table,
        version=message.version,
        create_time=moment(message.create_time, message.HasField("create_time")),
        operation=message.operation,
        row_count=message.row_count,
    )


def row_errors(messages: Sequence[types_pb2.RowError]) -> list[RowError]:
    """Rows that failed."""
    return [
        RowError(row=item.row, subject=item.subject, reason=item.reason, message=item.message)
        for item in messages
    ]


def model(message: types_pb2.ModelVersion) -> ModelVersion:
    """A version of a model."""
    return ModelVersion(
        name=message.name,
        version=message.version,
        kind=types_pb2.ModelKind.Name(message.kind).removeprefix("MODEL_KIND_"),
        base=message.base,
        origin=message.origin,
        metrics=dict(message.metrics),
        properties=dict(message.properties),
        built_from=[table_version(item) for item in message.built_from],
        active=message.active,
        create_time=moment(message.create_time, message.HasField("create_time")),
        size_bytes=sum(artefact.size_bytes for artefact in message.artefacts),
        received=message,
        family=_family(message),
    )


def _family(message: types_pb2.ModelVersion) -> str:
    family = message.family or types_pb2.MODEL_FAMILY_RECOGNISER
    return types_pb2.ModelFamily.Name(family).removeprefix("MODEL_FAMILY_")


def job(message: trainer_pb2.TrainingJob) -> TrainingJob:
    """A training job."""
    return TrainingJob(
        job_id=message.job_id,
        sequence=message.sequence,
        state=trainer_pb2.TrainingJob.State.Name(message.state).removeprefix("STATE_"),
        model=message.model,
        base=message.base,
        attempt=message.attempt,
        checkpoint_step=message.checkpoint_step,
        notices=[
            JobNotice(time=notice.time.ToDatetime(UTC), message=notice.message) for notice in message.notices
        ],
        step=message.step,
        step_total=message.step_total,
        epoch=message.epoch,
        epoch_total=message.epoch_total,
        loss=message.loss if message.HasField("loss") else None,
        wer=message.wer if message.HasField("wer") else None,
        cer=message.cer if message.HasField("cer") else None,
        wer_before=message.wer_before if message.HasField("wer_before") else None,
        seconds_left=message.seconds_left if message.HasField("seconds_left") else None,
        rows_used=message.rows_used,
        rows_held_out=message.rows_held_out,
        rows_left_out=message.rows_left_out,
        left_out=row_errors(message.left_out),
        failure_reason=_failure_reason(message),
        failure_message=message.failure_message,
        result=model(message.result) if message.HasField("result") else None,
        create_time=moment(message.create_time, message.HasField("create_time")),
        end_time=moment(message.end_time, message.HasField("end_time")),
        received=message,
    )


def _failure_reason(message: trainer_pb2.TrainingJob) -> str:
    return errors_pb2.ErrorReason.Name(message.failure_reason).removeprefix("ERROR_REASON_")


def scores(message: types_pb2.Scores) -> Scores:
    """Errors counted."""
    return Scores(
        wer=message.wer,
        cer=message.cer,
        substitutions=message.substitutions,
        deletions=message.deletions,
        insertions=message.insertions,
        reference_words=message.reference_words,
        rows=message.rows,
        rows_left_out=message.rows_left_out,
        audio_s=message.audio_s,
        normaliser=message.normaliser,
        wer_low=message.wer_low if message.HasField("wer_low") else None,
        wer_high=message.wer_high if message.HasField("wer_high") else None,
        cer_low=message.cer_low if message.HasField("cer_low") else None,
        cer_high=message.cer_high if message.HasField("cer_high") else None,
    )


def row_answer(message: predictor_pb2.TranscribeResult) -> RowAnswer:
    """The answer to one row."""
    if message.HasField("status"):
        failure = from_status(message.status)
        return RowAnswer(key=message.row_key, reason=failure.reason.value, message=failure.message)
    return RowAnswer(
        key=message.row_key,
        text=message.transcript.text,
        alternatives=alternatives(message.transcript),
        audio_s=seconds_of(message.transcript.audio_duration),
        reused=message.reused,
        was_kept=message.reused and not message.is_new,
    )


def embed_answer(message: predictor_pb2.EmbedResult) -> RowAnswer:
    """The answer to one row that was to be embedded."""
    if message.HasField("status"):
        failure = from_status(message.status)
        return RowAnswer(key=message.row_key, reason=failure.reason.value, message=failure.message)
    seconds = seconds_of(message.embedding.audio_duration)
    return RowAnswer(key=message.row_key, embedding=list(message.embedding.values), audio_s=seconds)


def explanation(item: Explanation) -> gateway_pb2.Explanation:
    """What one statement would do."""
    return gateway_pb2.Explanation(
        kind=item.plan.statement.kind,
        canonical_text=item.plan.canonical_text,
        steps=item.steps,
        notices=[_notice(notice.message, notice.span) for notice in item.plan.notices],
    )


def event(index: int, item: events.Event) -> gateway_pb2.ExecuteResponse:
    """An event of the statement with that number."""
    response = _response(item)
    response.statement_index = index
    return response


@singledispatch
def _response(item: events.Event) -> gateway_pb2.ExecuteResponse:
    raise AssertionError(f"no message for {type(item).__name__}")


@_response.register
def _(item: events.Started) -> gateway_pb2.ExecuteResponse:
    started = gateway_pb2.StatementStarted(kind=item.kind, canonical_text=item.canonical_text)
    return _Response(started=started)


@_response.register
def _(item: events.SchemaKnown) -> gateway_pb2.ExecuteResponse:
    return _Response(schema=encode_schema(item.schema))


@_response.register
def _(item: events.RowsReady) -> gateway_pb2.ExecuteResponse:
    return _Response(record_batch=item.message)


@_response.register
def _(item: events.Progress) -> gateway_pb2.ExecuteResponse:
    return _Response(
        progress=gateway_pb2.Progress(
            stage=item.stage,
            done=item.done,
            total=item.total,
            unit=item.unit,
            seconds_left=item.seconds_left,
            audio_s=item.audio_s,
            epoch=item.epoch,
            epoch_total=item.epoch_total,
            loss=item.loss,
            wer=item.wer,
            audio_total_s=item.audio_total_s,
        )
    )


@_response.register
def _(item: events.Notice) -> gateway_pb2.ExecuteResponse:
    return _Response(notice=_notice(item.message, item.span))


@_response.register
def _(item: events.MediaStarted) -> gateway_pb2.ExecuteResponse:
    return _Response(
        media_start=gateway_pb2.MediaStart(
            row=item.row, path=item.path, mime_type=item.mime_type, size_bytes=item.size_bytes
        )
    )


@_response.register
def _(item: events.MediaBytes) -> gateway_pb2.ExecuteResponse:
    return _Response(media_chunk=gateway_pb2.MediaChunk(data=item.data, last=item.last))


@_response.register
def _(item: events.JobChanged) -> gateway_pb2.ExecuteResponse:
    return _Response(job=_job_message(item.job))


@_response.register
def _(item: events.RowsFailed) -> gateway_pb2.ExecuteResponse:
    errors = [
        types_pb2.RowError(row=row.row, subject=row.subject, reason=row.reason, message=row.message)
        for row in item.errors
    ]
    return _Response(row_errors=gateway_pb2.RowErrors(errors=errors))


@_response.register
def _(item: events.Done) -> gateway_pb2.ExecuteResponse:
    done = gateway_pb2.StatementDone(
        message=item.message,
        rows=item.rows,
        rows_changed=item.rows_changed,
        row_errors=item.row_errors,
        elapsed_s=item.elapsed_s,
        model=_model_message(item.model) if item.model else None,
        scores=scores_message(item.scores) if item.scores else None,
        rows_reused=item.rows_reused,
    )
    return _Response(done=done)


def _notice(message: str, span: Span | None) -> types_pb2.Notice:
    place = (
        None
        if span is None
        else types_pb2.SourceSpan(start=span.start, end=span.end, line=span.line, column=span.column)
    )
    return types_pb2.Notice(message=message, span=place)


def _model_message(item: ModelVersion) -> types_pb2.ModelVersion:
    assert isinstance(item.received, types_pb2.ModelVersion)
    return item.received


def _job_message(item: TrainingJob) -> trainer_pb2.TrainingJob:
    assert isinstance(item.received, trainer_pb2.TrainingJob)
    return item.received


def scores_message(item: Scores) -> types_pb2.Scores:
    """Scores, for the wire."""
    return types_pb2.Scores(
        wer=item.wer,
        cer=item.cer,
        substitutions=item.substitutions,
        deletions=item.deletions,
        insertions=item.insertions,
        reference_words=item.reference_words,
        rows=item.rows,
        rows_left_out=item.rows_left_out,
        audio_s=item.audio_s,
        normaliser=item.normaliser,
        wer_low=item.wer_low,
        wer_high=item.wer_high,
        cer_low=item.cer_low,
        cer_high=item.cer_high,
    )
