"""One exception for everything that a user may be told, and the closed list of its reasons.

Pure Python: `core` packages raise these and never meet gRPC. `thanosql_runtime.status` turns
them into statuses on the wire, and back.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Reason(enum.StrEnum):
    """Why something failed. Equal, name by name, to `thanosql.v1.ErrorReason` on the wire."""

    # The statement.
    SYNTAX_ERROR = "SYNTAX_ERROR"
    UNKNOWN_OPTION = "UNKNOWN_OPTION"
    INVALID_OPTION_VALUE = "INVALID_OPTION_VALUE"
    DUPLICATE_OPTION = "DUPLICATE_OPTION"
    MISSING_OPTION = "MISSING_OPTION"
    INVALID_NAME = "INVALID_NAME"
    STATEMENT_TOO_LARGE = "STATEMENT_TOO_LARGE"
    NOT_AVAILABLE_YET = "NOT_AVAILABLE_YET"
    # Names and data.
    TABLE_NOT_FOUND = "TABLE_NOT_FOUND"
    TABLE_ALREADY_EXISTS = "TABLE_ALREADY_EXISTS"
    COLUMN_NOT_FOUND = "COLUMN_NOT_FOUND"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    MODEL_ALREADY_EXISTS = "MODEL_ALREADY_EXISTS"
    BASE_MODEL_NOT_FOUND = "BASE_MODEL_NOT_FOUND"
    BASE_MODEL_UNAVAILABLE = "BASE_MODEL_UNAVAILABLE"
    JOB_NOT_FOUND = "JOB_NOT_FOUND"
    FILE_NOT_FOUND = "FILE_NOT_FOUND"
    PATH_OUTSIDE_WORKSPACE = "PATH_OUTSIDE_WORKSPACE"
    UNSUPPORTED_FORMAT = "UNSUPPORTED_FORMAT"
    INVALID_ENCODING = "INVALID_ENCODING"
    INVALID_DATA = "INVALID_DATA"
    QUERY_REJECTED = "QUERY_REJECTED"
    QUERY_FAILED = "QUERY_FAILED"
    QUERY_TOO_LARGE = "QUERY_TOO_LARGE"
    # One row of audio.
    AUDIO_NOT_FOUND = "AUDIO_NOT_FOUND"
    AUDIO_UNREADABLE = "AUDIO_UNREADABLE"
    AUDIO_EMPTY = "AUDIO_EMPTY"
    AUDIO_TOO_SHORT = "AUDIO_TOO_SHORT"
    AUDIO_TOO_LONG = "AUDIO_TOO_LONG"
    TEXT_EMPTY = "TEXT_EMPTY"
    TEXT_OUTSIDE_VOCABULARY = "TEXT_OUTSIDE_VOCABULARY"
    # Models and training.
    NO_USABLE_ROWS = "NO_USABLE_ROWS"
    TRAINING_FAILED = "TRAINING_FAILED"
    TRAINING_DIVERGED = "TRAINING_DIVERGED"
    WORKER_LOST = "WORKER_LOST"
    INVALID_CHECKPOINT = "INVALID_CHECKPOINT"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    MODEL_IN_USE = "MODEL_IN_USE"
    FILE_DAMAGED = "FILE_DAMAGED"
    # The service.
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105 - a reason, not a secret
    PERMISSION_DENIED = "PERMISSION_DENIED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    CONFLICT = "CONFLICT"
    OVERLOADED = "OVERLOADED"
    CANCELLED = "CANCELLED"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    PEER_UNAVAILABLE = "PEER_UNAVAILABLE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    STORE_READ_ONLY = "STORE_READ_ONLY"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, kw_only=True)
class Span:
    """A place in the text of a call: offsets count characters from 0, line and column from 1."""

    start: int
    end: int
    line: int
    column: int

    @property
    def length(self) -> int:
        """Characters covered, at least 1 so that a caret can be drawn."""
        return max(1, self.end - self.start)


@dataclass(frozen=True, kw_only=True)
class StatementError:
    """What a client needs to draw an error under the statement."""

    span: Span
    expected: tuple[str, ...] = ()
    suggestion: str = ""
    known: tuple[str, ...] = ()


# eq=False keeps exceptions hashable, which traceback and contextlib rely on.
@dataclass(kw_only=True, eq=False)
class ThanosqlError(Exception):
    """A failure that its receiver may see.

    Attributes:
        reason: One of the closed list; programs branch on it, never on the text.
        message: What failed, where, and what to do next; one or two sentences.
        metadata: The same facts for programs, small strings.
        statement: The place in the statement, where there is one.
        retry_delay_s: When to try again, for overload.
    """

    reason: Reason
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    statement: StatementError | None = None
    retry_delay_s: float | None = None

    def __post_init__(self) -> None:
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


def error(reason: Reason, message: str, **metadata: str) -> ThanosqlError:
    """Make the exception in one line; keyword arguments become its metadata."""
    return ThanosqlError(reason=reason, message=message, metadata=metadata)
