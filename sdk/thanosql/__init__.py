"""SQL about speech: transcribe, fine-tune and evaluate recognisers from one statement.

Example:
    >>> from thanosql import ThanoSQL
    >>> client = ThanoSQL()
    >>> client.execute("SELECT * FROM t").to_pandas()  # doctest: +SKIP

In a notebook: `%load_ext thanosql`, then cells that begin with `%%thanosql`.
"""

from typing import TYPE_CHECKING

from thanosql.aio import AsyncThanoSQL
from thanosql.client import ThanoSQL
from thanosql.errors import (
    AlreadyExists,
    AuthenticationError,
    Cancelled,
    Conflict,
    DeadlineExceeded,
    InternalError,
    InvalidArgument,
    InvalidData,
    InvalidModel,
    NotAvailableYet,
    NotFound,
    Overloaded,
    PermissionDenied,
    StatementError,
    ThanoSQLError,
    TrainingError,
    Unavailable,
)
from thanosql.events import Columns, Event, Rows, StatementDone, StatementStarted
from thanosql.local_server import LocalServer
from thanosql.result import Result
from thanosql.subtitles import subtitles
from thanosql.values import (
    Explanation,
    File,
    FilePage,
    FileUrl,
    FinalizeUtterance,
    Job,
    LiveTranscript,
    Media,
    Model,
    Notice,
    Progress,
    RowError,
    Scores,
    ServerInfo,
    Span,
    Word,
)
from thanosql.version import __version__

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = [
    "AlreadyExists",
    "AsyncThanoSQL",
    "AuthenticationError",
    "Cancelled",
    "Columns",
    "Conflict",
    "DeadlineExceeded",
    "Event",
    "Explanation",
    "File",
    "FilePage",
    "FileUrl",
    "FinalizeUtterance",
    "InternalError",
    "InvalidArgument",
    "InvalidData",
    "InvalidModel",
    "Job",
    "LiveTranscript",
    "LocalServer",
    "Media",
    "Model",
    "NotAvailableYet",
    "NotFound",
    "Notice",
    "Overloaded",
    "PermissionDenied",
    "Progress",
    "Result",
    "RowError",
    "Rows",
    "Scores",
    "ServerInfo",
    "Span",
    "StatementDone",
    "StatementError",
    "StatementStarted",
    "ThanoSQL",
    "ThanoSQLError",
    "TrainingError",
    "Unavailable",
    "Word",
    "__version__",
    "subtitles",
]


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Register `%thanosql` and `%%thanosql`; IPython calls this on `%load_ext thanosql`."""
    from thanosql.notebook import register  # IPython is wanted in notebooks alone

    register(shell)
