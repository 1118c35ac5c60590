"""What the predictor speaks about, without gRPC."""

import enum
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from services.predictor.core.decoding.types import Reading, SpokenWord
from thanosql_objects.model_files import ModelFiles
from thanosql_runtime.errors import ThanosqlError

Outcome = TypeVar("Outcome", covariant=True)


ModelKey: TypeAlias = tuple[str, int, str, str]
"""Name, version, fingerprint and precision of a model in memory."""


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """One file of a model: its key in the object store, its name in the model's folder, and its digest."""

    key: str
    name: str
    sha256: str
    size_bytes: int


class ModelFamily(enum.Enum):
    """What a model reads, and what it makes of it."""

    RECOGNISER = "recogniser"
    TEXT_ENCODER = "text encoder"
    WHISPER = "Whisper"


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """One version of a model as the catalog keeps it; what the predictor does not use it passes on.

    Attributes:
        name: Name, case sensitive.
        version: Version from 1.
        kind: Number of the kind on the wire.
        base: Name and version that it was trained from.
        origin: The checkpoint behind a base, in words.
        artefacts: Its files.
        metrics: Measured numbers by name.
        properties: Facts of its making by name.
        active: Whether it is the version that statements use.
        created_s: Seconds since the epoch.
        family: What it reads, and what it makes of it.
        precision: In which it computes, or shall; empty for what the settings say.
    """

    name: str
    version: int
    artefacts: tuple[Artefact, ...]
    kind: int = 0
    base: str = ""
    origin: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    active: bool = True
    created_s: float = 0.0
    family: ModelFamily = ModelFamily.RECOGNISER
    precision: str = ""

    @property
    def full_name(self) -> str:
        """Such as `my_model.2`."""
        return f"{self.name}.{self.version}"

    @property
    def fingerprint(self) -> str:
        """Digest of the files: a name and version that were deleted and made again get another one."""
        lines = sorted(f"{artefact.name} {artefact.sha256}" for artefact in self.artefacts)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def stored_files(self) -> ModelFiles:
        """Its files, as they are verified."""
        return ModelFiles(model=self.name, version=self.version, files=self.artefacts)

    @property
    def key(self) -> "ModelKey":
        """What tells loaded models apart."""
        return (self.name, self.version, self.fingerprint, self.precision)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row to transcribe or to embed."""

    row_key: int
    audio_path: str


@dataclass(frozen=True, kw_only=True)
class TextRow:
    """One text to embed."""

    row_key: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What was heard.

    Attributes:
        text: Empty for silence.
        audio_s: Length of the recording.
        words: In order, with their times; empty unless asked for.
        confidence: The share of the words that are probably right; None unless asked for, and without words.
        alternatives: The readings, the best first, which is the text; empty unless several were asked for.
    """

    text: str
    audio_s: float
    words: Sequence[SpokenWord] = ()
    confidence: float | None = None
    alternatives: Sequence[Reading] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Embedding:
    """Where a recording or a text lies among others: a vector of length 1. A text lasts no seconds."""

    values: npt.NDArray[np.float32]
    audio_s: float


@dataclass(frozen=True, kw_only=True)
class RowAnswer(Generic[Outcome]):
    """The answer to one row: a transcript or an embedding, or the failure of this row alone."""

    row_key: int
    outcome: Outcome | ThanosqlError
