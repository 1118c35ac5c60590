"""What is known of recordings that were read before, so that an unchanged one is not read again.

As the index of git: a file whose path, size and revision are the same holds the same bytes. All of it may
be deleted while the server does not run; recordings are then read once more.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from services.storage.core.types import Recording
from thanosql_objects.ports import ObjectInfo

_log = structlog.get_logger("storage")
_MOST = 1_000_000
_BETWEEN_COMMITS = 1000
_LONGEST_S = 1.0
# A file that was written a moment ago may be written again without a change of its times.
_SETTLED_S = 2.0
_TABLE = """
    CREATE TABLE IF NOT EXISTS recordings (
        number INTEGER PRIMARY KEY, path TEXT UNIQUE, revision TEXT, size_bytes INTEGER, key TEXT,
        sha256 TEXT, duration_s REAL, sample_rate_hz INTEGER, channels INTEGER
    )
"""
_FIND = """
    SELECT size_bytes, key, sha256, duration_s, sample_rate_hz, channels FROM recordings
    WHERE path = ? AND revision = ? AND size_bytes = ?
"""
_NOTE = """
    INSERT OR REPLACE INTO recordings
        (path, revision, size_bytes, key, sha256, duration_s, sample_rate_hz, channels)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_FORGET = "DELETE FROM recordings WHERE number <= (SELECT max(number) FROM recordings) - ?"


class Digests:
    """Safe to use from many threads; what cannot be read or noted is not known until the next `flush`.

    Args:
        path: The file that holds it.
        clock: Seconds since the epoch.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._guard = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._noted = 0
        self._begun_s = 0.0
        self._is_given_up = False

    def find(self, path: str, info: ObjectInfo) -> Recording | None:
        """Return what a file held when it was as it is now; None where that is not known."""
        if not info.revision:
            return None
        with self._guard:
            if self._is_given_up:
                return None
            try:
                row = self._opened().execute(_FIND, (path, info.revision, info.size_bytes)).fetchone()
            except (sqlite3.Error, OSError) as problem:
                self._failed(problem)
                return None
        if row is None:
            return None
        size_bytes, key, sha256, duration_s, sample_rate_hz, channels = row
        return Recording(
            path=path, size_bytes=size_bytes, key=key, sha256=sha256,
            duration_s=duration_s, sample_rate_hz=sample_rate_hz, channels=channels,
        )  # fmt: skip

    def note(self, info: ObjectInfo, recording: Recording) -> None:
        """Note what a file holds that was as `info` says before it was read, and after."""
        settled_s = self._clock() - info.modified_s
        if not info.revision or settled_s < _SETTLED_S:
            return
        values = (
            recording.path, info.revision, recording.size_bytes, recording.key, recording.sha256,
            recording.duration_s, recording.sample_rate_hz, recording.channels,
        )  # fmt: skip
        with self._guard:
            if self._is_given_up:
                return
            try:
                database = self._opened()
                if not database.in_transaction:
                    self._begun_s = time.monotonic()
                database.execute(_NOTE, values)
                self._noted += 1
                # From the first note on, no other process may write.
                if self._noted % _BETWEEN_COMMITS == 0 or time.monotonic() - self._begun_s >= _LONGEST_S:
                    database.commit()
            except (sqlite3.Error, OSError) as problem:
                self._failed(problem)

    def flush(self) -> None:
        """Keep what was noted, and forget what was noted longest ago where that is too much."""
        with self._guard:
            self._is_given_up = False
            try:
                if self._database is not None:
                    self._database.execute(_FORGET, (_MOST,))
                    self._database.commit()
            except (sqlite3.Error, OSError) as problem:
                self._failed(problem)

    def close(self) -> None:
        """Keep what was noted, and close the file."""
        self.flush()
        with self._guard:
            if self._database is not None:
                self._database.close()
                self._database = None

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, timeout=0, check_same_thread=False)
            # What a crash loses is read again.
            database.execute("PRAGMA synchronous = OFF")
            database.execute(_TABLE)
            self._database = database
        return self._database

    def _failed(self, problem: Exception) -> None:
        """Skip what another process is in the way of, and stay in nobody's; give up for now on all else."""
        if getattr(problem, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_BUSY:
            self._give_up(problem)
        elif self._database is not None:
            self._database.rollback()

    def _give_up(self, problem: Exception) -> None:
        """Log, and do without for now; a damaged file is removed."""
        _log.warning("digests_not_used", error=str(problem)[:200])
        self._is_given_up = True
        if self._database is not None:
            self._database.close()
            self._database = None
        if isinstance(problem, sqlite3.DatabaseError) and not isinstance(problem, sqlite3.OperationalError):
            self._path.unlink(missing_ok=True)
