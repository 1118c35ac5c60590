"""Failed calls to exceptions: by their reason, or by their code where they carry none."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.rpc import error_details_pb2, status_pb2

from thanosql import errors
from thanosql.convert import to_span
from thanosql.v1 import errors_pb2

_DOMAIN = "thanosql"
_DETAILS_KEY = "grpc-status-details-bin"
_PREFIX = "ERROR_REASON_"

CLASSES: dict[str, type[errors.ThanoSQLError]] = {
    "SYNTAX_ERROR": errors.StatementError,
    "UNKNOWN_OPTION": errors.StatementError,
    "INVALID_OPTION_VALUE": errors.StatementError,
    "DUPLICATE_OPTION": errors.StatementError,
    "MISSING_OPTION": errors.StatementError,
    "INVALID_NAME": errors.StatementError,
    "STATEMENT_TOO_LARGE": errors.StatementError,
    "QUERY_REJECTED": errors.StatementError,
    "QUERY_FAILED": errors.StatementError,
    "QUERY_TOO_LARGE": errors.StatementError,
    "NOT_AVAILABLE_YET": errors.NotAvailableYet,
    "TABLE_NOT_FOUND": errors.NotFound,
    "COLUMN_NOT_FOUND": errors.NotFound,
    "MODEL_NOT_FOUND": errors.NotFound,
    "BASE_MODEL_NOT_FOUND": errors.NotFound,
    "JOB_NOT_FOUND": errors.NotFound,
    "FILE_NOT_FOUND": errors.NotFound,
    "AUDIO_NOT_FOUND": errors.NotFound,
    "TABLE_ALREADY_EXISTS": errors.AlreadyExists,
    "MODEL_ALREADY_EXISTS": errors.AlreadyExists,
    "FILE_DAMAGED": errors.InvalidData,
    "PATH_OUTSIDE_WORKSPACE": errors.InvalidData,
    "UNSUPPORTED_FORMAT": errors.InvalidData,
    "INVALID_ENCODING": errors.InvalidData,
    "INVALID_DATA": errors.InvalidData,
    "AUDIO_UNREADABLE": errors.InvalidData,
    "AUDIO_EMPTY": errors.InvalidData,
    "AUDIO_TOO_SHORT": errors.InvalidData,
    "AUDIO_TOO_LONG": errors.InvalidData,
    "TEXT_EMPTY": errors.InvalidData,
    "TEXT_OUTSIDE_VOCABULARY": errors.InvalidData,
    "NO_USABLE_ROWS": errors.InvalidData,
    "BASE_MODEL_UNAVAILABLE": errors.InvalidModel,
    "INVALID_CHECKPOINT": errors.InvalidModel,
    "CHECKSUM_MISMATCH": errors.InvalidModel,
    "TRAINING_FAILED": errors.TrainingError,
    "TRAINING_DIVERGED": errors.TrainingError,
    "WORKER_LOST": errors.TrainingError,
    "INVALID_TOKEN": errors.AuthenticationError,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "INVALID_ARGUMENT": errors.InvalidArgument,
    "CONFLICT": errors.Conflict,
    "MODEL_IN_USE": errors.Conflict,
    "OVERLOADED": errors.Overloaded,
    "CANCELLED": errors.Cancelled,
    "DEADLINE_EXCEEDED": errors.DeadlineExceeded,
    "PEER_UNAVAILABLE": errors.Unavailable,
    "STORE_UNAVAILABLE": errors.Unavailable,
    "STORE_READ_ONLY": errors.Unavailable,
    "INTERNAL": errors.InternalError,
}

# What a status without a reason means: from a proxy, or from the gRPC library itself.
_BARE = {
    grpc.StatusCode.CANCELLED: "CANCELLED",
    grpc.StatusCode.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
    grpc.StatusCode.UNAVAILABLE: "PEER_UNAVAILABLE",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "OVERLOADED",
    grpc.StatusCode.UNAUTHENTICATED: "INVALID_TOKEN",
    grpc.StatusCode.PERMISSION_DENIED: "PERMISSION_DENIED",
    grpc.StatusCode.INVALID_ARGUMENT: "INVALID_ARGUMENT",
}


@contextmanager
def rpc_errors(address: str, text: str = "") -> Iterator[None]:
    """Raise a `ThanoSQLError` for every failed call made inside.

    Args:
        address: Where the server should be, for the message when it is not.
        text: The text sent, so that an error can be drawn.
    """
    try:
        yield
    except grpc.aio.AioRpcError as failure:
        raise _from_call(failure, address, text) from failure


def _from_call(failure: grpc.aio.AioRpcError, address: str, text: str) -> errors.ThanoSQLError:
    for key, value in failure.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value), text)
    reason = _BARE.get(failure.code(), "INTERNAL")
    message = failure.details() or failure.code().name
    if failure.code() is grpc.StatusCode.UNAVAILABLE:
        message = (
            f"no server answers at {address}; start one with `thanosql serve`, "
            f"or set THANOSQL_ADDRESS to where it is ({message})"
        )
    elif failure.code() is grpc.StatusCode.UNIMPLEMENTED:
        message = f"the server at {address} does not speak this version of the contract ({message})"
    return CLASSES[reason](reason=reason, message=message, text=text)


def from_status(status: status_pb2.Status, text: str = "") -> errors.ThanoSQLError:
    """The exception that a status carries; a reason of a newer server becomes `InternalError`."""
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    place = errors_pb2.StatementErrorDetail()
    for detail in status.details:
        for known in (info, retry, place):
            detail.Unpack(known)
    reason = info.reason.removeprefix(_PREFIX) if info.domain == _DOMAIN else _reason_of(status.code)
    return CLASSES.get(reason, errors.InternalError)(
        reason=reason,
        message=status.message,
        metadata=dict(info.metadata),
        text=text,
        span=to_span(place.span) if place.HasField("span") else None,
        expected=tuple(place.expected),
        suggestion=place.suggestion,
        known=tuple(place.known),
        retry_after_s=retry.retry_delay.ToMicroseconds() / 1e6 if retry.HasField("retry_delay") else None,
    )


def _reason_of(code: int) -> str:
    matching = [member for member in _BARE if member.value[0] == code]
    return _BARE[matching[0]] if matching else "INTERNAL"
