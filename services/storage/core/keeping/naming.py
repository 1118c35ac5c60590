"""Which recordings in keeping a table names: any version of it, in any column that holds text.

The files of a table never change, and a version stays as long as its files. So what a file names is read
once and noted here; a look lists the files, and reads those that are new. A file that no version has yet, or
any more, still counts: at worst a recording stays longer.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from lance.file import LanceFileReader

from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.outages import panics_told, store_unreadable
from services.storage.core.widths import MOST_ROWS, rows_in_step
from thanosql_objects.kept_audio import KEPT_AUDIO_SIGN, digests_in
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import Reason, error

# Another number where more is looked for in a file: what was noted before is then noted anew.
_VERSION = 1
_OUTDATED = """
    DROP TABLE IF EXISTS files;
    DROP TABLE IF EXISTS named;
"""
# One transaction notes a file and all that it names: a file that is known here is never read again.
_TABLES = """
    CREATE TABLE IF NOT EXISTS files (number INTEGER PRIMARY KEY, uri TEXT UNIQUE);
    CREATE TABLE IF NOT EXISTS named (sha256 TEXT, file INTEGER, PRIMARY KEY (sha256, file)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS named_by_file ON named (file);
    CREATE TEMP TABLE present (uri TEXT PRIMARY KEY);
    CREATE TEMP TABLE found (sha256 TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TEMP TABLE unnamed (key TEXT PRIMARY KEY, sha256 TEXT, size_bytes INTEGER, modified_s REAL);
"""
_FORGET = (
    "DELETE FROM named WHERE file IN (SELECT number FROM files WHERE uri NOT IN (SELECT uri FROM present))",
    "DELETE FROM files WHERE uri NOT IN (SELECT uri FROM present)",
)


class NamedRecordings:
    """What the files of tables name; used by one thread at a time.

    Args:
        path: The file that holds it; it may be deleted while the server does not run.
        homes: Where tables are.
    """

    def __init__(self, path: Path, homes: Sequence[TableHome]) -> None:
        self._path = path
        self._homes = homes

    @contextlib.contextmanager
    def look(self) -> Iterator["Look"]:
        """Look at the tables as they are now; memory does not follow their size.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self._path)) as database:
                _make(database)
                yield Look(database, self._homes)
        except sqlite3.Error as problem:
            if not isinstance(problem, sqlite3.OperationalError):
                self._path.unlink(missing_ok=True)  # Damaged: the next look reads all files.
            message = f"what tables name cannot be noted in {self._path}: {problem}"
            raise error(Reason.STORE_UNAVAILABLE, message) from problem


