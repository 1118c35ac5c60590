"""The files beneath a folder, in the order of their keys, without holding the whole listing."""

import os
from collections.abc import Iterator
from pathlib import Path

from thanosql_objects.directory_errors import translated
from thanosql_objects.folder_names import FolderNames
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import Reason, ThanosqlError

INCOMING = ".incoming"
"""Files on their way in; on the same file system as their goal, so that a rename is atomic."""


class DirectoryListing:
    """Lists one directory.

    Args:
        root: The directory, with links resolved.
        list_hidden: List files and folders whose name starts with a dot.
    """

    def __init__(self, root: Path, *, list_hidden: bool) -> None:
        self._root = root
        self._list_hidden = list_hidden
        self._names = FolderNames()

    def below(self, folder: Path, base: str, prefix: str, after: str) -> Iterator[ObjectInfo]:
        """Yield the files of a folder and of those in it.

        Args:
            folder: Where to look.
            base: Its key, with a slash behind it; empty for the directory itself.
            prefix: What every key starts with.
            after: Only keys behind this one.
        """
        # A folder sorts as if its name ended in a slash: that is the order of the whole keys.
        begin = max(after, prefix)
        start = begin.removeprefix(base) if begin.startswith(base) else ""
        for name, is_link in self._names.after(folder, start):
            key, path = base + name, folder / name
            if key > prefix and not key.startswith(prefix):
                return
            if name.startswith(".") and (key == f"{INCOMING}/" or not self._list_hidden):
                continue
            # What a page before this one has shown is not looked at again.
            if key <= after and not after.startswith(key):
                continue
            if is_link and not self._inside(str(path)):
                continue
            if name.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self.below(path, key, prefix, after)
            elif key > after and key.startswith(prefix) and path.is_file():
                info = describe_if_there(key, path)
                if info is not None:
                    yield info

    def _inside(self, path: str) -> bool:
        """Tell whether a link stays inside, and does not lead back to a folder that holds it."""
        resolved = Path(os.path.realpath(path))
        return resolved.is_relative_to(self._root) and not Path(path).is_relative_to(resolved)


def describe(key: str, path: Path) -> ObjectInfo:
    """Describe a file."""
    with translated(key):
        status = path.stat()
    # The time of change is set by the system alone: a file cannot be written and keep it.
    revision = f"{status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns}"
    return ObjectInfo(key=key, size_bytes=status.st_size, modified_s=status.st_mtime, revision=revision)


def describe_if_there(key: str, path: Path) -> ObjectInfo | None:
    """Describe a file; None where it was removed meanwhile, as Lance's files on their way in are."""
    try:
        return describe(key, path)
    except ThanosqlError as problem:
        if problem.reason is not Reason.FILE_NOT_FOUND:
            raise
        return None
