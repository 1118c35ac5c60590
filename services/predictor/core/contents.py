"""The bytes of a recording, and their digest: what was digested is what is decoded."""

import hashlib
import shutil
import tempfile
from typing import BinaryIO, cast

from services.predictor.core.ports import Recordings
from thanosql_runtime.errors import Reason, ThanosqlError, error

_CHUNK_BYTES = 1 << 20
_SPOOL_BYTES = 16 << 20


class Content:
    """An open recording and the SHA-256 of its bytes; blocking, and closed by whoever opened it.

    Args:
        source: At its start.
        is_private: Whether nobody else can write it.
    """

    def __init__(self, source: BinaryIO, is_private: bool) -> None:
        self.source = source
        self._is_private = is_private
        self.sha256 = _digest(source)

    def is_unchanged(self) -> bool:
        """Tell whether the bytes are still those that were digested."""
        return self._is_private or _digest(self.source) == self.sha256

    def close(self) -> None:
        """Close the recording."""
        self.source.close()


def open_recording(recordings: Recordings, path: str) -> BinaryIO:
    """Open a recording; AUDIO_NOT_FOUND where there is none."""
    if not path:
        raise error(Reason.AUDIO_NOT_FOUND, "the row names no recording: its audio path is empty")
    try:
        return recordings.open(path)
    except ThanosqlError as failure:
        if failure.reason is Reason.FILE_NOT_FOUND:
            text = f"there is no recording at '{path}' in the workspace"
            raise error(Reason.AUDIO_NOT_FOUND, text, path=path) from failure
        raise


def open_content(recordings: Recordings, path: str) -> Content:
    """Open a recording and digest it; one that comes over a network is copied, so that it comes once."""
    source = open_recording(recordings, path)
    try:
        if _is_local(source):
            return Content(source, is_private=False)
        copy = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - closed with the content
        shutil.copyfileobj(source, copy, _CHUNK_BYTES)
    except BaseException:
        source.close()
        raise
    source.close()
    return Content(cast("BinaryIO", copy), is_private=True)


def _is_local(source: BinaryIO) -> bool:
    try:
        source.fileno()
    except (OSError, AttributeError):
        return False
    return source.seekable()


def _digest(source: BinaryIO) -> str:
    """Digest from the start to the end, and go back to the start."""
    source.seek(0)
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
    source.seek(0)
    return digest.hexdigest()
