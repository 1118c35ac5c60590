"""Messages of the contract to what core knows, and back; nothing else in the trainer sees a message."""

from collections.abc import Iterable, Sequence

from services.trainer.core.differences import ComparedRow
from services.trainer.core.evaluation import Evaluated, MeasuredScores, ScoredRow
from services.trainer.core.ports import HeldModel
from services.trainer.core.types import (
    Artefact,
    Job,
    JobRequest,
    LeftOutRow,
    Model,
    ModelFamily,
    ModelKind,
    TableVersion,
    TrainingOptions,
)
from services.trainer.core.uploading.uploads import UploadRequest
from thanosql.v1 import errors_pb2, parser_pb2, storage_pb2, trainer_pb2, types_pb2
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.moments import seconds_of, timestamp
from thanosql_runtime.status import to_status

_PAGE_BYTES = 4 << 20
_OPTIONAL = ("loss", "learning_rate", "wer", "cer", "wer_before", "audio_s_per_s", "seconds_left")


def request_from_message(message: trainer_pb2.CreateTrainingJobRequest) -> JobRequest:
    """What is asked for."""
    return JobRequest(
        request_id=message.request_id,
        model=message.model,
        base=message.base,
        options=_options_from_message(message.options),
        snapshot_id=message.snapshot_id,
        statement=message.statement,
        built_from=_built_from(message.built_from),
    )


def upload_from_message(message: trainer_pb2.UploadModelRequest) -> UploadRequest:
    """What somebody wants to bring."""
    return UploadRequest(
        model=message.model,
        path=message.path,
        overwrite=message.overwrite,
        request_id=message.request_id,
        statement=message.statement,
        explain_only=message.explain_only,
    )


def holds_to_message(
    holder_id: str, holder: str, models: Iterable[HeldModel]
) -> storage_pb2.HoldModelsRequest:
    """What jobs train from."""
    held = [
        storage_pb2.HeldModel(
            model=model.name, version=model.version, job_id=model.job_id, since=timestamp(model.since_s)
        )
        for model in models
    ]
    return storage_pb2.HoldModelsRequest(holder_id=holder_id, holder=holder, models=held)


def job_to_message(job: Job) -> trainer_pb2.TrainingJob:
    """The job as callers see it."""
    message = trainer_pb2.TrainingJob(
        job_id=job.job_id,
        sequence=job.sequence,
        state=trainer_pb2.TrainingJob.State.Value(f"STATE_{job.state.value}"),
        model=job.request.model,
        base=job.base,
        attempt=job.attempt,
        step=job.step,
        step_total=job.step_total,
        epoch=job.epoch,
        epoch_total=job.epoch_total,
        rows_used=job.rows_used,
        rows_held_out=job.rows_held_out,
        rows_left_out=job.rows_left_out,
        left_out=[_left_out_to_message(row) for row in job.left_out],
        failure_reason=_reason_to_message(job.failure_reason),
        failure_message=job.failure_message,
        result=model_to_message(job.result) if job.result else None,
        statement=job.request.statement,
        create_time=timestamp(job.create_time_s),
        end_time=None if job.end_time_s is None else timestamp(job.end_time_s),
        heartbeat_time=timestamp(job.heartbeat_time_s),
        checkpoint_step=job.checkpoint_step,
        notices=[
            trainer_pb2.JobNotice(time=timestamp(notice.time_s), message=notice.message)
            for notice in job.notices
        ],
    )
    for name in _OPTIONAL:
        value = getattr(job, name)
        if value is not None:
            setattr(message, name, value)
    return message


def page_to_message(jobs: Sequence[Job], next_page_token: str) -> trainer_pb2.ListTrainingJobsResponse:
    """A page of jobs; cut where it would outgrow a message, the token going on from the cut."""
    page = trainer_pb2.ListTrainingJobsResponse(next_page_token=next_page_token)
    size_bytes = 0
    for job in jobs:
        message = job_to_message(job)
        size_bytes += message.ByteSize()
        if size_bytes > _PAGE_BYTES and page.jobs:
            page.next_page_token = page.jobs[-1].job_id
            break
        page.jobs.append(message)
    return page


def model_from_message(message: types_pb2.ModelVersion) -> Model:
    """A version of a model."""
    return Model(
        name=message.name,
        version=message.version,
        kind=ModelKind(types_pb2.ModelKind.Name(message.kind).removeprefix("MODEL_KIND_")),
        family=ModelFamily(types_pb2.ModelFamily.Name(message.family).removeprefix("MODEL_FAMILY_")),
        base=message.base,
        origin=message.origin,
        artefacts=tuple(
            Artefact(key=file.key, name=file.name, sha256=file.sha256, size_bytes=file.size_bytes)
            for file in message.artefacts
        ),
        metrics=dict(message.metrics),
        properties=dict(message.properties),
        built_from=_built_from(message.built_from),
        active=message.active,
        create_time_s=seconds_of(message.create_time),
    )


