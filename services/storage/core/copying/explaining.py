"""What a COPY would do, from the start of its source: nothing is changed, and a large source is not read."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from services.storage.core.copying.command import CopyRequest
from services.storage.core.copying.fitting import fit
from services.storage.core.copying.folders import columns_of, read_listed
from services.storage.core.copying.formats import format_of
from services.storage.core.copying.json_files import read_json_text
from services.storage.core.copying.listing import Listing, list_recordings
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.sampling import read_sample
from services.storage.core.copying.sources import JSON_TEXT, is_json_text, require_source, source_name
from services.storage.core.names import checked, fold
from services.storage.core.quarantines import Quarantines
from services.storage.core.rows import Rows
from services.storage.core.tables import Tables
from services.storage.core.types import ColumnInfo, CopyExplanation, CopyProgress, IfExists, Operation
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
        with CopyReport(_tell_nobody) as report, self._look(request.source, report) as look:
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
                notices=notices,
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
    def _look(self, source: str, report: CopyReport) -> Iterator[_Look]:
        if is_json_text(source):
            with read_json_text(source, report) as rows:
                yield _Look(
                    rows=rows, format=JSON_TEXT, is_final=True, files=0, size_bytes=len(source.encode())
                )
        elif require_source(self._workspace, source):
            with self._folder(source, report) as look:
                yield look
        else:
            with read_sample(self._workspace, source, report) as sample:
                size_bytes = self._workspace.stat(source).size_bytes
                yield _Look(
                    rows=sample.rows,
                    format=format_of(source),
                    is_final=sample.is_final,
                    size_bytes=size_bytes,
                )

    @contextlib.contextmanager
    def _folder(self, source: str, report: CopyReport) -> Iterator[_Look]:
        with Listing() as listing:
            is_whole = list_recordings(self._workspace, source, listing, report, most=_FILES_LISTED)
            files = listing.recordings + listing.transcripts
            look = _Look(
                rows=Rows(columns_of(listing), ()),
                format="LibriSpeech tree" if listing.transcripts else "folder of audio",
                is_final=is_whole,
                files=files,
                size_bytes=listing.size_bytes,
            )
            if not is_whole or files > _FILES_READ:
                yield look
                return
            with read_listed(self._workspace, source, listing, report) as rows:
                yield replace(look, rows=rows)


def _tell_nobody(_progress: CopyProgress) -> None:
    """A look takes no time worth telling of."""
