"""Folders of recordings: any folder of audio, and a LibriSpeech tree with its transcripts.

The listing and the rows are kept in files: memory follows the largest folder, not the tree.
"""

import contextlib
from collections.abc import Iterator

import pyarrow as pa

from services.storage.core.copying.listing import Listing, list_recordings
from services.storage.core.copying.probing import headers
from services.storage.core.copying.records import RecordSpool
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.transcripts import Utterance, read_utterances
from services.storage.core.rows import Rows
from services.storage.core.types import RowProblem
from thanosql_audio.types import AudioInfo
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
# Some writers of streams leave the length out; libsndfile then answers the largest number.
_LONGEST_S = 1e9


@contextlib.contextmanager
def read_folder(workspace: Workspace, folder: str, report: CopyReport) -> Iterator[Rows]:
    """Give one row for each recording under a folder; those that cannot be read go to quarantine.

    Raises:
        ThanosqlError: INVALID_DATA for a folder without a recording, INVALID_ENCODING for a transcript.
    """
    with Listing() as listing:
        list_recordings(workspace, folder, listing, report)
        with read_listed(workspace, folder, listing, report) as rows:
            yield rows


@contextlib.contextmanager
def read_listed(workspace: Workspace, folder: str, listing: Listing, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of the files of a folder, as `read_folder` does."""
    records = _librispeech if listing.transcripts else _recordings
    with RecordSpool(columns_of(listing)) as spool:
        for done, record in enumerate(records(workspace, listing, report), start=1):
            if record is not None:
                spool.add(record)
            total = max(done, listing.recordings)
            report.advance(rows=spool.row_count, done=done, total=total, unit="files")
        report.require_rows(spool.row_count, folder)
        yield Rows(spool.schema, spool.batches())


def columns_of(listing: Listing) -> pa.Schema:
    """Return the columns that the files of a folder become."""
    return _LIBRISPEECH if listing.transcripts else _AUDIO


def _recordings(workspace: Workspace, listing: Listing, report: CopyReport) -> Iterator[_Record | None]:
    numbered = enumerate(listing.files())
    for (row, file), header in headers(workspace, numbered, lambda item: item[1].path):
        if isinstance(header, ThanosqlError):
            report.quarantine(_broken(row, file.path, header))
            yield None
        else:
            yield {
                "audio_path": file.path,
                "duration": _duration_s(header),
                "sample_rate": header.sample_rate_hz,
                "channels": header.channels,
                "file_size": file.size_bytes,
            }


def _librispeech(workspace: Workspace, listing: Listing, report: CopyReport) -> Iterator[_Record | None]:
    utterances = _utterances(workspace, listing, report)
    for utterance, header in headers(workspace, utterances, lambda item: item.path):
        if isinstance(header, ThanosqlError):
            report.quarantine(_broken(utterance.row, utterance.path, header, utterance.raw))
            yield None
        else:
            yield {
                "audio_path": utterance.path,
                "text": utterance.text,
                "speaker_id": utterance.chapter.parent.name,
                "chapter_id": utterance.chapter.name,
                "duration": _duration_s(header),
            }


def _utterances(workspace: Workspace, listing: Listing, report: CopyReport) -> Iterator[Utterance]:
    row = 0
    for files in listing.folders():
        for item in read_utterances(workspace, files, row):
            row = item.row + 1
            if isinstance(item, RowProblem):
                report.quarantine(item)
            else:
                yield item


def _broken(row: int, path: str, problem: ThanosqlError, raw: str | None = None) -> RowProblem:
    return RowProblem(
        row=row, subject=path, source=path, reason=problem.reason, message=problem.message, raw=raw
    )


def _duration_s(header: AudioInfo) -> float | None:
    return header.duration_s if header.duration_s < _LONGEST_S else None
