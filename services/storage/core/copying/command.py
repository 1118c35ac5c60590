"""COPY: a file, a folder or a JSON text becomes a table, in one commit."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from services.storage.core.copying.audio_columns import AUDIO_PATH, AudioReading
from services.storage.core.copying.fitting import Fit, fit
from services.storage.core.copying.folders import read_folder
from services.storage.core.copying.formats import reader_of
from services.storage.core.copying.json_files import read_json_text
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.sources import is_json_text, require_source, source_name
from services.storage.core.copying.storing import AudioRows
from services.storage.core.keeping.headers import look_at
from services.storage.core.keeping.recordings import KeptRecordings, Stored
from services.storage.core.names import checked, column_not_found, fold
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import CopyMark, CopyOutcome, CopyProgress, IfExists, Operation, TableInfo
from thanosql_objects.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class CopyRequest:
    """What is copied where.

    Attributes:
        table: The table that is made or added to.
        source: Path in the workspace, or a JSON array of records.
        if_exists: What happens to a table that exists.
        store_audio: Whether recordings are taken into keeping.
        audio_col: The column of a file that names them; those of a folder stand in `audio_path`.
    """

    table: str
    source: str
    if_exists: IfExists = IfExists.FAIL
    store_audio: bool = False
    audio_col: str = AUDIO_PATH


class CopyCommand:
    """Makes tables from what lies in the workspace, and their quarantines."""

    def __init__(
        self, tables: Tables, quarantines: Quarantines, workspace: Workspace, recordings: KeptRecordings
    ) -> None:
        self._tables = tables
        self._quarantines = quarantines
        self._workspace = workspace
        self._recordings = recordings

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
        if not request.store_audio:
            return self._run(name, request, AudioReading(look=partial(look_at, self._workspace)), progress)
        # Nothing that it takes into keeping is removed before its commit.
        with self._recordings.copying() as stored:
            look = partial(self._recordings.take, stored=stored)
            reading = AudioReading(look=look, keeps=True, stop=stored.stop)
            outcome = self._run(name, request, reading, progress)
        return replace(outcome, notices=(*outcome.notices, _kept(stored)))

    def _run(
        self,
        name: str,
        request: CopyRequest,
        reading: AudioReading,
        progress: Callable[[CopyProgress], None],
    ) -> CopyOutcome:
        with CopyReport(progress) as report, self._read(request, reading, report) as read:
            rows, remarks = read
            with self._tables.writing(fold(name)):
                table, notices = self._commit(name, report.heard(rows), request, report)
            return CopyOutcome(
                table=table,
                rows_copied=rows.row_count,
                rows_quarantined=report.rows_quarantined,
                quarantined=report.quarantined,
                notices=(*notices, *remarks),
            )

    def _commit(
        self, name: str, rows: Rows, request: CopyRequest, report: CopyReport
    ) -> tuple[TableInfo, tuple[str, ...]]:
        notices: tuple[str, ...] = ()
        write: Callable[[CopyMark], TableInfo] = partial(self._tables.create, name, rows, Operation.COPY)
        adds = request.if_exists is IfExists.APPEND and self._tables.exists(name)
        if request.if_exists is IfExists.REPLACE:
            write = partial(self._tables.replace, name, rows, Operation.COPY)
        if adds:
            held = self._tables.dataset(name)
            plan = fit(rows.schema, held.schema, table=fold(name), source=source_name(request.source))
            write, notices = partial(self._add, name, rows, plan, held), plan.notices
        table = self._quarantines.commit(name, report.left_out(), write, keep=adds)
        return table, notices

    def _add(
        self, name: str, rows: Rows, plan: Fit, held: Any, copy: CopyMark
    ) -> TableInfo:  # Any: lance's dataset
        if not plan.is_wider:
            return self._tables.append(name, plan.appended(rows), (), Operation.COPY, copy)
        wider = plan.rewritten(held.to_batches(), rows)
        return self._tables.replace_version(name, held, wider, Operation.COPY, copy)

    @contextlib.contextmanager
    def _read(
        self, request: CopyRequest, reading: AudioReading, report: CopyReport
    ) -> Iterator[tuple[Rows, tuple[str, ...]]]:
        """Give the rows, and what the user should know of them."""
        source = request.source
        with contextlib.ExitStack() as stack:
            if not is_json_text(source) and require_source(self._workspace, source):
                require_folder_column(request)
                yield stack.enter_context(read_folder(self._workspace, source, report, reading)), ()
                return
            text = is_json_text(source)
            opened = read_json_text(source, report) if text else self._read_file(source, report)
            rows = stack.enter_context(opened)
            if not reading.keeps:
                yield rows, ()
                return
            audio = AudioRows(source=source_name(source), column=request.audio_col, reading=reading)
            yield stack.enter_context(audio.read(rows, report)), audio.notices(rows.schema)

    @contextlib.contextmanager
    def _read_file(self, source: str, report: CopyReport) -> Iterator[Rows]:
        read = reader_of(source)
        with self._workspace.local_copy(source) as path, read(path, source, report) as rows:
            yield rows


def require_folder_column(request: CopyRequest) -> None:
    """Refuse another column for the recordings of a folder.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND.
    """
    if request.store_audio and fold(request.audio_col) != AUDIO_PATH:
        raise column_not_found(request.audio_col, (AUDIO_PATH,))


def _kept(stored: Stored) -> str:
    # Several rows may name one recording.
    name = "1 row names a recording" if stored.rows == 1 else f"{stored.rows} rows name recordings"
    was = "was" if stored.added == 1 else "were"
    return f"{name} kept by content: {stored.added} {was} stored now, {stored.added_bytes} bytes"
