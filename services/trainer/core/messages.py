"""What the training process tells its parent: one JSON object a line on its standard output."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from services.trainer.core.types import JobState, LeftOutRow


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """The process lives."""

    kind: Literal["heartbeat"] = "heartbeat"


@dataclass(frozen=True, kw_only=True)
class RowsChecked:
    """Which rows can be used; `left_out` names the first of those that cannot."""

    rows_used: int
    rows_held_out: int
    rows_left_out: int
    left_out: tuple[LeftOutRow, ...]
    kind: Literal["rows"] = "rows"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far training is; what is None is not known."""

    state: JobState
    step: int = 0
    step_total: int = 0
    epoch: int = 0
    epoch_total: int = 0
    loss: float | None = None
    learning_rate: float | None = None
    wer: float | None = None
    cer: float | None = None
    wer_before: float | None = None
    audio_s_per_s: float | None = None
    seconds_left: float | None = None
    kind: Literal["progress"] = "progress"


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What whoever waits for the job should know, and that did not end it."""

    message: str
    kind: Literal["notice"] = "notice"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A checkpoint is written: after a fault the job goes on from this step."""

    step: int
    kind: Literal["kept"] = "kept"


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Why training ended badly; `reason` is the name of a `Reason`."""

    reason: str
    message: str
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The model is written; its measures and the facts of its making."""

    metrics: Mapping[str, float]
    properties: Mapping[str, str]
    kind: Literal["finished"] = "finished"


Message = Heartbeat | RowsChecked | Progress | Notice | Kept | Failed | Finished


class MessageCodec:
    """Messages as lines and back."""

    def __init__(self) -> None:
        self._adapter: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])

    def encode(self, message: Message) -> bytes:
        """The line, with its end."""
        return self._adapter.dump_json(message) + b"\n"

    def decode(self, line: bytes) -> Message | None:
        """The message; None for a line that is none, as libraries may print what they like."""
        try:
            return self._adapter.validate_json(line)
        except ValidationError:
            return None
