"""Writes that nobody completed: their bytes take space, and no listing shows them.

A process that is killed while it writes an object leaves a file in a folder for what is on its way in, or
parts of an upload on an S3 server, which keeps and charges for them for ever.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from thanosql_objects.directory_listing import INCOMING
from thanosql_runtime.errors import Reason, error

_GONE = frozenset({"NoSuchUpload", "NoSuchKey"})


@dataclass(frozen=True, kw_only=True)
class UnfinishedWrite:
    """One write that was begun and not completed.

    Attributes:
        key: What is written, or the name of its file where that is not known.
        size_bytes: What of it has arrived.
        state: Another text as soon as more of it arrives.
        upload_id: Which of several uploads of the key, on an S3 server.
    """

    key: str
    size_bytes: int
    state: str
    upload_id: str = ""


class UnfinishedWrites(Protocol):
    """The writes of one store that were begun; both methods raise STORE_UNAVAILABLE."""

    def find(self, prefix: str = "") -> Iterator[UnfinishedWrite]:
        """Yield those of keys with the prefix; all of them where the keys are not known."""

    def abandon(self, write: UnfinishedWrite) -> None:
        """Remove what has arrived; one that is complete or gone meanwhile is no error."""


class IncomingFiles:
    """`UnfinishedWrites` of a directory.

    Args:
        root: The directory of the store.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root / INCOMING

    def find(self, prefix: str = "") -> Iterator[UnfinishedWrite]:
        """See `UnfinishedWrites.find`; which keys they were for, nobody knows."""
        for path in sorted(self._folder.glob("*")):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                state = f"{status.st_size} bytes at {status.st_mtime_ns}"
                yield UnfinishedWrite(key=path.name, size_bytes=status.st_size, state=state)

    def abandon(self, write: UnfinishedWrite) -> None:
        """See `UnfinishedWrites.abandon`."""
        (self._folder / write.key).unlink(missing_ok=True)


class MultipartUploads:
    """`UnfinishedWrites` of a bucket.

    Args:
        client: How the server is reached.
        name: The bucket.
        prefix: Put before every key; empty or ending in `/`.
    """

    def __init__(self, client: Minio, name: str, prefix: str = "") -> None:
        # minio's own public methods list objects alone. Any: what it answers has no public types.
        self._list_uploads: Callable[..., Any] = client._list_multipart_uploads
        self._list_parts: Callable[..., Any] = client._list_parts
        self._abort: Callable[..., Any] = client._abort_multipart_upload
        self._name = name
        self._prefix = prefix

    def find(self, prefix: str = "") -> Iterator[UnfinishedWrite]:
        """See `UnfinishedWrites.find`; a thousand at a time, and a request for the parts of each."""
        after: dict[str, str] = {}
        while True:
            with _translated(prefix):
                page = self._list_uploads(self._name, prefix=self._prefix + prefix, **after)
            for upload in page.uploads:
                with _translated(upload.object_name):
                    yield self._described(upload.object_name, upload.upload_id)
            if not page.is_truncated:
                return
            after = {"key_marker": page.next_key_marker, "upload_id_marker": page.next_upload_id_marker}

    def abandon(self, write: UnfinishedWrite) -> None:
        """See `UnfinishedWrites.abandon`."""
        with _translated(write.key):
            self._abort(self._name, self._prefix + write.key, write.upload_id)

    def _described(self, key: str, upload_id: str) -> UnfinishedWrite:
        size_bytes, marker = 0, 0
        while True:
            page = self._list_parts(self._name, key, upload_id, part_number_marker=str(marker))
            size_bytes += sum(part.size for part in page.parts)
            marker = max((part.part_number for part in page.parts), default=marker)
            if not page.is_truncated:
                break
        key = key.removeprefix(self._prefix)
        state = f"{size_bytes} bytes up to part {marker} of {upload_id}"
        return UnfinishedWrite(key=key, size_bytes=size_bytes, state=state, upload_id=upload_id)


@contextlib.contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn what the client says into the error of the port; an upload that is gone is none."""
    try:
        yield
    except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
        if isinstance(problem, S3Error) and problem.code in _GONE:
            return
        message = f"the unfinished uploads under {key!r} cannot be looked after: {problem}"
        raise error(Reason.STORE_UNAVAILABLE, message, path=key) from problem
