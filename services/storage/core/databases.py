"""DuckDBs for queries: each query has one for itself, and one that it leaves as it was serves the next.

Opening one takes longer than most queries. What a query knows of others is nothing all the same: it has a
connection of its own, with which its temporary tables and all that it was given go, and settings are locked.
"""

import contextlib
import threading
from typing import Any

from services.storage.core.connections import QueryLimits, lock, open_connection
from thanosql_objects.scratch import ScratchFolder

_MOST_IDLE = 8


class Database:
    """A DuckDB in memory, within its limits and locked, with a folder for what its memory does not hold."""

    def __init__(self, limits: QueryLimits) -> None:
        with contextlib.ExitStack() as stack:
            spill = stack.enter_context(ScratchFolder("query"))
            self._root = open_connection(limits, spill)
            stack.callback(self._root.close)
            lock(self._root)
            self._cleanup = stack.pop_all()

    def connect(self) -> Any:  # Any: DuckDB ships no types
        """Open a connection that sees nothing of those before it."""
        return self._root.cursor()

    def close(self) -> None:
        """Forget everything."""
        self._cleanup.close()


class Loan:
    """A connection to a database that nobody else has meanwhile.

    Attributes:
        connection: For one query.
        is_clean: Whether the query came to its end by itself; only then is the database used again.
    """

    def __init__(self, database: Database, databases: "Databases") -> None:
        self.connection = database.connect()
        self.is_clean = False
        self._database = database
        self._databases = databases

    def close(self) -> None:
        """Close the connection, and give the database back."""
        self.connection.close()
        if self.is_clean:
            self._databases.take_back(self._database)
        else:
            self._database.close()


class Databases:
    """Databases that wait for a query; safe to use from many threads.

    Args:
        limits: What each of them may use.
    """

    def __init__(self, limits: QueryLimits) -> None:
        self._limits = limits
        self._idle: list[Database] = []
        self._guard = threading.Lock()
        self._is_closed = False

    def lend(self) -> Loan:
        """Lend a database to a query, which closes the loan."""
        with self._guard:
            database = self._idle.pop() if self._idle else None
        return Loan(database or Database(self._limits), self)

    def take_back(self, database: Database) -> None:
        """Keep a database for the next query, unless enough are kept."""
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
