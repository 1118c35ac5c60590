"""Families of models: which statements a model is for."""

from services.gateway.core.records import ModelVersion
from thanosql_runtime.errors import Reason, error


def require_recogniser(model: ModelVersion) -> None:
    """Raise INVALID_CHECKPOINT for a model that hears no recordings."""
    if model.family == "TEXT_ENCODER":
        message = (
            f"model {model.full_name} is a text encoder, which reads texts and hears no recordings; "
            "it is for CONVERT with text_col, and for SEARCH TEXT"
        )
        raise error(Reason.INVALID_CHECKPOINT, message, model=model.name)
