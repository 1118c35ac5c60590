"""Comparisons and kept evaluations: messages of the trainer to what core knows, and back."""

from services.gateway.convert import moment, scores, scores_message
from services.gateway.core.comparisons import TextComparison
from services.gateway.core.records import TableVersion
from services.gateway.core.score_columns import EvaluationRecord
from thanosql.v1 import trainer_pb2, types_pb2
from thanosql_runtime.status import from_status


def comparison(message: trainer_pb2.TextComparison) -> TextComparison:
    """The errors of a pair of texts, or why they could not be compared."""
    if message.HasField("status"):
        failure = from_status(message.status)
        return TextComparison(reason=failure.reason.value, message=failure.message)
    return TextComparison(
        substitutions=message.substitutions,
        deletions=message.deletions,
        insertions=message.insertions,
        reference_words=message.reference_words,
        character_errors=message.character_errors,
        reference_characters=message.reference_characters,
        difference=message.difference,
    )


def evaluation(message: trainer_pb2.EvaluationRecord) -> EvaluationRecord:
    """One evaluation that is kept."""
    return EvaluationRecord(
        model=message.model,
        version=message.version,
        statement=message.statement,
        tables=[TableVersion(table=item.table, version=item.version) for item in message.tables],
        rows_mark=message.rows_mark,
        scores=scores(message.scores),
        elapsed_s=message.elapsed_s,
        time=moment(message.time, message.HasField("time")),
    )


def evaluation_message(record: EvaluationRecord) -> trainer_pb2.EvaluationRecord:
    """One that is to be kept."""
    return trainer_pb2.EvaluationRecord(
        model=record.model,
        version=record.version,
        statement=record.statement,
        tables=[types_pb2.TableVersion(table=item.table, version=item.version) for item in record.tables],
        rows_mark=record.rows_mark,
        scores=scores_message(record.scores),
        elapsed_s=record.elapsed_s,
    )
