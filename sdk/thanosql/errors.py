"""Everything that this package raises on purpose.

ThanoSQLError                reason, message, metadata, and the place in the statement
├── StatementError           the text is not right: syntax, options, names, the query in it
├── NotAvailableYet          the text is right, running it comes in a later release
├── NotFound                 no table, column, model, job, file or recording of that name
├── AlreadyExists            a table or model of that name is there already
├── InvalidData              rows, files, recordings or paths cannot be used as asked
├── InvalidModel             a checkpoint cannot be had, or is damaged
├── TrainingError            training failed, diverged, or its process is gone
├── AuthenticationError      the token is absent or wrong
├── PermissionDenied         the token is right and does not allow this
├── InvalidArgument          the request itself is wrong
├── Conflict                 somebody else changed the same thing at the same time
├── Overloaded               the server is full; `retry_after_s` says when to come back
├── Cancelled                the work was cancelled
├── DeadlineExceeded         the time allowed has passed
├── Unavailable              the server, or something behind it, does not answer
└── InternalError            a fault of the server
"""

# ruff: noqa: N818 - a name such as NotFound says what is the matter; the base says that it is an error
from collections.abc import Mapping
from dataclasses import dataclass, field

from thanosql.drawing import draw
from thanosql.values import Span


@dataclass(kw_only=True, eq=False)
class ThanoSQLError(Exception):
    """Base of all errors; programs branch on the class or on `reason`, never on the text.

    Attributes:
        reason: One of the closed list of `thanosql.v1.ErrorReason`, without its prefix.
        message: What failed, where, and what to do next.
        metadata: The same facts for programs.
        text: The text that was sent, where there was one.
        span: The place in `text`.
        expected: What would be right there, in words.
        suggestion: The nearest known name; empty when nothing is near.
        known: The known names, most likely first.
        retry_after_s: When to try again, where the server said so.
    """

    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    span: Span | None = None
    expected: tuple[str, ...] = ()
    suggestion: str = ""
    known: tuple[str, ...] = ()
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def drawn(self) -> str:
        """The error with its line of the statement and a caret, for people to read."""
        return draw(
            self.message,
            text=self.text,
            span=self.span,
            expected=self.expected,
            suggestion=self.suggestion,
            known=self.known,
        )


class StatementError(ThanoSQLError):
    """The statement is not right; `span` says where."""


class NotAvailableYet(ThanoSQLError):
    """The statement is of the language, and running it comes in a later release."""


class NotFound(ThanoSQLError):
    """No table, column, model, job, file or recording of that name."""


class AlreadyExists(ThanoSQLError):
    """A table or model of that name is there already."""


class InvalidData(ThanoSQLError):
    """Rows, files, recordings or paths cannot be used as asked."""


class InvalidModel(ThanoSQLError):
    """A checkpoint cannot be had, or is damaged."""


class TrainingError(ThanoSQLError):
    """Training failed, diverged, or its process is gone."""


class AuthenticationError(ThanoSQLError):
    """The token is absent or wrong."""


class PermissionDenied(ThanoSQLError):
    """The token is right and does not allow this."""


class InvalidArgument(ThanoSQLError):
    """The request itself is wrong."""


class Conflict(ThanoSQLError):
    """Somebody else changed the same thing at the same time, or uses what was to be deleted."""


class Overloaded(ThanoSQLError):
    """The server is full; `retry_after_s` says when to come back."""


class Cancelled(ThanoSQLError):
    """The work was cancelled."""


class DeadlineExceeded(ThanoSQLError):
    """The time allowed has passed."""


class Unavailable(ThanoSQLError):
    """The server, or something behind it, does not answer."""


class InternalError(ThanoSQLError):
    """A fault of the server; its log tells more."""