class Look:
    """One look at the tables, and at recordings that they may name."""

    def __init__(self, database: sqlite3.Connection, homes: Sequence[TableHome]) -> None:
        self._database = database
        self._homes = homes

    def refresh(self) -> None:
        """Read the files that are new, and forget those that are gone."""
        self._database.execute("DELETE FROM present")
        for home in self._homes:
            for uri, info in home.data_files():
                self._database.execute("INSERT OR IGNORE INTO present VALUES (?)", (uri,))
                if not self._database.execute("SELECT 1 FROM files WHERE uri = ?", (uri,)).fetchone():
                    self._read(uri, info.size_bytes, home)
        with self._database:
            for statement in _FORGET:
                self._database.execute(statement)

    def compare(self, kept: Iterable[ObjectInfo]) -> None:
        """Find out which of these recordings no table names; call it once."""
        rows = (
            (info.key, sha256, info.size_bytes, info.modified_s)
            for info in kept
            for sha256 in digests_in(info.key)
        )
        found = self._database.executemany("INSERT OR REPLACE INTO unnamed VALUES (?, ?, ?, ?)", rows)
        if found.rowcount < 1:
            return  # Nothing is kept: what the tables name does not matter.
        # Only now: what was named meanwhile was kept before.
        self.refresh()
        with self._database:
            self._database.execute("DELETE FROM unnamed WHERE sha256 IN (SELECT sha256 FROM named)")

    def take(self, info: ObjectInfo) -> bool:
        """Tell whether a recording is unnamed and as it was; it is not asked for again."""
        taken = self._database.execute(
            "DELETE FROM unnamed WHERE key = ? AND size_bytes = ? AND modified_s = ?",
            (info.key, info.size_bytes, info.modified_s),
        )
        return taken.rowcount == 1

    def rest(self, most: int) -> Iterator[list[ObjectInfo]]:
        """Yield the unnamed recordings that nobody asked for, so many at a time."""
        found = self._database.execute("SELECT key, size_bytes, modified_s FROM unnamed ORDER BY key")
        while rows := found.fetchmany(most):
            yield [ObjectInfo(key=key, size_bytes=size, modified_s=modified) for key, size, modified in rows]

    def is_named(self, key: str) -> bool:
        """Tell whether a table names a recording."""
        return any(
            self._database.execute("SELECT 1 FROM named WHERE sha256 = ?", (sha256,)).fetchone()
            for sha256 in digests_in(key)
        )

    def _read(self, uri: str, size_bytes: int, home: TableHome) -> None:
        # No lock is held while the file is read, which may take minutes: `found` is this connection's own.
        self._database.commit()
        self._database.execute("DELETE FROM found")
        rows = ((sha256,) for sha256 in _named_in(uri, size_bytes, home))
        self._database.executemany("INSERT OR IGNORE INTO found VALUES (?)", rows)
        with self._database:
            number = self._database.execute("INSERT INTO files (uri) VALUES (?)", (uri,)).lastrowid
            self._database.execute("INSERT INTO named SELECT sha256, ? FROM found", (number,))


def _make(database: sqlite3.Connection) -> None:
    if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        database.executescript(f"BEGIN; {_OUTDATED} PRAGMA user_version = {_VERSION}; COMMIT")
    database.executescript(_TABLES)


def _named_in(uri: str, size_bytes: int, home: TableHome) -> Iterator[str]:
    """Yield the digests of the recordings that a file of a table names; nothing of one that is gone."""
    try:
        with panics_told(uri):
            for texts in _texts_in(uri, size_bytes, home):
                yield from _digests(texts)
    except (OSError, RuntimeError, ValueError) as problem:
        if home.has_data_file(uri):
            raise store_unreadable(problem, uri) from problem


def _texts_in(uri: str, size_bytes: int, home: TableHome) -> Iterator[pa.Array]:
    schema = LanceFileReader(uri, storage_options=home.options).metadata().schema
    columns = [field.name for field in schema if _has_text(field.type)]
    if not columns:
        return
    reader = LanceFileReader(uri, storage_options=home.options, columns=columns)
    count = reader.num_rows()
    step = rows_in_step(count, size_bytes)
    # In ranges: within one, Lance reads ahead as fast as the store answers.
    for first in range(0, count, step):
        rows = reader.read_range(first, min(step, count - first), batch_size=MOST_ROWS, batch_readahead=1)
        for batch in rows.to_batches():
            for column in batch.columns:
                yield from _texts(column)


def _has_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _has_text(kind.value_type)
    if pa.types.is_nested(kind):
        return any(_has_text(kind.field(index).type) for index in range(kind.num_fields))
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _texts(values: pa.Array) -> Iterator[pa.Array]:
    """Yield every array of texts in an array, however deep."""
    kind = values.type
    if not _has_text(kind):
        return
    if pa.types.is_dictionary(kind):
        yield from _texts(values.dictionary)
    elif pa.types.is_struct(kind):
        for part in values.flatten():
            yield from _texts(part)
    elif pa.types.is_map(kind):
        yield from _texts(values.keys)
        yield from _texts(values.items)
    elif pa.types.is_nested(kind):
        yield from _texts(values.flatten())
    else:
        yield values


def _digests(texts: pa.Array) -> Iterator[str]:
    naming = texts.filter(pc.match_substring(texts, KEPT_AUDIO_SIGN), null_selection_behavior="drop")
    for text in naming:
        yield from digests_in(text.as_py())
