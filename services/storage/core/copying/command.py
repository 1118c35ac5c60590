"""COPY: a file, a folder or a JSON text becomes a table, in one commit."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.storage.core.copying.fitting import Fit, fit
from services.storage.core.copying.folders import read_folder
from services.storage.core.copying.formats import reader_of
from services.storage.core.copying.json_files import read_json_text
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.sources import is_json_text, require_source, source_name
from services.storage.core.names import checked, fold
from services.storage.core.quarantines import Quarantines
from services.storage.core.rows import Rows
from services.storage.core.tables import Tables
from services.storage.core.types import CopyOutcome, CopyProgress, IfExists, Operation, TableInfo
from thanosql_objects.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class CopyRequest:
    """What is copied where.

    Attributes:
        table: The table that is made or added to.
        source: Path in the workspace, or a JSON array of records.
        if_exists: What happens to a table that exists.
    """

    table: str
    source: str
    if_exists: IfExists = IfExists.FAIL


class CopyCommand:
    """Makes tables from what lies in the workspace, and their quarantines."""

    def __init__(self, tables: Tables, quarantines: Quarantines, workspace: Workspace) -> None:
        self._tables = tables
        self._quarantines = quarantines
        self._workspace = workspace

    def run(self, request: CopyRequest, progress: Callable[[CopyProgress], None]) -> CopyOutcome:
        """Copy; rows that cannot be read are left out, and kept in the table's quarantine.

        Args:
            request: What is copied where.
            progress: Called from this thread; what it raises stops the copy and changes nothing.

        Raises:
            ThanosqlError: TABLE_ALREADY_EXISTS, COLUMN_NOT_FOUND, FILE_NOT_FOUND, PATH_OUTSIDE_WORKSPACE,
                UNSUPPORTED_FORMAT, INVALID_ENCODING, INVALID_DATA, STORE_UNAVAILABLE, CONFLICT when
                another process changes a table meanwhile whose rows are written anew with wider types.
        """
        name = checked(request.table)
        if request.if_exists is IfExists.FAIL:
            self._tables.require_absent(name, Operation.COPY)
        with CopyReport(progress) as report, self._read(request.source, report) as rows:
            with self._tables.writing(fold(name)):
                table, notices = self._commit(name, report.heard(rows), request, report)
            return CopyOutcome(
                table=table,
                rows_copied=rows.row_count,
                rows_quarantined=report.rows_quarantined,
                quarantined=report.quarantined,
                notices=notices,
            )

    def _commit(
        self, name: str, rows: Rows, request: CopyRequest, report: CopyReport
    ) -> tuple[TableInfo, tuple[str, ...]]:
        notices: tuple[str, ...] = ()
        write = partial(self._tables.create, name, rows, Operation.COPY)
        adds = request.if_exists is IfExists.APPEND and self._tables.exists(name)
        if request.if_exists is IfExists.REPLACE:
            write = partial(self._tables.replace, name, rows, Operation.COPY)
        if adds:
            held = self._tables.dataset(name)
            plan = fit(rows.schema, held.schema, table=fold(name), source=source_name(request.source))
            write, notices = partial(self._add, name, rows, plan, held), plan.notices
        table = self._quarantines.commit(name, report.left_out(), write, keep=adds)
        return table, notices

    def _add(self, name: str, rows: Rows, plan: Fit, held: Any) -> TableInfo:  # Any: lance's dataset
        if not plan.is_wider:
            return self._tables.append(name, plan.appended(rows), operation=Operation.COPY)
        wider = plan.rewritten(held.to_batches(), rows)
        return self._tables.replace_version(name, held, wider, Operation.COPY)

    @contextlib.contextmanager
    def _read(self, source: str, report: CopyReport) -> Iterator[Rows]:
        with contextlib.ExitStack() as stack:
            if is_json_text(source):
                reading = read_json_text(source, report)
            elif require_source(self._workspace, source):
                reading = read_folder(self._workspace, source, report)
            else:
                reading = self._read_file(source, report)
            yield stack.enter_context(reading)

    @contextlib.contextmanager
    def _read_file(self, source: str, report: CopyReport) -> Iterator[Rows]:
        read = reader_of(source)
        with self._workspace.local_copy(source) as path, read(path, source, report) as rows:
            yield rows
