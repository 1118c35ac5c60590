"""Folders of recordings: any folder of audio, and a LibriSpeech tree with its transcripts.

The listing and the rows are kept in files: memory follows the largest folder, not the tree.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from services.storage.core.copying.audio_columns import AudioReading
from services.storage.core.copying.listing import Listing, list_recordings
from services.storage.core.copying.probing import looked
from services.storage.core.copying.records import RecordSpool
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.transcripts import Utterance, read_utterances
from services.storage.core.tables.rows import Rows
from services.storage.core.types import RowProblem
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import ThanosqlError

_AUDIO = pa.schema(
    {
        "audio_path": pa.string(),
        "duration": pa.float64(),
        "sample_rate": pa.int64(),
        "channels": pa.int64(),
        "file_size": pa.int64(),
    }
)
_LIBRISPEECH = pa.schema(
    {
        "audio_path": pa.string(),
        "text": pa.string(),
        "speaker_id": pa.string(),
        "chapter_id": pa.string(),
        "duration": pa.float64(),
    }
)
_Record = dict[str, object]


@contextlib.contextmanager
def read_folder(
    workspace: Workspace, folder: str, report: CopyReport, reading: AudioReading
) -> Iterator[Rows]:
    """Give one row for each recording under a folder; those that cannot be read go to quarantine.

    Raises:
        ThanosqlError: INVALID_DATA for a folder without a recording, INVALID_ENCODING for a transcript.
    """
    with Listing() as listing:
        list_recordings(workspace, folder, listing, report)
        files = FolderOfAudio(workspace=workspace, folder=folder, listing=listing, reading=reading)
        with files.read(report) as rows:
            yield rows


@dataclass(frozen=True, kw_only=True)
class FolderOfAudio:
    """A folder that was listed, and how its recordings are read."""

    workspace: Workspace
    folder: str
    listing: Listing
    reading: AudioReading

    @property
    def schema(self) -> pa.Schema:
        """The columns that the files become."""
        return self.reading.schema(_LIBRISPEECH if self.listing.transcripts else _AUDIO)

    @contextlib.contextmanager
    def read(self, report: CopyReport) -> Iterator[Rows]:
        """Give the rows, as `read_folder` does."""
        records = self._librispeech if self.listing.transcripts else self._recordings
        with RecordSpool(self.schema) as spool:
            for done, record in enumerate(records(report), start=1):
                if record is not None:
                    spool.add({name: record[name] for name in spool.schema.names})
                total = max(done, self.listing.recordings)
                report.advance(rows=spool.row_count, done=done, total=total, unit="files")
            report.require_rows(spool.row_count, self.folder)
            yield Rows(spool.schema, spool.batches())

    def _recordings(self, report: CopyReport) -> Iterator[_Record | None]:
        numbered = enumerate(self.listing.files())
        for (row, file), found in looked(
            self.reading.look, numbered, lambda item: item[1].path, self.reading.stop
        ):
            if isinstance(found, ThanosqlError):
                report.quarantine(_broken(row, file.path, found))
                yield None
            else:
                yield {**self.reading.values(found), "file_size": found.size_bytes or file.size_bytes}

    def _librispeech(self, report: CopyReport) -> Iterator[_Record | None]:
        utterances = self._utterances(report)
        for utterance, found in looked(
            self.reading.look, utterances, lambda item: item.path, self.reading.stop
        ):
            if isinstance(found, ThanosqlError):
                report.quarantine(_broken(utterance.row, utterance.path, found, utterance.raw))
                yield None
            else:
                yield {
                    **self.reading.values(found),
                    "text": utterance.text,
                    "speaker_id": utterance.chapter.parent.name,
                    "chapter_id": utterance.chapter.name,
                }

    def _utterances(self, report: CopyReport) -> Iterator[Utterance]:
        row = 0
        for files in self.listing.folders():
            for item in read_utterances(self.workspace, files, row):
                row = item.row + 1
                if isinstance(item, RowProblem):
                    report.quarantine(item)
                else:
                    yield item


def _broken(row: int, path: str, problem: ThanosqlError, raw: str | None = None) -> RowProblem:
    return RowProblem(
        row=row, subject=path, source=path, reason=problem.reason, message=problem.message, raw=raw
    )
