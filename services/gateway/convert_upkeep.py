"""Models in memory, from messages to what core knows."""

from services.gateway.core.records import LoadedModel
from thanosql.v1 import predictor_pb2, types_pb2

_State = predictor_pb2.LoadedModel.State


def loaded_model(
    message: predictor_pb2.LoadedModel, counts: predictor_pb2.ModelStatistics | None
) -> LoadedModel:
    """A model with the counts of its version, which are those of all its precisions together."""
    counted = counts or predictor_pb2.ModelStatistics()
    precision = types_pb2.Precision.Name(message.precision).removeprefix("PRECISION_").lower()
    return LoadedModel(
        model=message.model,
        version=message.version,
        precision=precision if message.precision else None,
        state=_State.Name(message.state).removeprefix("STATE_"),
        engine=message.engine,
        size_bytes=message.size_bytes,
        message=message.message or None,
        rows_succeeded=counted.rows_succeeded,
        rows_failed=counted.rows_failed,
        rows_cancelled=counted.rows_cancelled,
        rows_reused=counted.rows_reused,
        utterances=counted.utterances,
        batches=counted.batches,
        audio_s=counted.audio_s,
        queue_s=counted.queue_s,
        decode_s=counted.decode_s,
        compute_s=counted.compute_s,
    )
