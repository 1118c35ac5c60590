"""What lies in a folder: its recordings and transcripts, kept in a file."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import pyarrow as pa

from services.storage.core.copying.records import RecordSpool
from services.storage.core.copying.report import CopyReport
from services.storage.core.types import RowProblem
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, error

_AUDIO = frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus", ".oga", ".aiff", ".aif", ".au", ".caf", ".w64"})
_TRANSCRIPTS = ".trans.txt"
_SCHEMA = pa.schema({"path": pa.string(), "size_bytes": pa.int64()})
_BETWEEN_REPORTS = 1000


@dataclass(frozen=True, kw_only=True)
class ListedFile:
    """A recording or a file of transcripts."""

    path: str
    size_bytes: int

    @property
    def is_transcript(self) -> bool:
        """Whether it holds the texts of its folder's recordings."""
        return self.path.endswith(_TRANSCRIPTS)


class Listing:
    """The recordings and transcripts under a folder, in the order of their paths.

    Closing forgets them.
    """

    def __init__(self) -> None:
        self.recordings = 0
        self.transcripts = 0
        self.size_bytes = 0
        self.audio_bytes = 0
        self._spool = RecordSpool(_SCHEMA)

    def add(self, file: ListedFile) -> None:
        """Add the next file."""
        self.transcripts += file.is_transcript
        self.recordings += not file.is_transcript
        self.size_bytes += file.size_bytes
        self.audio_bytes += 0 if file.is_transcript else file.size_bytes
        self._spool.add({"path": file.path, "size_bytes": file.size_bytes})

    def files(self) -> Iterator[ListedFile]:
        """Yield every file."""
        return (ListedFile(**record) for record in self._spool.records())

    def folders(self) -> Iterator[list[ListedFile]]:
        """Yield the files of one folder after another, as soon as the listing has left it."""
        entered: dict[str, list[ListedFile]] = {}
        for file in self.files():
            for folder in [name for name in entered if not file.path.startswith(f"{name}/")]:
                yield entered.pop(folder)
            entered.setdefault(file.path.rpartition("/")[0], []).append(file)
        yield from entered.values()

    def close(self) -> None:
        """Forget the files."""
        self._spool.close()

    def __enter__(self) -> "Listing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def list_recordings(
    workspace: Workspace, folder: str, listing: Listing, report: CopyReport, most: int = sys.maxsize
) -> bool:
    """List a folder with all below it, and say whether those are all.

    Args:
        workspace: Where it is.
        folder: Its path.
        listing: Takes the files.
        report: Hears of files that cannot be named.
        most: Recordings and transcripts after which the listing ends.

    Raises:
        ThanosqlError: INVALID_DATA for a folder without a recording.
    """
    seen = 0
    for info in workspace.walk(folder.rstrip("/") + "/"):
        seen += 1
        if seen % _BETWEEN_REPORTS == 0:
            report.advance(rows=0, done=0, total=0, unit="files")
        is_transcript = info.key.endswith(_TRANSCRIPTS)
        if not is_transcript and PurePosixPath(info.key).suffix.lower() not in _AUDIO:
            continue
        if listing.recordings + listing.transcripts == most:
            return False
        if _is_text(info.key):
            listing.add(ListedFile(path=info.key, size_bytes=info.size_bytes))
        else:
            report.quarantine(_unnameable(info.key, seen - 1))
    if not listing.recordings:
        message = f"folder {folder!r} holds no audio files; COPY reads {', '.join(sorted(_AUDIO))}"
        raise error(Reason.INVALID_DATA, message, path=folder)
    return True


def _is_text(path: str) -> bool:
    """Tell whether a path is Unicode; a local file may be named with any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unnameable(path: str, row: int) -> RowProblem:
    shown = path.encode("utf-8", "replace").decode()
    message = "its name is not UTF-8, so no statement could name it; rename it"
    return RowProblem(row=row, subject=shown, source=shown, message=message, reason=Reason.INVALID_ENCODING)
