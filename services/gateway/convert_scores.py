"""Comparisons of texts: messages of the trainer to what core knows."""

from services.gateway.core.comparisons import TextComparison
from thanosql.v1 import trainer_pb2
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
