"""DuckDBs for queries: each query has one for itself, and one that it leaves as it was serves the next.

Opening one takes longer than most queries. What a query knows of others is nothing all the same: it has a
connection of its own, with which its temporary tables and all that it was given go, and settings are locked.
"""

import contextlib
import os
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import duckdb
import structlog

from services.storage.core.extracts.extract_files import Extract, attach, detach, is_damage
from services.storage.core.extracts.extracts import Extracts
from services.storage.core.names import quoted
from services.storage.core.process_memory import Growth
from services.storage.core.queries.connections import QueryLimits, lock, open_connection
from services.storage.core.queries.outgoing import Scale
from services.storage.core.watching import Watcher
from thanosql_objects.scratch import ScratchFolder

_log = structlog.get_logger("storage")

_MOST_IDLE = 8
# What a database that waits has read of its extracts stays in memory.
_MOST_OPEN_BYTES = 32 << 20


class Database:
    """A DuckDB in memory, within its limits and locked, with a folder for what its memory does not hold.

    The only files that it can open are in a folder of its own, which is empty while a query runs.

    Args:
        limits: What it may use.
        extracts: What it may read beside what it is given.

    Attributes:
        scale: Weighs what leaves it.
    """

    def __init__(self, limits: QueryLimits, extracts: Extracts | None = None) -> None:
        self._extracts = extracts
        self._open: dict[Extract, int] = {}
        self._shown: dict[str, str] = {}
        self._links: Path | None = None
        with contextlib.ExitStack() as stack:
            spill = stack.enter_context(ScratchFolder("query"))
            if extracts is not None:
                self._links = _links(stack, extracts)
            self._root = open_connection(limits, spill)
            stack.callback(self._root.close)
            self.scale = Scale(limits.memory_bytes)
            self.scale.serve(self._root)
            lock(self._root, str(self._links or ""))
            self._cleanup = stack.pop_all()

    @property
    def open_bytes(self) -> int:
        """Length of the extracts that are open."""
        return sum(self._open.values())

    def connect(self) -> Any:  # Any: DuckDB ships no types
        """Open a connection that sees nothing of those before it."""
        return self._root.cursor()

    def misses(self, extracts: Collection[Extract]) -> int:
        """How many of these are not open."""
        return sum(extract not in self._open for extract in extracts)

    def open_extracts(self, extracts: Collection[Extract]) -> frozenset[Extract]:
        """Open these extracts and no others, and say which of them can be read."""
        superfluous = [extract for extract in self._open if extract not in extracts]
        if superfluous:
            self.show({})  # Some views may read them.
        for extract in superfluous:
            del self._open[extract]
            detach(self._root, extract)
        for extract in extracts:
            if extract not in self._open:
                self._attach(extract)
        return frozenset(self._open)

    def show(self, views: Mapping[str, str]) -> None:
        """Let queries read these views, SQL by names, and no others.

        They stay, for the next query may read the same ones: to make one takes as long as to plan a query.
        """
        # DuckDB takes names for the same that differ in the case of ASCII letters.
        wanted = {name.encode().lower().decode(): sql for name, sql in views.items()}
        for name in [name for name, sql in self._shown.items() if wanted.get(name) != sql]:
            del self._shown[name]
            self._root.execute(f"DROP VIEW {quoted(name)}")
        for name, sql in wanted.items():
            if name not in self._shown:
                self._root.execute(f"CREATE VIEW {quoted(name)} AS {sql}")
                self._shown[name] = sql

    def report_damage(self) -> None:
        """Have the extracts deleted that are open: one of them is not what was written."""
        if self._extracts is not None:
            self._extracts.damaged(self._open)

    def _attach(self, extract: Extract) -> None:
        if self._links is None or self._extracts is None:
            return
        link = self._links / extract.path.name
        try:
            # A name that is there only now: no query can open it, and what is open outlives its deletion.
            os.link(extract.path, link)
            size_bytes = link.stat().st_size
        except OSError as problem:  # It has gone, or the file system has no links.
            _log.warning("extract_not_linked", error=str(problem)[:200])
            return
        try:
            attach(self._root, extract, link)
            self._open[extract] = size_bytes
        except duckdb.Error as problem:
            _log.warning("extract_not_opened", error=str(problem)[:200])
            if is_damage(problem):  # Not where memory or open files are short: the table is read then.
                self._extracts.damaged([extract])
        finally:
            link.unlink(missing_ok=True)

    def close(self) -> None:
        """Forget everything."""
        self._cleanup.close()


class Loan:
    """A connection to a database that nobody else has meanwhile.

    Attributes:
        connection: For one query.
        opened: The extracts that it can read.
        watcher: Watches the steps of the query.
        scale: Weighs what leaves it.
        is_clean: Whether the query came to its end by itself; only then is the database used again.
    """

    def __init__(
        self, database: Database, databases: "Databases", extracts: Collection[Extract] = ()
    ) -> None:
        self.opened = database.open_extracts(extracts)
        self.watcher = databases.watcher
        self.connection = database.connect()
        self.scale = database.scale
        self.is_clean = False
        self._database = database
        self._databases = databases

    def show(self, views: Mapping[str, str]) -> None:
        """Let the query read these views, SQL by names, and none of the queries before it."""
        self._database.show(views)

    def report_damage(self) -> None:
        """Have the extracts deleted that the query read: one of them is not what was written."""
        self._database.report_damage()

    def close(self) -> None:
        """Close the connection, and give the database back."""
        self.connection.close()
        if self.is_clean:
            self._databases.take_back(self._database)
        else:
            self._database.close()


class Databases:
    """Databases that wait for a query; safe to use from many threads.

    Attributes:
        watcher: Watches the steps of all queries.

    Args:
        limits: What each of them may use.
        extracts: What they may read beside what they are given.
    """

    def __init__(self, limits: QueryLimits, extracts: Extracts | None = None) -> None:
        self.watcher = Watcher(Growth(limits.growth_bytes))
        self._limits = limits
        self._extracts = extracts
        self._idle: list[Database] = []
        self._guard = threading.Lock()
        self._is_closed = False

    def lend(self, extracts: Collection[Extract] = ()) -> Loan:
        """Lend a database to a query, which closes the loan.

        Args:
            extracts: What the query reads, as far as it can be opened.
        """
        with self._guard:
            # The newest of those that have most of them open.
            database = min(reversed(self._idle), key=lambda idle: idle.misses(extracts), default=None)
            if database is not None:
                self._idle.remove(database)
        database = database or Database(self._limits, self._extracts)
        try:
            return Loan(database, self, extracts)
        except (duckdb.Error, OSError):
            database.close()
            raise

    def take_back(self, database: Database) -> None:
        """Keep a database for the next query, unless enough are kept."""
        if database.open_bytes > _MOST_OPEN_BYTES:
            try:
                database.open_extracts(())
            except duckdb.Error as problem:  # Nobody knows what it has open.
                _log.warning("extracts_not_closed", error=str(problem)[:200])
                database.close()
                return
        with self._guard:
            is_kept = not self._is_closed and len(self._idle) < _MOST_IDLE
            if is_kept:
                self._idle.append(database)
        if not is_kept:
            database.close()

    def close(self) -> None:
        """Close those that wait; those that are lent are closed when they come back."""
        with self._guard:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for database in idle:
            database.close()


def _links(stack: contextlib.ExitStack, extracts: Extracts) -> Path | None:
    try:
        return Path(stack.enter_context(extracts.shelf.scratch("open")))
    except OSError as problem:  # The disk is full, or must not be written: tables are read then.
        _log.warning("extracts_not_used", error=str(problem)[:200])
        return None
