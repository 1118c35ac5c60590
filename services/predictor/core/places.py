"""One place in memory for a model: what stands in it, who holds it, and what is told of it."""

import asyncio
import enum
from dataclasses import dataclass, field
from typing import TypeAlias

from services.predictor.core.loaded_model import LoadedModel
from services.predictor.core.texts.encoder import LoadedEncoder
from services.predictor.core.types import ModelRecord
from services.predictor.core.whisper.loaded import LoadedWhisper

AnyModel: TypeAlias = LoadedModel | LoadedEncoder | LoadedWhisper
"""A model in memory, by the family of its record."""


class State(enum.Enum):
    """How a model stands."""

    LOADING = "LOADING"
    READY = "READY"
    UNLOADING = "UNLOADING"
    FAILED = "FAILED"


@dataclass(frozen=True, kw_only=True)
class ModelStatus:
    """One line of the list of models."""

    name: str
    version: int
    state: State
    precision: str = ""
    message: str = ""
    engine: str = ""
    size_bytes: int = 0


# Not frozen: a place in memory that changes hands.
@dataclass(kw_only=True, eq=False)
class Place:
    """Where one version stands in one precision, or is about to.

    Attributes:
        record: The version.
        task: Its load.
        state: How it stands.
        message: Why it failed, where it did.
        leases: How many hold it.
        leaving: What gives it up, once somebody wants that.
        used_s: When it was last taken or let go.
        idle: Set while nobody holds it.
        gone: Set once it is given up.
    """

    record: ModelRecord
    task: asyncio.Task[AnyModel]
    state: State = State.LOADING
    message: str = ""
    leases: int = 0
    leaving: asyncio.Task[None] | None = None
    used_s: float = 0.0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def model(self) -> AnyModel | None:
        """The model, once it is loaded."""
        done = self.task.done() and not self.task.cancelled() and self.task.exception() is None
        return self.task.result() if done else None

    @property
    def is_usable(self) -> bool:
        """Whether it answers, or is about to."""
        if self.state is State.READY:
            return self.model is not None and self.model.is_alive
        return self.state is State.LOADING

    @property
    def status(self) -> ModelStatus:
        """What is told of it."""
        model = self.model
        notice = model.notice if isinstance(model, LoadedModel) else ""
        return ModelStatus(
            name=self.record.name,
            version=self.record.version,
            state=self.state,
            precision=self.record.precision,
            message=self.message or notice,
            engine=model.description if model else "",
            size_bytes=model.size_bytes if model else 0,
        )
