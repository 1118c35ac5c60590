"""What the paths mean that users write in statements and in their tables."""

import contextlib
import heapq
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from thanosql_objects.directory import LocalDirectory
from thanosql_objects.kept_audio import KEPT_AUDIO
from thanosql_objects.keys import clean_key, clean_prefix, not_found
from thanosql_objects.ports import PAGE_SIZE, ObjectInfo, ObjectPage, ObjectStore
from thanosql_objects.scratch import ScratchFolder
from thanosql_runtime.errors import Reason, error

UPLOADS = "uploads/"
# The longest that S3 signs.
_LONGEST_ADDRESS = timedelta(days=7)


class Workspace:
    """The files that statements may name.

    Paths are relative. Those that start with `uploads/` were put there through the gateway and live
    in the object store, and so do recordings that COPY took into keeping, under `audio/sha256/`, which are
    listed only there; every other one is a file of the user, never written by the system. Hidden
    files and folders (`.git`, `.env`, the server's own `.thanosql`) are not part of it.

    Args:
        files: Where the user's own files are.
        objects: The object store that takes the uploads.
    """

    def __init__(self, files: ObjectStore, objects: ObjectStore) -> None:
        self._files = files
        self._objects = objects

    def open(self, path: str, *, whole: bool = False) -> BinaryIO:
        """Open a file for reading; the caller closes it. See `ObjectStore.open`."""
        store, key = self._resolve(path)
        return store.open(key, whole=whole)

    def stat(self, path: str) -> ObjectInfo:
        """Describe a file."""
        store, key = self._resolve(path)
        return store.stat(key)

    def exists(self, path: str) -> bool:
        """Tell whether the path names a file."""
        if not _is_visible(clean_key(path)):
            return False
        store, key = self._resolve(path)
        return store.exists(key)

    def list(self, prefix: str = "", *, page_token: str = "", page_size: int = PAGE_SIZE) -> ObjectPage:
        """List files whose path starts with the prefix, in the order of their paths."""
        cleaned = clean_prefix(prefix)
        if cleaned.startswith(KEPT_AUDIO):
            return self._objects.list(cleaned, page_token=page_token, page_size=page_size)
        pages = []
        if not cleaned.startswith(UPLOADS):
            pages.append(self._files.list(cleaned, page_token=page_token, page_size=page_size))
        if cleaned.startswith(UPLOADS) or UPLOADS.startswith(cleaned):
            longer = max(cleaned, UPLOADS, key=len)
            pages.append(self._objects.list(longer, page_token=page_token, page_size=page_size))
        # What lies beyond the end of one store's page may have neighbours on its next one.
        ends = [page.next_page_token for page in pages if page.next_page_token]
        found = sorted((info for page in pages for info in page.objects), key=lambda info: info.key)
        if ends:
            found = [info for info in found if info.key <= min(ends)]
        shown = [info for info in found if _is_visible(info.key)][:page_size]
        if len(found) > page_size or ends:
            reached = found[page_size - 1].key if len(found) > page_size else min(ends)
            shown = [info for info in shown if info.key <= reached]
            return ObjectPage(objects=tuple(shown), next_page_token=reached)
        return ObjectPage(objects=tuple(shown))

    def walk(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield every file whose path starts with the prefix, in the order of their paths."""
        cleaned = clean_prefix(prefix)
        if cleaned.startswith(KEPT_AUDIO):
            return self._objects.walk(cleaned)
        walks = []
        if not cleaned.startswith(UPLOADS):
            walks.append(self._files.walk(cleaned))
        if cleaned.startswith(UPLOADS) or UPLOADS.startswith(cleaned):
            walks.append(self._objects.walk(max(cleaned, UPLOADS, key=len)))
        found = heapq.merge(*walks, key=lambda info: info.key)
        return (info for info in found if _is_visible(info.key))

    def sign(self, path: str, lasts: timedelta) -> str:
        """Give an address of a file for browsers; NOT_AVAILABLE_YET where the file is in a directory."""
        if not timedelta(seconds=1) <= lasts <= _LONGEST_ADDRESS:
            message = f"an address lasts from a second to {_LONGEST_ADDRESS.days} days, not {lasts}"
            raise error(Reason.INVALID_ARGUMENT, message)
        store, key = self._resolve(path)
        return store.sign(key, lasts)

    def delete(self, path: str) -> ObjectInfo:
        """Remove a file that was uploaded, and describe it as it was.

        Raises:
            ThanosqlError: FILE_NOT_FOUND, and PERMISSION_DENIED for a file that is only read here.
        """
        store, key = self._resolve(path)
        if key.startswith(KEPT_AUDIO):
            self.stat(path)
            message = (
                f"{key!r} is a recording in keeping, which stays while a version of a table names it; "
                "delete the rows or the table, and it goes later"
            )
            raise error(Reason.PERMISSION_DENIED, message, path=key)
        if store is not self._objects:
            self.stat(path)
            message = (
                f"{key!r} is a file of the server's own folder, which is only read; those under {UPLOADS} go"
            )
            raise error(Reason.PERMISSION_DENIED, message, path=key)
        info = store.stat(key)
        store.delete(key)
        return info

    def upload_key(self, path: str) -> str:
        """Return the key of a file that users may write; `uploads/` may be left out.

        Raises:
            ThanosqlError: PATH_OUTSIDE_WORKSPACE, or INVALID_ARGUMENT for what no statement could name.
        """
        key = clean_prefix(path)
        if not key.startswith(UPLOADS):
            key = UPLOADS + key
        if key.endswith("/"):
            raise error(Reason.INVALID_ARGUMENT, f"{path!r} does not name a file under {UPLOADS}", path=path)
        if not _is_visible(key):
            message = f"{path!r} cannot be kept: names that start with a dot are not part of the workspace"
            raise error(Reason.INVALID_ARGUMENT, message, path=path)
        return clean_key(key)

    def is_folder(self, path: str) -> bool:
        """Tell whether the path names a folder that holds at least one file."""
        folder = clean_prefix(path).rstrip("/")
        return bool(self.list(f"{folder}/" if folder else "", page_size=1).objects)

    @contextlib.contextmanager
    def local_copy(self, path: str) -> Iterator[Path]:
        """Give a file as a local path for the time of the block: itself where it is local already."""
        store, key = self._resolve(path)
        if isinstance(store, LocalDirectory):
            store.stat(key)
            yield store.path(key)
            return
        with ScratchFolder("copy") as folder:
            goal = Path(folder) / PurePosixPath(key).name
            store.download_to(key, goal)
            yield goal

    def _resolve(self, path: str) -> tuple[ObjectStore, str]:
        key = clean_key(path)
        if not _is_visible(key):
            raise not_found(key)
        return (self._objects if key.startswith((UPLOADS, KEPT_AUDIO)) else self._files), key


def _is_visible(key: str) -> bool:
    return not any(segment.startswith(".") for segment in key.split("/"))