def model_to_message(model: Model) -> types_pb2.ModelVersion:
    """A version of a model, for the wire."""
    return types_pb2.ModelVersion(
        name=model.name,
        version=model.version,
        kind=types_pb2.ModelKind.Value(f"MODEL_KIND_{model.kind.value}"),
        family=types_pb2.ModelFamily.Value(f"MODEL_FAMILY_{model.family.value}"),
        base=model.base,
        origin=model.origin,
        artefacts=[
            types_pb2.Artefact(key=file.key, name=file.name, sha256=file.sha256, size_bytes=file.size_bytes)
            for file in model.artefacts
        ],
        metrics=model.metrics,
        properties=model.properties,
        built_from=[
            types_pb2.TableVersion(table=item.table, version=item.version) for item in model.built_from
        ],
        active=model.active,
        create_time=timestamp(model.create_time_s) if model.create_time_s else None,
    )


def scored_row_from_message(message: trainer_pb2.EvaluateRequest) -> ScoredRow:
    """One row to score."""
    return ScoredRow(
        reference=message.reference,
        hypothesis=message.hypothesis,
        audio_s=message.audio_s,
        failed=message.failed,
        slice=message.slice if message.HasField("slice") else None,
        group=message.group if message.HasField("group") else None,
    )


def evaluated_to_message(evaluated: Evaluated) -> trainer_pb2.EvaluateResponse:
    """The scores of all rows and of each slice."""
    return trainer_pb2.EvaluateResponse(
        scores=scores_to_message(evaluated.total),
        slices=[
            trainer_pb2.SliceScores(slice=number, scores=scores_to_message(measured))
            for number, measured in evaluated.slices.items()
        ],
    )


def text_pairs_from_message(message: trainer_pb2.CompareTextsRequest) -> list[tuple[str, str]]:
    """References, each with what was heard."""
    return [(pair.reference, pair.hypothesis) for pair in message.pairs]


def comparisons_to_message(rows: Iterable[ComparedRow | ThanosqlError]) -> trainer_pb2.CompareTextsResponse:
    """The comparison of each pair, or why there is none."""
    return trainer_pb2.CompareTextsResponse(comparisons=[_comparison_to_message(row) for row in rows])


def _comparison_to_message(row: ComparedRow | ThanosqlError) -> trainer_pb2.TextComparison:
    if isinstance(row, ThanosqlError):
        return trainer_pb2.TextComparison(status=to_status(row))
    words, characters = row.comparison.words, row.comparison.characters
    return trainer_pb2.TextComparison(
        substitutions=words.substitutions,
        deletions=words.deletions,
        insertions=words.insertions,
        reference_words=words.reference,
        character_errors=characters.errors,
        reference_characters=characters.reference,
        difference=row.difference,
    )


def scores_to_message(measured: MeasuredScores) -> types_pb2.Scores:
    """Scores and how sure they are."""
    scores, intervals = measured.scores, measured.intervals
    return types_pb2.Scores(
        wer=scores.wer,
        cer=scores.cer,
        substitutions=scores.substitutions,
        deletions=scores.deletions,
        insertions=scores.insertions,
        reference_words=scores.reference_words,
        rows=scores.rows,
        rows_left_out=scores.rows_left_out,
        audio_s=scores.audio_s,
        normaliser=scores.normaliser,
        wer_low=intervals.wer.low if intervals else None,
        wer_high=intervals.wer.high if intervals else None,
        cer_low=intervals.cer.low if intervals else None,
        cer_high=intervals.cer.high if intervals else None,
    )


def _built_from(messages: Iterable[types_pb2.TableVersion]) -> tuple[TableVersion, ...]:
    return tuple(TableVersion(table=item.table, version=item.version) for item in messages)


def _options_from_message(message: parser_pb2.TrainingOptions) -> TrainingOptions:
    return TrainingOptions(
        audio_col=message.audio_col,
        text_col=message.text_col,
        epochs=message.epochs,
        batch_size=message.batch_size,
        learning_rate=message.learning_rate,
        overwrite=message.overwrite,
        seed=message.seed if message.HasField("seed") else None,
    )


def _left_out_to_message(row: LeftOutRow) -> types_pb2.RowError:
    return types_pb2.RowError(row=row.row, subject=row.subject, reason=row.reason, message=row.message)


def _reason_to_message(reason: str) -> errors_pb2.ErrorReason.ValueType:
    if reason not in Reason.__members__:
        return errors_pb2.ERROR_REASON_UNSPECIFIED
    return errors_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}")
