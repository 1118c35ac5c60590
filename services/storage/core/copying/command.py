"""COPY: a file, a folder or a JSON text becomes a table, in one commit."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from services.storage.core.copying.delimited import read_delimited
from services.storage.core.copying.documents import (
    read_excel,
    read_json,
    read_json_lines,
    read_json_text,
    read_parquet,
)
from services.storage.core.copying.folders import read_folder
from services.storage.core.copying.report import CopyReport
from services.storage.core.names import checked, fold
from services.storage.core.rows import Rows
from services.storage.core.tables import Tables
from services.storage.core.types import CopyOutcome, CopyProgress, IfExists, Operation, TableInfo
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, error

_FORMATS = ".csv, .tsv, .json, .jsonl, .parquet, .xlsx, .xls, or a folder of audio"


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
    """Makes tables from what lies in the workspace."""

    def __init__(self, tables: Tables, workspace: Workspace) -> None:
        self._tables = tables
        self._workspace = workspace

    def run(self, request: CopyRequest, progress: Callable[[CopyProgress], None]) -> CopyOutcome:
        """Copy; rows that cannot be read are counted and left out.

        Args:
            request: What is copied where.
            progress: Called from this thread; what it raises stops the copy and changes nothing.

        Raises:
            ThanosqlError: TABLE_ALREADY_EXISTS, FILE_NOT_FOUND, PATH_OUTSIDE_WORKSPACE,
                UNSUPPORTED_FORMAT, INVALID_ENCODING, INVALID_DATA, STORE_UNAVAILABLE.
        """
        name = checked(request.table)
        if request.if_exists is IfExists.FAIL:
            self._tables.require_absent(name)
        report = CopyReport(progress)
        with self._read(request.source, report) as rows:
            table = self._commit(name, report.heard(rows), request.if_exists)
            return CopyOutcome(
                table=table,
                rows_copied=rows.row_count,
                rows_quarantined=report.rows_quarantined,
                quarantined=report.quarantined,
            )

    def _commit(self, name: str, rows: Rows, if_exists: IfExists) -> TableInfo:
        with self._tables.writing(fold(name)):
            if if_exists is IfExists.REPLACE:
                return self._tables.replace(name, rows, Operation.COPY)
            if if_exists is IfExists.APPEND and self._tables.exists(name):
                return self._tables.append(name, rows, operation=Operation.COPY)
            return self._tables.create(name, rows, Operation.COPY)

    @contextlib.contextmanager
    def _read(self, source: str, report: CopyReport) -> Iterator[Rows]:
        if source.lstrip().startswith("["):
            with read_json_text(source, report) as rows:
                yield rows
        elif self._workspace.exists(source):
            with self._read_file(source, report) as rows:
                yield rows
        elif self._workspace.is_folder(source):
            yield read_folder(self._workspace, source, report)
        else:
            self._workspace.stat(source)  # Says what the nearest file is.

    @contextlib.contextmanager
    def _read_file(self, source: str, report: CopyReport) -> Iterator[Rows]:
        kind = PurePosixPath(source).suffix.lower()
        with contextlib.ExitStack() as stack:
            readers: dict[str, Callable[[], contextlib.AbstractContextManager[Rows]]] = {
                ".csv": lambda: read_delimited(path, source, ",", report),
                ".tsv": lambda: read_delimited(path, source, "\t", report),
                ".json": lambda: read_json(path, source, report),
                ".jsonl": lambda: read_json_lines(path, source, report),
                ".ndjson": lambda: read_json_lines(path, source, report),
                ".parquet": lambda: read_parquet(path, source, report),
                ".xlsx": lambda: read_excel(path, source, report),
                ".xls": lambda: read_excel(path, source, report),
            }
            if kind not in readers:
                message = f"{source!r} is not a format that COPY reads: {_FORMATS}"
                raise error(Reason.UNSUPPORTED_FORMAT, message, path=source)
            path = stack.enter_context(self._workspace.local_copy(source))
            yield stack.enter_context(readers[kind]())
