"""COPY and what it would do: between messages and the words of the core."""

from collections.abc import Iterable

from services.storage.convert import columns, to_table
from services.storage.core.copying.audio_columns import AUDIO_PATH
from services.storage.core.copying.command import CopyRequest
from services.storage.core.types import CopyExplanation, CopyOutcome, CopyProgress, IfExists, RowProblem
from thanosql.v1 import parser_pb2, storage_pb2, types_pb2
from thanosql_runtime.errors import Reason, error

_IF_EXISTS = {
    parser_pb2.IF_EXISTS_UNSPECIFIED: IfExists.FAIL,
    parser_pb2.IF_EXISTS_FAIL: IfExists.FAIL,
    parser_pb2.IF_EXISTS_REPLACE: IfExists.REPLACE,
    parser_pb2.IF_EXISTS_APPEND: IfExists.APPEND,
}


def from_copy_request(request: storage_pb2.CopyTableRequest | storage_pb2.ExplainCopyRequest) -> CopyRequest:
    """What is copied where."""
    if_exists = _IF_EXISTS.get(request.if_exists)
    if if_exists is None:
        raise error(Reason.INVALID_ARGUMENT, f"if_exists {request.if_exists} is unknown")
    return CopyRequest(
        table=request.table,
        source=request.source,
        if_exists=if_exists,
        store_audio=request.store_audio,
        audio_col=request.audio_col or AUDIO_PATH,
    )


def to_copy_progress(progress: CopyProgress) -> storage_pb2.CopyTableResponse:
    """How far a copy is."""
    part = storage_pb2.CopyProgress(
        rows=progress.rows, done=progress.done, total=progress.total, unit=progress.unit
    )
    return storage_pb2.CopyTableResponse(progress=part)


def to_copy_result(outcome: CopyOutcome) -> storage_pb2.CopyTableResponse:
    """What a copy made."""
    result = storage_pb2.CopyResult(
        table=to_table(outcome.table),
        rows_copied=outcome.rows_copied,
        rows_quarantined=outcome.rows_quarantined,
        quarantined=_row_errors(outcome.quarantined),
        quarantine=outcome.table.quarantine if outcome.rows_quarantined else "",
        notices=[types_pb2.Notice(message=notice) for notice in outcome.notices],
    )
    return storage_pb2.CopyTableResponse(result=result)


def to_copy_explanation(explanation: CopyExplanation) -> storage_pb2.ExplainCopyResponse:
    """What a copy would do."""
    return storage_pb2.ExplainCopyResponse(
        format=explanation.format,
        files=explanation.files,
        size_bytes=explanation.size_bytes,
        is_final=explanation.is_final,
        columns=columns(explanation.columns),
        rows_read=explanation.rows_read,
        rows_quarantined=explanation.rows_quarantined,
        quarantined=_row_errors(explanation.quarantined),
        notices=[types_pb2.Notice(message=notice) for notice in explanation.notices],
        audio_files=explanation.audio_files,
        audio_bytes=explanation.audio_bytes,
    )


def _row_errors(problems: Iterable[RowProblem]) -> list[types_pb2.RowError]:
    return [
        types_pb2.RowError(row=row.row, subject=row.subject, reason=row.reason.value, message=row.message)
        for row in problems
    ]
