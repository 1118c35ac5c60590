"""Transcripts that were computed, by the content of the recording and the manner in which it was heard.

They spare work and hold nothing that could not be computed again: all of it may be deleted while the server
does not run. What is found or made is used; what was used longest ago goes first.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from thanosql_runtime.errors import Reason, error

_log = structlog.get_logger("storage")
_BUSY_S = 5.0
# What says that the file itself is of no use any more.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
# When something was used is noted this exactly, so that finding it seldom writes.
_USE_STEP_S = 6 * 3600.0
_DELETED_AT_ONCE = 1000
# Deleting down to this share of the limit keeps the next transcripts from deleting again.
_FULL = 0.9
_MOST_DIGESTS = 1000
_DIGEST_BYTES = 32
# Two megabytes, half of what a message may have.
_MOST_KNOWN = 250_000
_TABLES = """
    CREATE TABLE IF NOT EXISTS manners (
        number INTEGER PRIMARY KEY, manner TEXT UNIQUE, model TEXT, version INTEGER
    );
    CREATE TABLE IF NOT EXISTS transcripts (
        number INTEGER PRIMARY KEY AUTOINCREMENT, manner INTEGER, audio BLOB, content BLOB, used_s REAL,
        UNIQUE (manner, audio)
    );
    CREATE INDEX IF NOT EXISTS transcripts_by_use ON transcripts (used_s);
"""
_FIND = """
    SELECT transcripts.number, content, used_s
    FROM transcripts JOIN manners ON manners.number = transcripts.manner
    WHERE manners.manner = ? AND audio = ?
"""
_KNOWN = """
    SELECT substr(audio, 1, 8) FROM transcripts JOIN manners ON manners.number = transcripts.manner
    WHERE manners.manner = ? LIMIT ?
"""
# One that is made anew keeps its number: a stream that began before would take it for new.
_KEEP = """
    INSERT INTO transcripts (manner, audio, content, used_s) VALUES (?, ?, ?, ?)
    ON CONFLICT (manner, audio) DO UPDATE SET content = excluded.content, used_s = excluded.used_s
"""
_TALLIES = """
    SELECT model, version, count(*), sum(length(content)), max(used_s)
    FROM transcripts JOIN manners ON manners.number = transcripts.manner
    GROUP BY model, version ORDER BY model, version
"""
_FORGET = """
    DELETE FROM transcripts WHERE manner IN (
        SELECT number FROM manners
        WHERE (:model = '' OR model = :model) AND (:version = 0 OR version = :version)
    )
"""
_FORGET_OLDEST = """
    DELETE FROM transcripts WHERE number IN (SELECT number FROM transcripts ORDER BY used_s, number LIMIT ?)
