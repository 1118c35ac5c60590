"""The texts of a LibriSpeech tree: files of lines that begin with the name of a recording."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from services.storage.core.copying.encoding import invalid_encoding
from services.storage.core.copying.listing import ListedFile
from services.storage.core.types import RowProblem
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, error

_MAX_TRANSCRIPT_BYTES = 16 << 20


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A recording and its text, as a line of a transcript pairs them.

    Attributes:
        row: Its number in the tree.
        path: The recording.
        text: What is said.
        transcript: The file that says so.
        line: Where it does.
        raw: The whole line.
    """

    row: int
    path: str
    text: str
    transcript: str
    line: int
    raw: str

    @property
    def chapter(self) -> PurePosixPath:
        """The folder; its parent is the speaker."""
        return PurePosixPath(self.transcript).parent


def read_utterances(
    workspace: Workspace, files: Sequence[ListedFile], first_row: int
) -> Iterator[Utterance | RowProblem]:
    """Pair the recordings of one folder with its transcripts; what has no partner is a problem.

    Raises:
        ThanosqlError: INVALID_ENCODING, INVALID_DATA for a transcript that is far too long.
    """
    paths = {_stem(file.path): file.path for file in files if not file.is_transcript}
    unnamed = dict(paths)
    row = first_row
    for transcript in (file for file in files if file.is_transcript):
        for line, raw in _lines(workspace, transcript):
            name, _, text = raw.partition(" ")
            stem = str(PurePosixPath(transcript.path).parent / name)
            unnamed.pop(stem, None)
            if stem in paths:
                yield Utterance(
                    row=row, path=paths[stem], text=text.strip(),
                    transcript=transcript.path, line=line, raw=raw,
                )  # fmt: skip
            else:
                yield RowProblem(
                    row=row, subject=stem, source=transcript.path, line=line, raw=raw,
                    message="the transcript names a recording that is not there",
                    reason=Reason.AUDIO_NOT_FOUND,
                )  # fmt: skip
            row += 1
    for number, path in enumerate(unnamed.values(), start=row):
        message = "no transcript names this recording"
        yield RowProblem(row=number, subject=path, source=path, message=message, reason=Reason.TEXT_EMPTY)


def _stem(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))


def _lines(workspace: Workspace, transcript: ListedFile) -> list[tuple[int, str]]:
    path = transcript.path
    if transcript.size_bytes > _MAX_TRANSCRIPT_BYTES:
        size = f"{transcript.size_bytes} bytes, more than the {_MAX_TRANSCRIPT_BYTES} of a transcript"
        message = f"{path!r} has {size}; split it, or copy a csv of paths and texts"
        raise error(Reason.INVALID_DATA, message, path=path)
    with workspace.open(path) as file:
        content = file.read(_MAX_TRANSCRIPT_BYTES)
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as problem:
        raise invalid_encoding(path, problem.start) from problem
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
