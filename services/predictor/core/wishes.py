"""What callers wish of the speech that a model hears: families differ in what they can be told."""

from dataclasses import dataclass, field
from typing import Protocol

from services.predictor.core.decoding.beam.options import BeamOptions
from services.predictor.core.decoding.types import Detail
from services.predictor.core.hearing import Transcribing
from services.predictor.core.loaded_model import LoadedModel
from services.predictor.core.types import ModelRecord
from services.predictor.core.whisper.loaded import LoadedWhisper
from services.predictor.core.whisper.types import AUTO, SpeechTask, Wish
from thanosql_runtime.errors import Reason, ThanosqlError, error


class Hearing(Transcribing, Protocol):
    """A model that hears as a caller wishes, and what is told of it."""

    @property
    def record(self) -> ModelRecord:
        """The version."""
        ...

    @property
    def description(self) -> str:
        """Where and how it computes."""
        ...

    @property
    def notice(self) -> str:
        """Why another engine than the one asked for computes; empty where it is that one."""
        ...

    @property
    def manner(self) -> str:
        """All of it that a transcript depends on; wishes stand in the request."""
        ...


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a caller asks of all recordings of a stream.

    Attributes:
        wish: What Whisper is told.
        beam: How labels become text; None for the best label of every frame.
        detail: What is told beside the text.
    """

    wish: Wish = field(default_factory=Wish)
    beam: BeamOptions | None = None
    detail: Detail = field(default_factory=Detail)


def hears_as(model: LoadedModel | LoadedWhisper, asked: Asked) -> Hearing:
    """Prepare a model to hear as a caller asks.

    Raises:
        ThanosqlError: INVALID_OPTION_VALUE for what the model cannot be told.
    """
    if isinstance(model, LoadedWhisper):
        if asked.beam is not None:
            what = "finds its texts without language models and hotwords of ours; leave those options out"
            raise _refusal(model.record, what)
        if not asked.detail.is_text_alone:
            what = "tells the text alone, without times of words, confidence and other readings"
            raise _refusal(model.record, f"{what}; leave those options out")
        return model.hears(asked.wish)
    _require_nothing_told(model.record, asked.wish)
    return model


def _require_nothing_told(record: ModelRecord, wish: Wish) -> None:
    told = {"language": wish.language, "task": wish.task.value}
    usual = {"language": AUTO, "task": SpeechTask.TRANSCRIBE.value}
    given = [name for name in told if told[name] != usual[name]]
    if given:
        what = f"writes the language that it was trained on, and takes no {' and no '.join(given)}"
        facts = {"option": given[0], "value": told[given[0]]}
        raise _refusal(record, f"{what}; that is for Whisper models", **facts)


def _refusal(record: ModelRecord, what: str, **facts: str) -> ThanosqlError:
    return error(Reason.INVALID_OPTION_VALUE, f"model {record.full_name} {what}", **facts)
