"""Messages of the wire to plain values; the only place where the two meet."""

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from thanosql.v1 import errors_pb2, gateway_pb2, storage_pb2, trainer_pb2, types_pb2
from thanosql.values import (
    Explanation,
    File,
    Job,
    Model,
    Notice,
    Progress,
    RowError,
    Scores,
    ServerInfo,
    Span,
)

_JobMessage = trainer_pb2.TrainingJob


def to_span(message: types_pb2.SourceSpan) -> Span:
    """The place that a message names."""
    return Span(start=message.start, end=message.end, line=message.line, column=message.column)


def to_notice(message: types_pb2.Notice) -> Notice:
    """A notice."""
    span = to_span(message.span) if message.HasField("span") else None
    return Notice(message=message.message, span=span)


def to_row_error(message: types_pb2.RowError) -> RowError:
    """A failed row."""
    return RowError(row=message.row, subject=message.subject, reason=message.reason, message=message.message)


def to_progress(message: gateway_pb2.Progress) -> Progress:
    """How far a statement is."""
    return Progress(
        stage=message.stage,
        done=message.done,
        total=message.total if message.HasField("total") else None,
        unit=message.unit,
        seconds_left=message.seconds_left if message.HasField("seconds_left") else None,
        audio_s=message.audio_s if message.HasField("audio_s") else None,
        epoch=message.epoch if message.HasField("epoch") else None,
        epoch_total=message.epoch_total if message.HasField("epoch_total") else None,
        loss=message.loss if message.HasField("loss") else None,
        wer=message.wer if message.HasField("wer") else None,
        audio_total_s=message.audio_total_s if message.HasField("audio_total_s") else None,
    )


def to_model(message: types_pb2.ModelVersion) -> Model:
    """A model version."""
    kind = types_pb2.ModelKind.Name(message.kind).removeprefix("MODEL_KIND_").lower()
    # Servers of before knew recognisers alone, and did not say so.
    family = types_pb2.ModelFamily.Name(message.family or types_pb2.MODEL_FAMILY_RECOGNISER)
    return Model(
        name=message.name,
        version=message.version,
        kind=kind,
        base=message.base,
        origin=message.origin,
        metrics=dict(message.metrics),
        properties=dict(message.properties),
        built_from=tuple(f"{item.table} AT VERSION {item.version}" for item in message.built_from),
        active=message.active,
        size_bytes=sum(artefact.size_bytes for artefact in message.artefacts),
        created=to_time(message.create_time) if message.HasField("create_time") else None,
        family=family.removeprefix("MODEL_FAMILY_").lower(),
    )


def to_scores(message: types_pb2.Scores) -> Scores:
    """Scores."""
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


def to_job(message: _JobMessage) -> Job:
    """A training run."""
    return Job(
        job_id=message.job_id,
        sequence=message.sequence,
        state=_JobMessage.State.Name(message.state).removeprefix("STATE_").lower(),
        model=message.model,
        base=message.base,
        attempt=message.attempt,
        checkpoint_step=message.checkpoint_step,
        notices=tuple(notice.message for notice in message.notices),
        step=message.step,
        step_total=message.step_total,
        epoch=message.epoch,
        epoch_total=message.epoch_total,
        loss=message.loss if message.HasField("loss") else None,
        learning_rate=message.learning_rate if message.HasField("learning_rate") else None,
        wer=message.wer if message.HasField("wer") else None,
        cer=message.cer if message.HasField("cer") else None,
        wer_before=message.wer_before if message.HasField("wer_before") else None,
        audio_s_per_s=message.audio_s_per_s if message.HasField("audio_s_per_s") else None,
        seconds_left=message.seconds_left if message.HasField("seconds_left") else None,
        rows_used=message.rows_used,
        rows_held_out=message.rows_held_out,
        rows_left_out=message.rows_left_out,
        left_out=tuple(to_row_error(row) for row in message.left_out),
        failure_reason=reason_name(message.failure_reason),
        failure_message=message.failure_message,
        result=to_model(message.result) if message.HasField("result") else None,
        statement=message.statement,
        created=to_time(message.create_time) if message.HasField("create_time") else None,
        ended=to_time(message.end_time) if message.HasField("end_time") else None,
    )


def to_file(message: storage_pb2.File) -> File:
    """A file."""
    return File(
        path=message.path,
        size_bytes=message.size_bytes,
        sha256=message.sha256,
        updated=to_time(message.update_time) if message.HasField("update_time") else None,
    )


def to_explanation(message: gateway_pb2.Explanation) -> Explanation:
    """What a statement would do."""
    return Explanation(
        kind=message.kind,
        canonical_text=message.canonical_text,
        steps=tuple(message.steps),
        notices=tuple(to_notice(notice) for notice in message.notices),
    )


def to_server_info(message: gateway_pb2.GetServerInfoResponse) -> ServerInfo:
    """What a server is."""
    return ServerInfo(version=message.version, services=tuple(message.services))


def to_time(message: Timestamp) -> datetime:
    """A moment, in UTC."""
    return message.ToDatetime(tzinfo=UTC)


def reason_name(value: errors_pb2.ErrorReason.ValueType) -> str:
    """The name of a reason without its prefix; empty for none."""
    name = errors_pb2.ErrorReason.Name(value).removeprefix("ERROR_REASON_")
    return "" if name == "UNSPECIFIED" else name