"""


@dataclass(frozen=True, kw_only=True)
class TranscriptLimits:
    """How much is kept, and for how long.

    Attributes:
        total_bytes: Size of the file; 0 keeps nothing.
        unused_s: Seconds after which what nobody has used goes.
    """

    total_bytes: int
    unused_s: float


@dataclass(frozen=True, kw_only=True)
class Manner:
    """What a transcript depends on beside the recording: its digest, and the version of the model."""

    digest: str
    model: str
    version: int


@dataclass(frozen=True, kw_only=True)
class KeptTranscript:
    """A transcript of one recording; `number` is higher the later its recording was first kept."""

    audio_sha256: str
    content: bytes
    number: int = 0


@dataclass(frozen=True, kw_only=True)
class FoundTranscripts:
    """What is kept, and the number of the newest of all; `keeps` is False while nothing is.

    `known` are the first 8 bytes of the digests of all that are kept in the same manner; None where nobody
    asked, or there are too many.
    """

    keeps: bool
    newest: int = 0
    transcripts: Sequence[KeptTranscript] = ()
    known: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class TranscriptTally:
    """What one version of a model made, and when some of it was used last."""

    model: str
    version: int
    transcripts: int
    size_bytes: int
    used_s: float


class Transcripts:
    """Safe to use from many threads; where the disk fails, nothing is kept until the next `clean`.

    Args:
        path: The file that holds them.
        limits: See there.
        clock: Seconds since the epoch.
    """

    def __init__(self, path: Path, limits: TranscriptLimits, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._guard = threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._is_given_up = False
        if not limits.total_bytes:
            # Who sets that nothing is kept wants what was kept to go.
            _delete_file(path)

    def find(self, manner: str, digests: Sequence[str], *, list_known: bool = False) -> FoundTranscripts:
        """Return what is kept of these recordings, in the order of the digests."""
        audio = _bytes_of(digests)
        found: list[KeptTranscript] = []
        newest, known = 0, None
        with self._database_in_use() as database:
            if database is None:
                return FoundTranscripts(keeps=False)
            newest = _newest(database)
            known = _known(database, manner) if list_known else None
            for digest, content in zip(digests, audio, strict=True):
                row = database.execute(_FIND, (manner, content)).fetchone()
                if row is not None:
                    found.append(KeptTranscript(audio_sha256=digest, content=row[1], number=row[0]))
                    self._note_use(database, row[0], row[2])
        return FoundTranscripts(keeps=not self._is_given_up, newest=newest, transcripts=found, known=known)

    def keep(self, manner: Manner, transcripts: Sequence[KeptTranscript]) -> None:
        """Keep transcripts as one commit, in place of those of the same recordings in the same manner."""
        audio = _bytes_of([transcript.audio_sha256 for transcript in transcripts])
        with self._database_in_use() as database:
            if database is None:
                return
            number, now_s = _number_of(database, manner), self._clock()
            rows = [
                (number, content, transcript.content, now_s)
                for content, transcript in zip(audio, transcripts, strict=True)
            ]
            database.executemany(_KEEP, rows)
            if _used_bytes(database) > self._limits.total_bytes:
                self._forget_beyond_limit(database)

    def tallies(self) -> Sequence[TranscriptTally] | None:
        """Count what is kept, by name and version of the model; None where nothing is kept."""
        rows: list[tuple[str, int, int, int, float]] | None = None
        with self._database_in_use() as database:
            rows = None if database is None else database.execute(_TALLIES).fetchall()
        if rows is None:
            return None
        return [
            TranscriptTally(model=model, version=version, transcripts=count, size_bytes=size, used_s=used)
            for model, version, count, size, used in rows
        ]

    def forget(self, model: str = "", version: int = 0) -> int:
        """Delete what a version made, or a model, or all; the bytes on the disk are overwritten.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE where the file is in use or fails; nothing is deleted then.
        """
        # Tried also after a failure of what nothing needed.
        self._is_given_up = False
        deleted: int | None = None
        with self._database_in_use() as database:
            if database is not None:
                count = database.execute(_FORGET, {"model": model, "version": version}).rowcount
                database.commit()
                deleted = count
                _give_back(database)
        if deleted is None and self._limits.total_bytes:
            message = "transcripts could not be deleted: their file is in use or its disk fails; try again"
            raise error(Reason.STORE_UNAVAILABLE, message)
        return deleted or 0

    def clean(self) -> int:
        """Delete what nobody has used for long, and say how many that were; try again where a disk failed."""
        self._is_given_up = False
        deleted = 0
        with self._database_in_use() as database:
            if database is not None:
                before_s = self._clock() - self._limits.unused_s
                deleted = database.execute("DELETE FROM transcripts WHERE used_s < ?", (before_s,)).rowcount
                self._forget_beyond_limit(database)
                database.commit()
                _give_back(database)
        return deleted

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            if self._database is not None:
                self._database.close()
                self._database = None

    @contextmanager
    def _database_in_use(self) -> Iterator[sqlite3.Connection | None]:
        """Give the database to one thread at a time, and None where there is none; commits at the end."""
        with self._guard:
            database = self._opened()
            try:
                yield database
                if database is not None:
                    database.commit()
            except (sqlite3.Error, OSError) as problem:
                self._failed(problem)

    def _opened(self) -> sqlite3.Connection | None:
        if self._is_given_up or not self._limits.total_bytes:
            return None
        if self._database is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._database = sqlite3.connect(self._path, timeout=_BUSY_S, check_same_thread=False)
                _prepare(self._database)
            except (sqlite3.Error, OSError) as problem:
                self._failed(problem)
        return self._database

    def _note_use(self, database: sqlite3.Connection, number: int, used_s: float) -> None:
        now_s = self._clock()
        if now_s - used_s >= _USE_STEP_S:
            database.execute("UPDATE transcripts SET used_s = ? WHERE number = ?", (now_s, number))

    def _forget_beyond_limit(self, database: sqlite3.Connection) -> None:
        if _used_bytes(database) <= self._limits.total_bytes:
            return
        count = int(database.execute("SELECT count(*) FROM transcripts").fetchone()[0])
        # By a share of them: where they are large, a fixed number could be all of them.
        at_once = max(1, min(_DELETED_AT_ONCE, count // 50))
        while _used_bytes(database) > self._limits.total_bytes * _FULL:
            if not database.execute(_FORGET_OLDEST, (at_once,)).rowcount:
                return

    def _failed(self, problem: Exception) -> None:
        """Skip what another process is in the way of; give up for now on all else."""
        if self._database is not None:
            self._database.close()
            self._database = None
        if getattr(problem, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return
        _log.warning("transcripts_not_kept", error=str(problem)[:200])
        self._is_given_up = True
        if getattr(problem, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
            _delete_file(self._path)


def _delete_file(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        try:
            path.with_name(path.name + ending).unlink(missing_ok=True)
        except OSError as problem:
            _log.warning("transcripts_not_deleted", error=str(problem)[:200])


def _prepare(database: sqlite3.Connection) -> None:
    # What people said shall not stay on the disk when it was deleted.
    database.execute("PRAGMA secure_delete = ON")
    database.execute("PRAGMA auto_vacuum = INCREMENTAL")
    database.execute("PRAGMA journal_mode = WAL")
    # A commit survives the death of the process; one that the machine's death takes is computed again.
    database.execute("PRAGMA synchronous = NORMAL")
    database.executescript(_TABLES)


def _bytes_of(digests: Sequence[str]) -> list[bytes]:
    if len(digests) > _MOST_DIGESTS:
        message = f"{len(digests)} recordings are named, {_MOST_DIGESTS} at most are taken; send fewer"
        raise error(Reason.INVALID_ARGUMENT, message)
    try:
        audio = [bytes.fromhex(digest) for digest in digests]
    except ValueError as failure:
        message = "a digest of a recording is not written in hexadecimal; send its SHA-256"
        raise error(Reason.INVALID_ARGUMENT, message) from failure
    if any(len(digest) != _DIGEST_BYTES for digest in audio):
        message = f"the digest of a recording has another length than {_DIGEST_BYTES} bytes; send its SHA-256"
        raise error(Reason.INVALID_ARGUMENT, message)
    return audio


def _number_of(database: sqlite3.Connection, manner: Manner) -> int:
    row = (manner.digest, manner.model, manner.version)
    database.execute("INSERT OR IGNORE INTO manners (manner, model, version) VALUES (?, ?, ?)", row)
    found = database.execute("SELECT number FROM manners WHERE manner = ?", (manner.digest,)).fetchone()
    return int(found[0])


def _newest(database: sqlite3.Connection) -> int:
    """Return the number that was given last, also where its transcript is gone."""
    row = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'transcripts'").fetchone()
    return 0 if row is None else int(row[0])


def _known(database: sqlite3.Connection, manner: str) -> bytes | None:
    rows = database.execute(_KNOWN, (manner, _MOST_KNOWN + 1)).fetchall()
    return None if len(rows) > _MOST_KNOWN else b"".join(prefix for (prefix,) in rows)


def _used_bytes(database: sqlite3.Connection) -> int:
    pages = int(database.execute("PRAGMA page_count").fetchone()[0])
    free = int(database.execute("PRAGMA freelist_count").fetchone()[0])
    return (pages - free) * int(database.execute("PRAGMA page_size").fetchone()[0])


def _give_back(database: sqlite3.Connection) -> None:
    """Give what was deleted back to the disk, and empty the log that holds it still."""
    # Each step gives one page back, and `execute` takes one step alone.
    database.executescript("PRAGMA incremental_vacuum")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
