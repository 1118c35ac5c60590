"""COPY and what it would do: messages of storage to what core knows."""

from services.gateway.convert import row_errors, table
from services.gateway.core.copy_records import CopyExplanation, CopyProgress, CopyResult
from thanosql.v1 import storage_pb2


def copy_part(message: storage_pb2.CopyTableResponse) -> CopyProgress | CopyResult:
    """Part of a copy's answer."""
    if message.HasField("progress"):
        part = message.progress
        return CopyProgress(rows=part.rows, done=part.done, total=part.total, unit=part.unit or "bytes")
    result = message.result
    return CopyResult(
        table=table(result.table),
        rows_copied=result.rows_copied,
        rows_quarantined=result.rows_quarantined,
        quarantined=row_errors(result.quarantined),
        quarantine=result.quarantine,
        notices=[notice.message for notice in result.notices],
    )


def copy_explanation(message: storage_pb2.ExplainCopyResponse) -> CopyExplanation:
    """What a copy would do."""
    return CopyExplanation(
        format=message.format,
        files=message.files,
        size_bytes=message.size_bytes,
        is_final=message.is_final,
        columns=[(column.name, column.type) for column in message.columns],
        rows_read=message.rows_read,
        rows_quarantined=message.rows_quarantined,
        quarantined=row_errors(message.quarantined),
        notices=[notice.message for notice in message.notices],
        audio_files=message.audio_files,
        audio_bytes=message.audio_bytes,
    )
