"""Folders of recordings: any folder of audio, and a LibriSpeech tree with its transcripts."""

from collections.abc import Iterator
from pathlib import PurePosixPath

import pyarrow as pa

from services.storage.core.copying.report import CopyReport
from services.storage.core.rows import Rows
from thanosql_audio.decoding import probe
from thanosql_audio.types import AudioInfo
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError, error

_AUDIO = frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus", ".oga", ".aiff", ".aif", ".au", ".caf", ".w64"})
_TRANSCRIPTS = ".trans.txt"
_BATCH_ROWS = 512
_MAX_TRANSCRIPT_BYTES = 16 << 20

_AUDIO_SCHEMA = pa.schema(
    {
        "audio_path": pa.string(),
        "duration": pa.float64(),
        "sample_rate": pa.int64(),
        "channels": pa.int64(),
        "file_size": pa.int64(),
    }
)
_LIBRISPEECH_SCHEMA = pa.schema(
    {
        "audio_path": pa.string(),
        "text": pa.string(),
        "speaker_id": pa.string(),
        "chapter_id": pa.string(),
        "duration": pa.float64(),
    }
)


def read_folder(workspace: Workspace, folder: str, report: CopyReport) -> Rows:
    """Give one row for each recording under a folder, in the order of the paths.

    Raises:
        ThanosqlError: INVALID_DATA for a folder without a recording.
    """
    prefix = folder.rstrip("/") + "/"
    sizes = {info.key: info.size_bytes for info in workspace.walk(prefix)}
    transcripts = [path for path in sizes if path.endswith(_TRANSCRIPTS)]
    recordings = [path for path in sizes if PurePosixPath(path).suffix.lower() in _AUDIO]
    if not recordings:
        raise error(Reason.INVALID_DATA, f"folder {folder!r} holds no audio files", path=folder)
    if transcripts:
        records = _librispeech(workspace, transcripts, recordings, report)
        return Rows(_LIBRISPEECH_SCHEMA, _batched(records, _LIBRISPEECH_SCHEMA))
    records = _recordings(workspace, recordings, sizes, report)
    return Rows(_AUDIO_SCHEMA, _batched(records, _AUDIO_SCHEMA))


def _recordings(
    workspace: Workspace, paths: list[str], sizes: dict[str, int], report: CopyReport
) -> Iterator[dict[str, object]]:
    rows = 0
    for number, path in enumerate(paths):
        info = _probed(workspace, path, number, report)
        if info is not None:
            rows += 1
            yield {
                "audio_path": path,
                "duration": info.duration_s,
                "sample_rate": info.sample_rate_hz,
                "channels": info.channels,
                "file_size": sizes[path],
            }
        report.advance(rows=rows, done=number + 1, total=len(paths))


def _librispeech(
    workspace: Workspace, transcripts: list[str], recordings: list[str], report: CopyReport
) -> Iterator[dict[str, object]]:
    by_stem = {str(PurePosixPath(path).with_suffix("")): path for path in recordings}
    used: set[str] = set()
    number = 0
    for transcript in transcripts:
        chapter = PurePosixPath(transcript).parent
        for line in _lines(workspace, transcript):
            name, _, text = line.partition(" ")
            stem = str(chapter / name)
            used.add(stem)
            record = _spoken(workspace, by_stem.get(stem), stem, number, report)
            if record is not None:
                yield record | {
                    "text": text.strip(), "speaker_id": chapter.parent.name, "chapter_id": chapter.name
                }  # fmt: skip
            number += 1
            report.advance(rows=number - report.rows_quarantined, done=number, total=len(recordings))
    for stem in sorted(set(by_stem) - used):
        report.quarantine(number, by_stem[stem], "no transcript names this recording", Reason.TEXT_EMPTY)
        number += 1


def _spoken(
    workspace: Workspace, path: str | None, stem: str, number: int, report: CopyReport
) -> dict[str, object] | None:
    if path is None:
        report.quarantine(
            number, stem, "the transcript names a recording that is not there", Reason.AUDIO_NOT_FOUND
        )
        return None
    info = _probed(workspace, path, number, report)
    return None if info is None else {"audio_path": path, "duration": info.duration_s}


def _lines(workspace: Workspace, path: str) -> list[str]:
    with workspace.open(path) as file:
        content = file.read(_MAX_TRANSCRIPT_BYTES)
    try:
        return [line for line in content.decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as problem:
        message = f"{path!r} is not UTF-8: the byte at offset {problem.start} is wrong"
        raise error(Reason.INVALID_ENCODING, message, path=path, byte_offset=str(problem.start)) from problem


def _probed(workspace: Workspace, path: str, number: int, report: CopyReport) -> AudioInfo | None:
    try:
        with workspace.open(path) as file:
            return probe(file)
    except ThanosqlError as problem:
        if problem.reason is Reason.STORE_UNAVAILABLE:
            raise
        report.quarantine(number, path, problem.message, problem.reason)
        return None


def _batched(records: Iterator[dict[str, object]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    gathered: list[dict[str, object]] = []
    for record in records:
        gathered.append(record)
        if len(gathered) == _BATCH_ROWS:
            yield pa.RecordBatch.from_pylist(gathered, schema=schema)
            gathered = []
    if gathered:
        yield pa.RecordBatch.from_pylist(gathered, schema=schema)
