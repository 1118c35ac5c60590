"""Which commit a received write becomes."""

from services.storage.core.cancelling import Cancellation
from services.storage.core.names import fold
from services.storage.core.tables.rows import Rows
from services.storage.core.types import TableInfo
from services.storage.parts import Parts
from services.storage.streams import ReceivedRows
from thanosql.v1 import storage_pb2
from thanosql_runtime.errors import Reason, error


def commit_rows(parts: Parts, received: ReceivedRows, cancellation: Cancellation) -> TableInfo:
    """Commit the rows in the way that their start asks for, unless somebody asks to stop before."""
    start = received.start
    rows = Rows(received.spool.schema, cancellation.heeded(received.spool.batches()))
    match start.mode:
        case storage_pb2.WRITE_MODE_CREATE:
            parts.quarantines.make_way(start.table)
            return parts.tables.create(start.table, rows)
        case storage_pb2.WRITE_MODE_REPLACE:
            parts.quarantines.make_way(start.table)
            return parts.tables.replace(start.table, rows)
        case storage_pb2.WRITE_MODE_APPEND:
            return _append(parts, start, rows)
        case storage_pb2.WRITE_MODE_SNAPSHOT:
            return parts.snapshots.replace(start.table, rows)
        case _:
            raise error(Reason.INVALID_ARGUMENT, f"write mode {start.mode} is unknown")


def _append(parts: Parts, start: storage_pb2.WriteStart, rows: Rows) -> TableInfo:
    with parts.tables.writing(fold(start.table)):
        if start.chosen_by_version:
            parts.history.require_rows_of(start.table, start.chosen_by_version)
        columns = tuple(start.columns) or _positional(parts, start.table, rows)
        return parts.tables.append(start.table, rows, columns)


def _positional(parts: Parts, table: str, rows: Rows) -> tuple[str, ...]:
    """Name all columns, as an INSERT without names means them."""
    names = parts.tables.dataset(table).schema.names
    if len(rows.schema.names) != len(names):
        message = f"table {table!r} has {len(names)} columns, but the rows have {len(rows.schema.names)}"
        raise error(Reason.INVALID_DATA, message, table=table)
    return tuple(names)
