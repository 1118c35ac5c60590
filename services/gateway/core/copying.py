"""COPY: a file or folder of the workspace becomes a table."""

import pyarrow as pa

from services.gateway.core.copy_records import CopyProgress, CopyResult
from services.gateway.core.events import Progress
from services.gateway.core.places import place
from services.gateway.core.plan_changes import Copy
from services.gateway.core.run import Run, count_of
from thanosql_runtime.errors import Reason, Span, ThanosqlError, error

COLUMNS = pa.schema([("column", pa.string()), ("type", pa.string())])
# What is wrong with the table's name or its being there; all else is about the source.
_ABOUT_THE_TABLE = (Reason.TABLE_ALREADY_EXISTS, Reason.TABLE_NOT_FOUND, Reason.INVALID_NAME)


async def run_copy(run: Run, statement: Copy) -> None:
    """Copy, telling progress and the rows that could not be read; the answer is the table's columns."""
    result = await _copied(run, statement)
    for notice in result.notices:
        await run.notify(notice)
    await run.report(result.quarantined)
    run.outcome.row_errors += max(0, result.rows_quarantined - len(result.quarantined))
    run.outcome.rows_changed = result.rows_copied
    run.outcome.message = _summary(statement, result)
    columns = [{"column": name, "type": kind} for name, kind in result.table.columns]
    await run.answer_table(pa.Table.from_pylist(columns, schema=COLUMNS))


def _summary(statement: Copy, result: CopyResult) -> str:
    copied = f"{count_of(result.rows_copied, 'row')} copied into {statement.table.text}"
    left_out = count_of(result.rows_quarantined, "row")
    return f"{copied}, {left_out} left out: see {result.quarantine}" if result.rows_quarantined else copied


async def _copied(run: Run, statement: Copy) -> CopyResult:
    result: CopyResult | None = None
    try:
        async for part in run.peers.tables.copy(statement):
            if isinstance(part, CopyResult):
                result = part
            else:
                await run.emit(_progress(part))
    except ThanosqlError as failure:
        raise place(failure, copy_fault(failure, statement))  # noqa: B904 - the same error, placed
    if result is not None:
        return result
    raise error(Reason.INTERNAL, "the storage service ended a copy without its result")


def copy_fault(failure: ThanosqlError, statement: Copy) -> Span:
    """Where in the statement an error belongs."""
    return statement.table.span if failure.reason in _ABOUT_THE_TABLE else statement.source_span


def _progress(part: CopyProgress) -> Progress:
    return Progress(stage="copying", done=part.done, total=part.total or None, unit=part.unit)
