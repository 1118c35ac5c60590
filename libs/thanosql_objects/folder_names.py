"""Names in folders, in the order of keys; a large folder is not read again for each page of a listing."""

import bisect
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Fewer are read again in no time; more would hold much memory.
_FEWEST, _MOST = 2_000, 500_000
# A folder that changed a moment ago may change again without its time telling so.
_SETTLED_S = 2.0


# A name, that of a folder with a slash so that it sorts as the keys beneath it; and whether it is a link.
FolderEntry = tuple[str, bool]


@dataclass(frozen=True, kw_only=True)
class _Remembered:
    folder: Path
    changed_ns: int
    entries: Sequence[FolderEntry]


class FolderNames:
    """Reads folders; remembers the last one that was large, for as long as it does not change."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._last: _Remembered | None = None

    def after(self, folder: Path, start: str) -> Sequence[FolderEntry]:
        """Name what is in a folder from `start` on; nothing where the folder is gone.

        Args:
            folder: Where to look.
            start: Where to begin: a name, or a path in the folder, whose first part is then among the answer.
        """
        entries = self._entries(folder)
        first = start.partition("/")
        begin = bisect.bisect_left(entries, (first[0] + first[1], False))
        return entries[begin:] if begin else entries

    def _entries(self, folder: Path) -> Sequence[FolderEntry]:
        try:
            changed_ns = folder.stat().st_mtime_ns
            with self._guard:
                last = self._last
            if last is not None and (last.folder, last.changed_ns) == (folder, changed_ns):
                return last.entries
            entries = _read(folder)
        except FileNotFoundError:
            return ()
        if _FEWEST <= len(entries) <= _MOST and time.time() - changed_ns / 1e9 > _SETTLED_S:
            with self._guard:
                self._last = _Remembered(folder=folder, changed_ns=changed_ns, entries=entries)
        return entries


def _read(folder: Path) -> Sequence[FolderEntry]:
    entries = os.scandir(folder)
    return sorted((entry.name + "/" * entry.is_dir(), entry.is_symlink()) for entry in entries)
