"""Recordings in keeping: each stored once, by its content, however many tables and files hold it.

A recording is read in one pass into a file beside its goal, which computes its digest, and is moved into
place whole: what dies on the way leaves a file that reconciliation knows.
"""

import contextlib
import errno
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from services.storage.core.keeping.digests import Digests
from services.storage.core.keeping.headers import read_header
from services.storage.core.keeping.keepers import Keepers
from services.storage.core.tables.locks import NameLocks
from services.storage.core.types import Recording
from thanosql_objects.kept_audio import kept_audio_key
from thanosql_objects.ports import CHUNK_BYTES, ObjectInfo, ObjectStore
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError, error

# Half of the shortest time that what belongs to nothing is kept.
_FRESH_S = 43_200.0
# A larger file is looked at where it lies first: what is no recording takes no room in the store.
_LARGE_BYTES = 16 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_MOST_KNOWN = 10_000


class Stored:
    """What one copy took into keeping; safe to use from many threads.

    Attributes:
        rows: How many rows name a recording that is kept.
        added: How many recordings were not there before.
        added_bytes: Their length.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.added = 0
        self.added_bytes = 0
        self._guard = threading.Lock()
        self._known: dict[tuple[str, str], Recording] = {}
        self._paths = NameLocks()
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End what is being read: nobody waits for it any more."""
        self._stopped.set()

    def check(self) -> None:
        """Go on only if nobody asked to stop.

        Raises:
            ThanosqlError: CANCELLED.
        """
        if self._stopped.is_set():
            raise error(Reason.CANCELLED, "the copy ended before the recording was read")

    def at(self, path: str) -> contextlib.AbstractContextManager[None]:
        """Be the only thread that takes what is at a path: many rows may name one recording."""
        return self._paths.held(path)

    def find(self, path: str, info: ObjectInfo) -> Recording | None:
        """Return what this copy found at a path that is still as it was; of the last ones, as `Digests`."""
        known = self._known.get((path, info.revision))
        return known if known is not None and known.size_bytes == info.size_bytes else None

    def note(self, info: ObjectInfo, recording: Recording) -> None:
        """Note what was read, for the rows of this copy that name it too."""
        if not info.revision:
            return
        with self._guard:
            if len(self._known) >= _MOST_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[recording.path, info.revision] = recording

    def count(self, size_bytes: int, *, added: bool) -> None:
        """Count the recording of a row, and whether it was not there before."""
        with self._guard:
            self.rows += 1
            self.added += added
            self.added_bytes += size_bytes if added else 0


class KeptRecordings:
    """Takes recordings of the workspace into the object store; safe to use from many threads.

    Args:
        workspace: Where they are read.
        store: Where they are kept.
        digests: What is known of those that were read before.
        keepers: Remembers for which tables recordings are kept.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        workspace: Workspace,
        store: ObjectStore,
        digests: Digests,
        keepers: Keepers,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._workspace = workspace
        self._store = store
        self._digests = digests
        self._keepers = keepers
        self._clock = clock
        self._locks = NameLocks()
        self._guard = threading.Lock()
        self._copies = 0

    @contextlib.contextmanager
    def copying(self) -> Iterator[Stored]:
        """Take recordings that a table is about to name; until then, none is removed by this process."""
        self._keepers.join()
        with self._guard:
            self._copies += 1
        try:
            yield Stored()
        finally:
            with self._guard:
                self._copies -= 1
            self._digests.flush()

    def take(self, path: str, stored: Stored) -> Recording:
        """Keep a recording, and say under which key.

        Raises:
            ThanosqlError: FILE_NOT_FOUND, AUDIO_UNREADABLE, AUDIO_EMPTY, PATH_OUTSIDE_WORKSPACE,
                INVALID_ARGUMENT; CONFLICT where somebody writes it; STORE_UNAVAILABLE.
        """
        with stored.at(path):
            return self._taken(path, stored)

    def remove(self, info: ObjectInfo) -> bool:
        """Remove a recording that nobody touched since it was seen; False where a copy is at work."""
        with self._guard:
            if self._copies:
                return False
            now = self._store.find(info.key)
            # A server that lists fractions of a second may describe one object without them.
            if now is not None and int(now.modified_s) == int(info.modified_s):
                self._store.delete(info.key)
            return True

    def close(self) -> None:
        """Keep what was learnt of recordings."""
        self._digests.close()

    def _taken(self, path: str, stored: Stored) -> Recording:
        info = self._workspace.stat(path)
        known = stored.find(path, info) or self._digests.find(path, info)
        if known is not None and self._has(known):
            stored.count(known.size_bytes, added=False)
            return known
        try:
            recording = self._read(path, info, stored)
        except OSError as problem:
            room = "; make room on the server's disk" if problem.errno in _FULL else ""
            message = f"{path!r} cannot be kept: {problem.strerror or problem}; nothing was changed{room}"
            raise error(Reason.STORE_UNAVAILABLE, message, path=path) from problem
        self._digests.note(info, recording)
        stored.note(info, recording)
        return recording

    def _read(self, path: str, info: ObjectInfo, stored: Stored) -> Recording:
        with self._store.incoming() as staged:
            sha256, size_bytes = self._staged(path, info.size_bytes, staged, stored)
            after = self._workspace.stat(path)
            if (after.revision, after.size_bytes, size_bytes) != (info.revision, size_bytes, info.size_bytes):
                message = f"{path!r} was changed while it was read; copy it again"
                raise error(Reason.CONFLICT, message, path=path)
            recording = _probed(path, staged, size_bytes, sha256)
            # Another thread may just be at the same bytes, under another name.
            with self._locks.held(sha256):
                has = self._has(recording)
                if not has:
                    self._put(recording, staged)
        stored.count(size_bytes, added=not has)
        return recording

    def _staged(self, path: str, told_bytes: int, staged: Path, stored: Stored) -> tuple[str, int]:
        digest, size_bytes = hashlib.sha256(), 0
        with self._workspace.open(path) as source, staged.open("wb") as file:
            if told_bytes > _LARGE_BYTES:
                read_header(source, path)
                source.seek(0)
            while chunk := source.read(CHUNK_BYTES):
                stored.check()
                digest.update(chunk)
                size_bytes += file.write(chunk)
        return digest.hexdigest(), size_bytes

    def _has(self, recording: Recording) -> bool:
        """Tell whether it is kept; one that may be about to go is made to look new, so that it stays."""
        info = self._store.find(recording.key)
        if info is None or info.size_bytes != recording.size_bytes:
            return False
        return self._clock() - info.modified_s < _FRESH_S or self._store.touch(recording.key)

    def _put(self, recording: Recording, staged: Path) -> None:
        try:
            self._store.take(recording.key, staged, recording.sha256)
        except ThanosqlError as problem:
            # A store that takes nothing is no fault of a recording.
            raise replace(problem, reason=Reason.STORE_UNAVAILABLE) from problem


def _probed(path: str, staged: Path, size_bytes: int, sha256: str) -> Recording:
    with staged.open("rb") as file:
        header = read_header(file, path)
    return Recording(
        path=path,
        size_bytes=size_bytes,
        key=kept_audio_key(sha256, header.format),
        sha256=sha256,
        duration_s=header.duration_s,
        sample_rate_hz=header.sample_rate_hz,
        channels=header.channels,
    )
