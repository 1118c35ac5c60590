"""What the header of a recording says; nothing is decoded."""

from typing import BinaryIO

from services.storage.core.types import Recording
from thanosql_audio.decoding import probe
from thanosql_audio.types import AudioInfo
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, error


def read_header(file: BinaryIO, path: str) -> AudioInfo:
    """Read the header of an open recording.

    Raises:
        ThanosqlError: AUDIO_UNREADABLE, AUDIO_EMPTY.
    """
    header = probe(file)
    if header.duration_s == 0:
        raise error(Reason.AUDIO_EMPTY, "the recording holds no audio: its length is 0 s", path=path)
    return header


def look_at(workspace: Workspace, path: str) -> Recording:
    """Look at a recording where it lies.

    Raises:
        ThanosqlError: FILE_NOT_FOUND, AUDIO_UNREADABLE, AUDIO_EMPTY, PATH_OUTSIDE_WORKSPACE,
            STORE_UNAVAILABLE.
    """
    with workspace.open(path) as file:
        header = read_header(file, path)
    return Recording(
        path=path,
        size_bytes=0,
        duration_s=header.duration_s,
        sample_rate_hz=header.sample_rate_hz,
        channels=header.channels,
    )
