"""Objects as files under one local directory."""

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from thanosql_objects.directory_errors import translated
from thanosql_objects.directory_listing import INCOMING, DirectoryListing, describe, describe_if_there
from thanosql_objects.keys import clean_key, clean_prefix, not_found, outside, too_large
from thanosql_objects.placing import create_file, move_file
from thanosql_objects.ports import CHUNK_BYTES, PAGE_SIZE, READ_LIMIT_BYTES, ObjectInfo, ObjectPage
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.whole_files import sync

_NEIGHBOURS = 2000


class LocalDirectory:
    """An `ObjectStore` over a directory.

    Args:
        root: The directory; made on the first write.
        read_only: Refuse every change, whatever the file system would allow.
        list_hidden: List files and folders whose name starts with a dot.
    """

    def __init__(self, root: Path, *, read_only: bool = False, list_hidden: bool = True) -> None:
        self._root = Path(os.path.realpath(root))
        self._read_only = read_only
        self._listing = DirectoryListing(self._root, list_hidden=list_hidden)

    @property
    def root(self) -> Path:
        """The directory, with links resolved."""
        return self._root

    def path(self, key: str) -> Path:
        """Return the local path of a key, checked to lie inside the directory."""
        cleaned = clean_key(key)
        resolved = Path(os.path.realpath(self._root / cleaned))
        if not resolved.is_relative_to(self._root) or cleaned.split("/")[0] == INCOMING:
            raise outside(key)
        return resolved

    def read(self, key: str, *, limit_bytes: int = READ_LIMIT_BYTES) -> bytes:
        """Read a small object whole."""
        with self.open(key) as file:
            data = file.read(limit_bytes + 1)
        if len(data) > limit_bytes:
            raise too_large(key, self.stat(key).size_bytes, limit_bytes)
        return data

    def open(self, key: str, *, whole: bool = False) -> BinaryIO:
        """Open an object for reading; `whole` or not, it is a file."""
        path = self._file(key)
        with translated(key):
            return path.open("rb")

    def write(self, key: str, chunks: Iterable[bytes]) -> ObjectInfo:
        """Write an object through a temporary file and a rename."""
        goal = self._goal(key)
        digest, size_bytes = hashlib.sha256(), 0
        with translated(key), self._incoming() as temporary:
            with temporary.open("wb") as file:
                for chunk in chunks:
                    digest.update(chunk)
                    size_bytes += file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            move_file(temporary, goal)
        sha256 = digest.hexdigest()
        return ObjectInfo(
            key=clean_key(key), size_bytes=size_bytes, sha256=sha256, modified_s=goal.stat().st_mtime
        )

    def create(self, key: str, content: bytes) -> bool:
        """Write an object where there is none, through a temporary file and a link."""
        goal = self._goal(key)
        with translated(key), self._incoming() as temporary:
            temporary.write_bytes(content)
            sync(temporary)
            created = create_file(temporary, goal)
            if created:
                sync(goal.parent)
        return created

    def upload_from(self, key: str, path: Path) -> ObjectInfo:
        """Write an object from a local file."""
        with path.open("rb") as file:
            return self.write(key, iter(lambda: file.read(CHUNK_BYTES), b""))

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """Give a path on the same disk as the directory."""
        self._require_writable("")
        with self._incoming() as temporary:
            yield temporary

    def take(self, key: str, path: Path, sha256: str) -> ObjectInfo:
        """Move a local file in; it is copied where it lies on another disk."""
        goal = self._goal(key)
        with translated(key):
            sync(path)
            try:
                move_file(path, goal)
            except OSError as problem:
                if problem.errno != errno.EXDEV:
                    raise
                return self.upload_from(key, path)
            status = goal.stat()
        return ObjectInfo(
            key=clean_key(key), size_bytes=status.st_size, sha256=sha256, modified_s=status.st_mtime
        )

    def download_to(self, key: str, path: Path) -> ObjectInfo:
        """Copy an object into a local file."""
        source = self._file(key)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        with translated(key):
            try:
                shutil.copyfile(source, temporary)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        return self.stat(key)

    def stat(self, key: str) -> ObjectInfo:
        """Describe one object."""
        return describe(clean_key(key), self._file(key))

    def find(self, key: str) -> ObjectInfo | None:
        """Describe one object; None where there is none."""
        path = self.path(key)
        with translated(key):
            return describe_if_there(clean_key(key), path) if path.is_file() else None

    def touch(self, key: str) -> bool:
        """Make the present the time of a file's last write."""
        goal = self._goal(key)
        with translated(key):
            try:
                os.utime(goal)
            except FileNotFoundError:
                return False
        return True

    def sign(self, key: str, lasts: timedelta) -> str:
        """Refuse: files of a directory have no addresses."""
        self._file(key)
        message = (
            f"{key!r} has no address for browsers, because it is in a directory of the server; fetch it with "
            f"`thanosql files get`, client.download or DownloadFile, or keep files on an S3 server "
            f"(THANOSQL_OBJECTS__URI=s3://bucket)"
        )
        raise error(Reason.NOT_AVAILABLE_YET, message, path=key)

    def exists(self, key: str) -> bool:
        """Tell whether the key names a file."""
        with translated(key):
            return self.path(key).is_file()

    def list(self, prefix: str = "", *, page_token: str = "", page_size: int = PAGE_SIZE) -> ObjectPage:
        """List the files whose key starts with the prefix."""
        prefix = clean_prefix(prefix)
        found = self._walk(prefix, after=page_token)
        with translated(prefix):
            page = tuple(islice(found, page_size))
            more = next(found, None) is not None
        return ObjectPage(objects=page, next_page_token=page[-1].key if more and page else "")

    def folders(self, prefix: str = "") -> tuple[str, ...]:
        """Name the folders beneath a prefix that ends in a slash, or is empty."""
        cleaned = clean_prefix(prefix)
        folder = self.path(cleaned) if cleaned else self._root
        with translated(prefix):
            if not folder.is_dir():
                return ()
            names = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
        return tuple(sorted(name for name in names if cleaned or name != INCOMING))

    def walk(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the files whose key starts with the prefix; only one folder's names are held at a time."""
        with translated(prefix):
            yield from self._walk(clean_prefix(prefix))

    def delete(self, key: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        goal = self._goal(key)
        with translated(key):
            goal.unlink(missing_ok=True)
            self._remove_empty(goal.parent)

    def delete_prefix(self, prefix: str) -> int:
        """Remove every file whose key starts with the prefix."""
        keys = [info.key for info in self._walk(clean_prefix(prefix))]
        for key in keys:
            self.delete(key)
        return len(keys)

    def check(self) -> None:
        """Raise unless the directory is there, or can be made."""
        with translated(""):
            if not self._read_only:
                self._root.mkdir(parents=True, exist_ok=True)
            next(os.scandir(self._root), None)

    def _file(self, key: str) -> Path:
        path = self.path(key)
        with translated(key):
            if path.is_file():
                return path
        raise not_found(clean_key(key), self._neighbours(clean_key(key)))

    def _neighbours(self, key: str) -> tuple[str, ...]:
        """Return keys that a mistyped one may have meant: its folder's, or else its parent's."""
        folder = key
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            with contextlib.suppress(OSError, ThanosqlError):
                if self.path(folder).is_dir():
                    break
        else:
            folder = ""
        prefix = f"{folder}/" if folder else ""
        return tuple(info.key for info in islice(self._walk(prefix), _NEIGHBOURS))

    def _goal(self, key: str) -> Path:
        self._require_writable(key)
        return self.path(key)

    def _require_writable(self, key: str) -> None:
        if self._read_only:
            raise error(
                Reason.STORE_READ_ONLY, f"{key!r} cannot be changed: this store is read-only", path=key
            )

    @contextlib.contextmanager
    def _incoming(self) -> Iterator[Path]:
        folder = self._root / INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / uuid.uuid4().hex
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root and folder.is_relative_to(self._root):
            try:
                folder.rmdir()
            except OSError:
                return  # Not empty: another object lives here.
            folder = folder.parent

    def _walk(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """Yield matching files in the order of their keys, without holding the whole listing."""
        folder = prefix.rpartition("/")[0]
        start = self.path(folder) if folder else self._root
        if start.is_dir():
            yield from self._listing.below(start, f"{folder}/" if folder else "", prefix, after)
