"""What the server tells, as plain immutable values."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Span:
    """A place in a text: offsets count characters from 0, line and column from 1."""

    start: int
    end: int
    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something to know that stopped nothing."""

    message: str
    span: Span | None = None


@dataclass(frozen=True, kw_only=True)
class FinalizeUtterance:
    """Among the chunks of a dictation: end the current utterance now.

    The server answers it with one final result, empty where nothing was said.
    """


@dataclass(frozen=True, kw_only=True)
class Word:
    """A word that was said.

    Attributes:
        text: As it is written.
        start_s: Where it begins in the audio.
        end_s: Where it ends in the audio.
        confidence: How probable it is that this word was said, 0 to 1; `None` where nobody asked.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class LiveTranscript:
    """What was heard of one utterance of a dictation.

    Attributes:
        text: All that was heard of it so far.
        stable_text: How `text` begins for certain, until the final result: it only grows.
        is_final: True when it will not change; the next one belongs to another utterance.
        start_s: Where it begins in the audio.
        end_s: Where it ends in the audio.
        words: The words of a final result, where they were asked for.
        confidence: The share of the words of a final result that are probably right, 0 to 1; `None` without
            words, or where nobody asked.
    """

    text: str
    stable_text: str
    is_final: bool
    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()
    confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class RowError:
    """A row that could not be used, and why.

    Attributes:
        row: Number of the row in its query or file, from 0.
        subject: What it speaks of, such as an audio path.
        reason: One of the closed list of reasons.
        message: One sentence.
    """

    row: int
    subject: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a statement is; what is unknown is `None`."""

    stage: str
    done: float
    total: float | None = None
    unit: str = ""
    seconds_left: float | None = None
    audio_s: float | None = None
    epoch: int | None = None
    epoch_total: int | None = None
    loss: float | None = None
    wer: float | None = None
    audio_total_s: float | None = None

    @property
    def fraction(self) -> float | None:
        """The share that is done, from 0 to 1; `None` while the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else None


@dataclass(frozen=True, kw_only=True)
class Media:
    """One recording of a PRINT statement, with its bytes."""

    row: int
    path: str
    mime_type: str
    data: bytes = field(repr=False)

    def save(self, local_path: str | Path) -> None:
        """Write the recording to a file."""
        Path(local_path).write_bytes(self.data)

    def _repr_html_(self) -> str:
        encoded = base64.b64encode(self.data).decode("ascii")
        source = f"data:{escape(self.mime_type)};base64,{encoded}"
        caption = f"<figcaption>{escape(self.path)}</figcaption>"
        return f'<figure>{caption}<audio controls src="{source}"></audio></figure>'


@dataclass(frozen=True, kw_only=True)
class Model:
    """One version of a model.

    Attributes:
        kind: `base`, `prebuilt`, `trained` or `uploaded`.
        base: Name and version of the model that it was trained from; empty for a base.
        origin: The checkpoint behind a base, in words.
        metrics: Measured on held-out rows, such as `wer`.
        properties: Facts of its making.
        built_from: The tables that it learned from, as a query names them: `t AT VERSION 3`.
        active: True for the version that statements use when they name none.
        size_bytes: Size of its files together.
        family: What it reads: recordings, a `recogniser` or `whisper`, or texts, a `text_encoder`.
    """

    name: str
    version: int
    kind: str
    base: str = ""
    origin: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    built_from: tuple[str, ...] = ()
    active: bool = False
    size_bytes: int = 0
    created: datetime | None = None
    family: str = "recogniser"


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Errors of transcription over a set of rows; rates above 1 are possible.

    Attributes:
        wer_low: With `wer_high`, where the word error rate lies with a confidence of 95 %; None where a
            single row or group says nothing about that.
        cer_low: With `cer_high`, the same of the character error rate.
    """

    wer: float
    cer: float
    substitutions: int
    deletions: int
    insertions: int
    reference_words: int
    rows: int
    rows_left_out: int
    audio_s: float
    normaliser: str = ""
    wer_low: float | None = None
    wer_high: float | None = None
    cer_low: float | None = None
    cer_high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training run, as it stands.

    Attributes:
        sequence: Raised by every change; give it to `watch_job` to go on from there.
        state: `queued`, `preparing`, `training`, `evaluating`, `saving`, and at the end
            `succeeded`, `failed` or `cancelled`.
        wer: Newest word error rate on the held-out rows; `wer_before` is that of the base.
        audio_s_per_s: Seconds of audio learned from in a second.
        attempt: Number of the try; each after the first goes on from the newest checkpoint.
        checkpoint_step: Step of that; 0 without one.
        notices: What befell it without ending it, such as a lost training process.
        left_out: The first rows that could not be used.
        failure_reason: One of the closed list, empty unless it failed.
        result: The model version that it made.
    """

    job_id: str
    sequence: int
    state: str
    model: str
    base: str
    attempt: int = 1
    checkpoint_step: int = 0
    notices: tuple[str, ...] = ()
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
    rows_used: int = 0
    rows_held_out: int = 0
    rows_left_out: int = 0
    left_out: tuple[RowError, ...] = ()
    failure_reason: str = ""
    failure_message: str = ""
    result: Model | None = None
    statement: str = ""
    created: datetime | None = None
    ended: datetime | None = None

    @property
    def finished(self) -> bool:
        """True once nothing more will happen."""
        return self.state in {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True, kw_only=True)
class File:
    """One file of the workspace.

    Attributes:
        sha256: In hexadecimal; empty where the server does not know it without reading the file.
        updated: When it was written last.
    """

    path: str
    size_bytes: int
    sha256: str = ""
    updated: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class FilePage:
    """Some files of the workspace; an empty token means that there are no more."""

    files: tuple[File, ...]
    next_page_token: str = ""


@dataclass(frozen=True, kw_only=True)
class FileUrl:
    """An address at which anybody who knows it reads a file, until it ends."""

    url: str = field(repr=False)
    expires: datetime

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What one statement would do."""

    kind: str
    canonical_text: str
    steps: tuple[str, ...]
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ServerInfo:
    """What the server is."""

    version: str
    services: tuple[str, ...]
