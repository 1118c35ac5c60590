"""Evaluations that are kept: messages to what core knows, and back."""

from collections.abc import Iterable

from services.trainer.convert import scores_to_message
from services.trainer.core.evaluation import MeasuredScores
from services.trainer.core.evaluations import EvaluationRecord
from services.trainer.core.resampling import Interval, Intervals
from services.trainer.core.scoring import Scores
from services.trainer.core.types import TableVersion
from thanosql.v1 import trainer_pb2, types_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.moments import timestamp


def evaluation_from_message(message: trainer_pb2.RecordEvaluationRequest, time_s: float) -> EvaluationRecord:
    """What to keep, made at a moment."""
    record = message.evaluation
    return EvaluationRecord(
        request_id=message.request_id,
        model=record.model,
        version=record.version,
        statement=record.statement,
        tables=tuple(TableVersion(table=item.table, version=item.version) for item in record.tables),
        rows_mark=record.rows_mark,
        measured=_measured(record.scores),
        elapsed_s=record.elapsed_s,
        time_s=time_s,
    )


def evaluations_to_message(
    records: Iterable[EvaluationRecord], go_on: int
) -> trainer_pb2.ListEvaluationsResponse:
    """A page, and where the next one goes on; 0 on the last."""
    return trainer_pb2.ListEvaluationsResponse(
        evaluations=[_to_message(record) for record in records], next_page_token=str(go_on) if go_on else ""
    )


def number_of_token(token: str) -> int:
    """Where a page goes on; 0 for the first.

    Raises:
        ThanosqlError: INVALID_ARGUMENT for a token that no answer had.
    """
    if token and not (token.isascii() and token.isdecimal()):
        raise error(Reason.INVALID_ARGUMENT, "the page token is none of ours; begin without one")
    return int(token or 0)


def _to_message(record: EvaluationRecord) -> trainer_pb2.EvaluationRecord:
    return trainer_pb2.EvaluationRecord(
        model=record.model,
        version=record.version,
        statement=record.statement,
        tables=[types_pb2.TableVersion(table=item.table, version=item.version) for item in record.tables],
        rows_mark=record.rows_mark,
        scores=scores_to_message(record.measured),
        elapsed_s=record.elapsed_s,
        time=timestamp(record.time_s),
    )


def _measured(message: types_pb2.Scores) -> MeasuredScores:
    scores = Scores(
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
    )
    if not message.HasField("wer_low"):
        return MeasuredScores(scores=scores, intervals=None)
    wer = Interval(low=message.wer_low, high=message.wer_high)
    cer = Interval(low=message.cer_low, high=message.cer_high)
    return MeasuredScores(scores=scores, intervals=Intervals(wer=wer, cer=cer))
