"""`ThanosqlError` to `google.rpc.Status` and back; the only place that knows both.

A status carries `ErrorInfo` (reason, domain, metadata), `RetryInfo` where a time to retry is
known, and `StatementErrorDetail` where the error has a place in a statement (AIP-193).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2

from thanosql.v1 import errors_pb2, types_pb2
from thanosql_runtime.errors import Reason, Span, StatementError, ThanosqlError, error
from thanosql_runtime.moments import duration, seconds_of

DOMAIN = "thanosql"
DETAILS_KEY = "grpc-status-details-bin"

_Code = grpc.StatusCode

CODES: dict[Reason, grpc.StatusCode] = {
    Reason.SYNTAX_ERROR: _Code.INVALID_ARGUMENT,
    Reason.UNKNOWN_OPTION: _Code.INVALID_ARGUMENT,
    Reason.INVALID_OPTION_VALUE: _Code.INVALID_ARGUMENT,
    Reason.DUPLICATE_OPTION: _Code.INVALID_ARGUMENT,
    Reason.MISSING_OPTION: _Code.INVALID_ARGUMENT,
    Reason.INVALID_NAME: _Code.INVALID_ARGUMENT,
    Reason.STATEMENT_TOO_LARGE: _Code.INVALID_ARGUMENT,
    Reason.NOT_AVAILABLE_YET: _Code.UNIMPLEMENTED,
    Reason.TABLE_NOT_FOUND: _Code.NOT_FOUND,
    Reason.TABLE_ALREADY_EXISTS: _Code.ALREADY_EXISTS,
    Reason.COLUMN_NOT_FOUND: _Code.INVALID_ARGUMENT,
    Reason.MODEL_NOT_FOUND: _Code.NOT_FOUND,
    Reason.MODEL_ALREADY_EXISTS: _Code.ALREADY_EXISTS,
    Reason.BASE_MODEL_NOT_FOUND: _Code.NOT_FOUND,
    Reason.BASE_MODEL_UNAVAILABLE: _Code.FAILED_PRECONDITION,
    Reason.JOB_NOT_FOUND: _Code.NOT_FOUND,
    Reason.FILE_NOT_FOUND: _Code.NOT_FOUND,
    Reason.FILE_DAMAGED: _Code.DATA_LOSS,
    Reason.PATH_OUTSIDE_WORKSPACE: _Code.INVALID_ARGUMENT,
    Reason.UNSUPPORTED_FORMAT: _Code.INVALID_ARGUMENT,
    Reason.INVALID_ENCODING: _Code.INVALID_ARGUMENT,
    Reason.INVALID_DATA: _Code.INVALID_ARGUMENT,
    Reason.QUERY_REJECTED: _Code.INVALID_ARGUMENT,
    Reason.QUERY_FAILED: _Code.INVALID_ARGUMENT,
    Reason.QUERY_TOO_LARGE: _Code.RESOURCE_EXHAUSTED,
    Reason.AUDIO_NOT_FOUND: _Code.NOT_FOUND,
    Reason.AUDIO_UNREADABLE: _Code.INVALID_ARGUMENT,
    Reason.AUDIO_EMPTY: _Code.INVALID_ARGUMENT,
    Reason.AUDIO_TOO_SHORT: _Code.INVALID_ARGUMENT,
    Reason.AUDIO_TOO_LONG: _Code.INVALID_ARGUMENT,
    Reason.TEXT_EMPTY: _Code.INVALID_ARGUMENT,
    Reason.TEXT_OUTSIDE_VOCABULARY: _Code.INVALID_ARGUMENT,
    Reason.NO_USABLE_ROWS: _Code.FAILED_PRECONDITION,
    Reason.TRAINING_FAILED: _Code.ABORTED,
    Reason.TRAINING_DIVERGED: _Code.ABORTED,
    Reason.WORKER_LOST: _Code.ABORTED,
    Reason.INVALID_CHECKPOINT: _Code.FAILED_PRECONDITION,
    Reason.CHECKSUM_MISMATCH: _Code.DATA_LOSS,
    Reason.MODEL_IN_USE: _Code.FAILED_PRECONDITION,
    Reason.INVALID_TOKEN: _Code.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: _Code.PERMISSION_DENIED,
    Reason.INVALID_ARGUMENT: _Code.INVALID_ARGUMENT,
    Reason.CONFLICT: _Code.ABORTED,
    Reason.OVERLOADED: _Code.RESOURCE_EXHAUSTED,
    Reason.CANCELLED: _Code.CANCELLED,
    Reason.DEADLINE_EXCEEDED: _Code.DEADLINE_EXCEEDED,
    Reason.PEER_UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.STORE_UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.STORE_READ_ONLY: _Code.FAILED_PRECONDITION,
    Reason.INTERNAL: _Code.INTERNAL,
}

# What a bare status (no ErrorInfo) means: from a proxy, from the gRPC library itself.
_BARE: dict[grpc.StatusCode, Reason] = {
    _Code.CANCELLED: Reason.CANCELLED,
    _Code.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    _Code.UNAVAILABLE: Reason.PEER_UNAVAILABLE,
    _Code.RESOURCE_EXHAUSTED: Reason.OVERLOADED,
    _Code.UNAUTHENTICATED: Reason.INVALID_TOKEN,
    _Code.PERMISSION_DENIED: Reason.PERMISSION_DENIED,
    _Code.INVALID_ARGUMENT: Reason.INVALID_ARGUMENT,
}


def to_status(failure: ThanosqlError) -> status_pb2.Status:
    """The status that carries `failure` with all its details."""
    info = error_details_pb2.ErrorInfo(
        reason=failure.reason.value, domain=DOMAIN, metadata=dict(failure.metadata)
    )
    details = [_packed(info)]
    if failure.retry_delay_s is not None:
        delay = duration(failure.retry_delay_s)
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    if failure.statement is not None:
        details.append(_packed(_statement_detail(failure.statement)))
    code = CODES[failure.reason].value[0]
    return status_pb2.Status(code=code, message=failure.message, details=details)


def from_status(status: status_pb2.Status) -> ThanosqlError:
    """The error that `status` carries; a bare status gets the nearest reason."""
    failure = ThanosqlError(reason=_reason_of_code(status.code), message=status.message)
    for detail in status.details:
        _read_detail(detail, failure)
    return failure


def from_rpc_error(rpc_error: grpc.aio.AioRpcError, peer: str) -> ThanosqlError:
    """The error behind a failed call to `peer`."""
    for key, value in rpc_error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    reason = _BARE.get(rpc_error.code(), Reason.INTERNAL)
    text = rpc_error.details() or rpc_error.code().name
    if reason is Reason.PEER_UNAVAILABLE:
        text = f"the {peer} service does not answer; check that it runs, then try again ({text})"
    return error(reason, text, peer=peer)


@contextmanager
def peer_errors(peer: str) -> Iterator[None]:
    """Raise `ThanosqlError` for every failed call to `peer` made inside."""
    try:
        yield
    except grpc.aio.AioRpcError as rpc_error:
        raise from_rpc_error(rpc_error, peer) from rpc_error


def _packed(
    message: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo | errors_pb2.StatementErrorDetail,
) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _statement_detail(statement: StatementError) -> errors_pb2.StatementErrorDetail:
    span = statement.span
    return errors_pb2.StatementErrorDetail(
        span=types_pb2.SourceSpan(start=span.start, end=span.end, line=span.line, column=span.column),
        expected=statement.expected,
        suggestion=statement.suggestion,
        known=statement.known,
    )


def _reason_of_code(code: int) -> Reason:
    matching = [member for member in grpc.StatusCode if member.value[0] == code]
    return _BARE.get(matching[0], Reason.INTERNAL) if matching else Reason.INTERNAL


def _read_detail(detail: AnyMessage, failure: ThanosqlError) -> None:
    info = error_details_pb2.ErrorInfo()
    retry = error_details_pb2.RetryInfo()
    place = errors_pb2.StatementErrorDetail()
    if detail.Unpack(info) and info.domain == DOMAIN and info.reason in Reason.__members__:
        failure.reason = Reason[info.reason]
        failure.metadata = dict(info.metadata)
    elif detail.Unpack(retry):
        failure.retry_delay_s = seconds_of(retry.retry_delay)
    elif detail.Unpack(place):
        failure.statement = _read_statement(place)


def _read_statement(place: errors_pb2.StatementErrorDetail) -> StatementError:
    span = place.span
    return StatementError(
        span=Span(start=span.start, end=span.end, line=span.line, column=span.column),
        expected=tuple(place.expected),
        suggestion=place.suggestion,
        known=tuple(place.known),
    )
