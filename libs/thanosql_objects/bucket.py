"""Objects in a bucket of MinIO, or of any server that speaks S3."""

import contextlib
import hashlib
import io
import mimetypes
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import urllib3
from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.deleteobjects import DeleteObject
from minio.error import S3Error

from thanosql_objects.bucket_bodies import Body
from thanosql_objects.bucket_errors import MISSING, translated
from thanosql_objects.creating import Creation
from thanosql_objects.keys import clean_key, clean_prefix, not_found, too_large
from thanosql_objects.ports import CHUNK_BYTES, PAGE_SIZE, READ_LIMIT_BYTES, ObjectInfo, ObjectPage
from thanosql_objects.scratch import ScratchFolder
from thanosql_runtime.errors import Reason, error

_SHA256 = "x-amz-meta-sha256"
_NEIGHBOURS = 2000
# Fewer and larger parts than the client's own take less of the server's time; seven of them are in memory.
_PART_BYTES = 8 << 20
_MOST_PARTS = 10_000
# Keys that a server lists in one answer.
_SERVER_PAGE = 1000


class Bucket:
    """An `ObjectStore` over one bucket.

    Args:
        client: How the server is reached.
        name: The bucket.
        prefix: Put before every key, so that several stores share a bucket; empty or ending in `/`.
        read_only: Refuse every change.
        signer: A client for the address by which browsers know the server, where that is another.
        http: The client's pool of connections; one of its own where it is not given.
    """

    def __init__(
        self,
        client: Minio,
        name: str,
        *,
        prefix: str = "",
        read_only: bool = False,
        signer: Minio | None = None,
        http: urllib3.PoolManager | None = None,
    ) -> None:
        self._client = client
        self._signer = signer or client
        self._creation = Creation(client, http or urllib3.PoolManager(), name)
        self._name = name
        self._prefix = prefix
        self._read_only = read_only

    def read(self, key: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """Read a small object whole."""
        with self.open(key) as stream, translated(key):
            data = stream.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            raise too_large(key, self.stat(key).size_bytes, limit_bytes)
        return data

    def open(self, key: str, *, whole: bool = False) -> BinaryIO:
        """Open an object for reading; its first bytes come at once, the others as they are asked for."""
        cleaned = clean_key(key)

        def request(offset: int, length: int = 0) -> Any:  # Any: minio's response has no public type
            return self._client.get_object(self._name, self._prefix + cleaned, offset=offset, length=length)

        with self._found(cleaned):
            return io.BufferedReader(Body(cleaned, request, whole=whole), CHUNK_BYTES)

    def write(self, key: str, chunks: Iterable[bytes]) -> ObjectInfo:
        """Write an object: gathered in a local file first, because its digest travels with it."""
        self._require_writable(key)
        with ScratchFolder("object") as folder:
            path = Path(folder) / "body"
            with path.open("wb") as file:
                file.writelines(chunks)
            return self.upload_from(key, path)

    def create(self, key: str, content: bytes) -> bool:
        """Write an object where there is none, if the server honours `If-None-Match: *`."""
        self._require_writable(key)
        cleaned = clean_key(key)
        with translated(cleaned):
            return self._creation.create(self._prefix + cleaned, content)

    def upload_from(self, key: str, path: Path) -> ObjectInfo:
        """Write an object from a local file."""
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return self.take(key, path, sha256)

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """Give a path in a temporary folder."""
        self._require_writable("")
        with ScratchFolder("object") as folder:
            yield Path(folder) / "body"

    def take(self, key: str, path: Path, sha256: str) -> ObjectInfo:
        """Write an object from a local file, which stays."""
        self._require_writable(key)
        cleaned = clean_key(key)
        with translated(cleaned):
            self._client.fput_object(
                self._name,
                self._prefix + cleaned,
                str(path),
                metadata={_SHA256: sha256},
                part_size=_part_bytes(path.stat().st_size),
            )
        return self.stat(cleaned)

    def download_to(self, key: str, path: Path) -> ObjectInfo:
        """Copy an object into a local file."""
        cleaned = clean_key(key)
        with self._found(cleaned):
            self._client.fget_object(self._name, self._prefix + cleaned, str(path))
        return self.stat(cleaned)

    def stat(self, key: str) -> ObjectInfo:
        """Describe one object."""
        cleaned = clean_key(key)
        with self._found(cleaned):
            return self._info(self._client.stat_object(self._name, self._prefix + cleaned))

    def find(self, key: str) -> ObjectInfo | None:
        """Describe one object; None where there is none."""
        cleaned = clean_key(key)
        with translated(cleaned):
            try:
                return self._info(self._client.stat_object(self._name, self._prefix + cleaned))
            except S3Error as problem:
                if problem.code in MISSING:
                    return None
                raise

    def touch(self, key: str) -> bool:
        """Let the server copy an object over itself, which gives it another time and nothing else."""
        self._require_writable(key)
        info = self.find(key)
        if info is None:
            return False
        name = self._prefix + info.key
        with translated(info.key):
            self._client.copy_object(
                self._name, name, CopySource(self._name, name),
                metadata={_SHA256: info.sha256}, metadata_directive=REPLACE,
            )  # fmt: skip
        return True

    def sign(self, key: str, lasts: timedelta) -> str:
        """Sign an address; recordings say there what they are, so that browsers play them."""
        info = self.stat(key)
        kind = mimetypes.guess_type(info.key)[0] or ""
        headers: dict[str, str | list[str] | tuple[str]] = {}
        if kind.startswith("audio/"):
            headers["response-content-type"] = kind
        with translated(info.key):
            return self._signer.presigned_get_object(
                self._name, self._prefix + info.key, expires=lasts, response_headers=headers
            )

    def exists(self, key: str) -> bool:
        """Tell whether the key names an object."""
        return self.find(key) is not None

    def list(self, prefix: str = "", *, page_token: str = "", page_size: int = PAGE_SIZE) -> ObjectPage:
        """List the objects whose key starts with the prefix."""
        found = self._walk(clean_prefix(prefix), after=page_token)
        with translated(prefix):
            page = tuple(islice(found, page_size))
            # To look behind what one answer of the server gave would cost another; an empty page may follow.
            at_a_border = page_size % _SERVER_PAGE == 0 and len(page) == page_size
            more = at_a_border or next(found, None) is not None
        return ObjectPage(objects=page, next_page_token=page[-1].key if more and page else "")

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        """Name the folders beneath a prefix that ends in a slash, or is empty."""
        start = self._prefix + clean_prefix(prefix)
        with translated(prefix):
            found = [item.object_name or "" for item in self._client.list_objects(self._name, prefix=start)]
        return tuple(sorted(key.removeprefix(start).rstrip("/") for key in found if key.endswith("/")))

    def walk(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose key starts with the prefix; the server gives a thousand at a time."""
        with translated(prefix):
            yield from self._walk(clean_prefix(prefix))

    def delete(self, key: str) -> None:
        """Remove an object."""
        self._require_writable(key)
        cleaned = clean_key(key)
        with translated(cleaned):
            self._client.remove_object(self._name, self._prefix + cleaned)

    def delete_prefix(self, prefix: str) -> int:
        """Remove every object whose key starts with the prefix."""
        self._require_writable(prefix)
        with translated(prefix):
            keys = [info.key for info in self._walk(clean_prefix(prefix))]
            doomed = [DeleteObject(self._prefix + key) for key in keys]
            failed = list(self._client.remove_objects(self._name, doomed))
        if failed:
            message = (
                f"{len(failed)} of {len(keys)} objects under {prefix!r} could not be removed: {failed[0]}"
            )
            raise error(Reason.STORE_UNAVAILABLE, message, path=prefix)
        return len(keys)

    def check(self) -> None:
        """Raise unless the server answers; the bucket is made where it is missing."""
        with translated(self._name):
            if self._client.bucket_exists(self._name):
                return
            if self._read_only:
                raise error(Reason.STORE_UNAVAILABLE, f"the bucket {self._name!r} does not exist")
            self._client.make_bucket(self._name)

    def _walk(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        start = self._prefix + after if after else None
        listing = self._client.list_objects(
            self._name, prefix=self._prefix + prefix, recursive=True, start_after=start
        )
        return (self._info(found) for found in listing)

    def _info(self, found: Any) -> ObjectInfo:  # Any: minio's own type leaves its fields optional
        metadata = {name.lower(): value for name, value in (found.metadata or {}).items()}
        return ObjectInfo(
            key=found.object_name.removeprefix(self._prefix),
            size_bytes=found.size or 0,
            sha256=metadata.get(_SHA256, ""),
            modified_s=found.last_modified.timestamp() if found.last_modified else 0.0,
            revision=(found.etag or "").strip('"'),
        )

    @contextlib.contextmanager
    def _found(self, key: str) -> Iterator[None]:
        with translated(key):
            try:
                yield
            except S3Error as problem:
                if problem.code not in MISSING:
                    raise
                raise not_found(key, self._neighbours(key)) from problem

    def _neighbours(self, key: str) -> tuple[str, ...]:
        """Return keys that a mistyped one may have meant: from its folder, or else from the first one."""
        folders = dict.fromkeys((key.rpartition("/")[0], key.partition("/")[0] if "/" in key else "", ""))
        for folder in folders:
            near = tuple(info.key for info in islice(self._walk(f"{folder}/" if folder else ""), _NEIGHBOURS))
            if near:
                return near
        return ()

    def _require_writable(self, key: str) -> None:
        if self._read_only:
            raise error(
                Reason.STORE_READ_ONLY, f"{key!r} cannot be changed: this store is read-only", path=key
            )


def _part_bytes(size_bytes: int) -> int:
    """Return the size of the parts in which an object of that size is written; 0 leaves it to the client."""
    return _PART_BYTES if size_bytes <= _PART_BYTES * _MOST_PARTS else 0
