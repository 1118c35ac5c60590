"""Families of models: which statements a model is for."""

from services.gateway.core.plans import Predict
from services.gateway.core.records import ModelVersion
from thanosql_runtime.errors import Reason, error


def require_hearing(model: ModelVersion) -> None:
    """Raise INVALID_CHECKPOINT for a model that hears no recordings."""
    if model.family == "TEXT_ENCODER":
        message = (
            f"model {model.full_name} is a text encoder, which reads texts and hears no recordings; "
            "it is for CONVERT with text_col, and for SEARCH TEXT"
        )
        raise error(Reason.INVALID_CHECKPOINT, message, model=model.name)


def require_recogniser(model: ModelVersion) -> None:
    """Raise INVALID_CHECKPOINT for a model that nothing is trained from, and that embeds no recordings."""
    require_hearing(model)
    if model.family == "WHISPER":
        message = (
            f"model {model.full_name} is a Whisper model, which is for PREDICT and EVALUATE; "
            "use a model of the family RECOGNISER here"
        )
        raise error(Reason.INVALID_CHECKPOINT, message, model=model.name)


def require_wishes(model: ModelVersion, statement: Predict) -> None:
    """Raise INVALID_OPTION_VALUE for what a model of its family cannot be told."""
    wishes = {"language": statement.language != "auto", "task": statement.task == "TRANSLATE"}
    given = [name for name, is_given in wishes.items() if is_given]
    if given and model.family != "WHISPER":
        message = (
            f"model {model.full_name} writes the language that it was trained on, and takes no "
            f"{' and no '.join(given)}; that is for Whisper models"
        )
        raise error(Reason.INVALID_OPTION_VALUE, message, option=given[0])
