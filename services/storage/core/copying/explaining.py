"""What a COPY would do, from the start of its source: nothing is changed, and a large source is not read."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import pyarrow as pa

from services.storage.core.copying.audio_columns import AudioReading
from services.storage.core.copying.command import CopyRequest, require_folder_column
from services.storage.core.copying.fitting import fit
from services.storage.core.copying.folders import FolderOfAudio
from services.storage.core.copying.formats import format_of
from services.storage.core.copying.json_files import read_json_text
from services.storage.core.copying.listing import Listing, list_recordings
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.sampling import read_sample
from services.storage.core.copying.sources import JSON_TEXT, is_json_text, require_source, source_name
from services.storage.core.copying.storing import AudioRows
from services.storage.core.keeping.headers import look_at
from services.storage.core.names import checked, fold
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import (
    ColumnInfo,
    CopyExplanation,
    CopyProgress,
    IfExists,
    Operation,
    Recording,
)
from thanosql_objects.workspace import Workspace

_FILES_LISTED = 10_000
_FILES_READ = 100


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What was seen of a source."""

    rows: Rows
    format: str
    is_final: bool
    files: int = 1
    size_bytes: int = 0
    audio_files: int = 0
    audio_bytes: int = 0
    remarks: tuple[str, ...] = ()


class CopyExplainer:
    """Says what a copy would do, or raises what it would raise."""

    def __init__(self, tables: Tables, quarantines: Quarantines, workspace: Workspace) -> None:
        self._tables = tables
        self._quarantines = quarantines
        self._workspace = workspace

    def run(self, request: CopyRequest) -> CopyExplanation:
        """Look at the source and at the table.

        Raises:
            ThanosqlError: What `CopyCommand.run` raises, as far as the start of the source shows it.
        """
        name = checked(request.table)
        if request.if_exists is IfExists.FAIL:
            self._tables.require_absent(name, Operation.COPY)
        with CopyReport(_tell_nobody) as report, self._look(request, report) as look:
            notices = self._fitted(name, request, look.rows)
            if report.rows_quarantined:
                self._quarantines.require_free(name)
            return CopyExplanation(
                format=look.format,
                files=look.files,
                size_bytes=look.size_bytes,
                is_final=look.is_final,
                columns=tuple(ColumnInfo(name=f.name, type=str(f.type)) for f in look.rows.schema),
                rows_read=look.rows.row_count,
                rows_quarantined=report.rows_quarantined,
                quarantined=report.quarantined,
                notices=(*notices, *look.remarks),
                audio_files=look.audio_files,
                audio_bytes=look.audio_bytes,
            )

    def _fitted(self, name: str, request: CopyRequest, rows: Rows) -> tuple[str, ...]:
        """Make of the rows what the table would take, and say how its columns would change."""
        fitting, notices = rows, tuple[str, ...]()
        held = self._tables.found(name) if request.if_exists is IfExists.APPEND else None
        if held is None:
            rows.check_names()
        else:
            plan = fit(rows.schema, held.schema, table=fold(name), source=source_name(request.source))
            fitting, notices = plan.appended(rows), plan.foretold
        with fitting.guarded(), rows.guarded():
            for _ in fitting.reader():
                pass
        return notices

    @contextlib.contextmanager
    def _look(self, request: CopyRequest, report: CopyReport) -> Iterator[_Look]:
        source = request.source
        if not is_json_text(source) and require_source(self._workspace, source):
            require_folder_column(request)
            with self._folder(request, report) as look:
                yield look
            return
        with self._records(source, report) as look:
            if not request.store_audio:
                yield look
                return
            with self._with_audio(look, request, report) as seen:
                yield seen

    @contextlib.contextmanager
    def _records(self, source: str, report: CopyReport) -> Iterator[_Look]:
        if is_json_text(source):
            with read_json_text(source, report) as rows:
                yield _Look(
                    rows=rows, format=JSON_TEXT, is_final=True, files=0, size_bytes=len(source.encode())
                )
        else:
            with read_sample(self._workspace, source, report) as sample:
                yield _Look(
                    rows=sample.rows,
                    format=format_of(source),
                    is_final=sample.is_final,
                    size_bytes=self._workspace.stat(source).size_bytes,
                )

    @contextlib.contextmanager
    def _with_audio(self, look: _Look, request: CopyRequest, report: CopyReport) -> Iterator[_Look]:
        """Look at the recordings of the first rows, where they lie."""
        sizes: dict[str, int] = {}

        def look_at_one(path: str) -> Recording:
            recording = replace(
                look_at(self._workspace, path), size_bytes=self._workspace.stat(path).size_bytes
            )
            sizes[path] = recording.size_bytes
            return recording

        reading = AudioReading(look=look_at_one, keeps=True)
        audio = AudioRows(source=source_name(request.source), column=request.audio_col, reading=reading)
        head = _Head(look.rows, _FILES_READ)
        with audio.read(head.rows, report, lambda: look.is_final and head.is_whole) as rows:
            yield replace(
                look,
                rows=rows,
                is_final=look.is_final and head.is_whole,
                audio_files=len(sizes),
                audio_bytes=sum(sizes.values()),
                remarks=audio.notices(look.rows.schema),
            )

    @contextlib.contextmanager
    def _folder(self, request: CopyRequest, report: CopyReport) -> Iterator[_Look]:
        reading = AudioReading(look=partial(look_at, self._workspace), keeps=request.store_audio)
        with Listing() as listing:
            is_whole = list_recordings(self._workspace, request.source, listing, report, most=_FILES_LISTED)
            folder = FolderOfAudio(
                workspace=self._workspace, folder=request.source, listing=listing, reading=reading
            )
            look = _Look(
                rows=Rows(folder.schema, ()),
                format="LibriSpeech tree" if listing.transcripts else "folder of audio",
                is_final=is_whole,
                files=listing.recordings + listing.transcripts,
                size_bytes=listing.size_bytes,
                audio_files=listing.recordings if request.store_audio else 0,
                audio_bytes=listing.audio_bytes if request.store_audio else 0,
            )
            if not is_whole or look.files > _FILES_READ:
                yield look
                return
            with folder.read(report) as rows:
                yield replace(look, rows=rows)


class _Head:
    """The first rows, and whether there are no others."""

    def __init__(self, rows: Rows, most: int) -> None:
        self.is_whole = True
        self.rows = Rows(rows.schema, self._batches(rows, most), places=rows.places)

    def _batches(self, rows: Rows, left: int) -> Iterator[pa.RecordBatch]:
        for batch in rows.reader():
            if batch.num_rows > left:
                self.is_whole = False
            if left:
                yield batch.slice(0, left)
            left -= min(left, batch.num_rows)
            if not self.is_whole:
                return


def _tell_nobody(_progress: CopyProgress) -> None:
    """A look takes no time worth telling of."""
