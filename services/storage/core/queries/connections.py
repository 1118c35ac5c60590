"""DuckDB within its limits, locked, and given what a query may read."""

from dataclasses import dataclass
from typing import Any

import duckdb
import structlog

from services.storage.core.names import literal, quoted
from services.storage.core.queries.loose_filters import FilteredRows, loose_filter
from services.storage.core.queries.pushdown import Pushdown
from services.storage.core.sandbox.guards import GUARDS
from services.storage.core.sandbox.sandbox import CheckedQuery

_log = structlog.get_logger("storage")


@dataclass(frozen=True, kw_only=True)
class QueryLimits:
    """What one query may use.

    Attributes:
        compute_s: Seconds of computing; waiting for a slow reader is not counted.
        memory_bytes: Memory of DuckDB.
        spill_bytes: Disk for what does not fit into that memory.
        threads: Threads of DuckDB.
        growth_bytes: By how much the process may grow while queries run, all of them together.
    """

    compute_s: float = 300.0
    memory_bytes: int = 1 << 30
    spill_bytes: int = 8 << 30
    threads: int = 2
    growth_bytes: int = 3 << 30


def open_connection(limits: QueryLimits, spill: str) -> Any:
    """Open a DuckDB that keeps to the limits; what its memory does not hold goes into the folder `spill`."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "memory_limit": f"{limits.memory_bytes // (1 << 20)}MiB",
            "threads": limits.threads,
            "temp_directory": spill,
            "max_temp_directory_size": f"{limits.spill_bytes // (1 << 20)}MiB",
            # Without it, DuckDB keeps for itself what a large query has used.
            "allocator_background_threads": True,
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "allow_unsigned_extensions": False,
        },
    )
    for guard in GUARDS:
        connection.execute(guard)
    return connection


def register(
    connection: Any, query: CheckedQuery, name: str, rows: Any, *, in_place_of_view: bool = False
) -> None:
    """Let the query read rows under a name, however it spells that."""
    for spelling in query.spellings(name):
        connection.unregister(spelling)
        if in_place_of_view:
            connection.execute(f"DROP VIEW IF EXISTS temp.{quoted(spelling)}")
        connection.register(spelling, rows)


def lock(connection: Any, folder: str = "") -> None:
    """Let the connection reach nothing but what it was given, and files in one folder, if any is named."""
    if folder:
        connection.execute(f"SET allowed_directories = [{literal(folder.rstrip('/') + '/')}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def rows_of(dataset: Any, query: CheckedQuery, *, single: bool) -> FilteredRows:
    """Return the rows of a table, less those of which the text of the query says that it needs none."""
    return FilteredRows(dataset, loose_filter(query.tree, dataset.schema) if single else None)


def first_rows(dataset: Any, handed_down: Pushdown) -> Any | None:  # Any: pyarrow ships no types
    """Return the few rows that a simple query can need; None where Lance cannot tell them."""
    try:
        scanner = dataset.scanner(
            columns=list(handed_down.columns),
            filter=handed_down.condition or None,
            limit=handed_down.limit,
        )
        return scanner.to_reader()
    # Lance found something in the filter that it cannot compare; DuckDB reads everything then.
    except (ValueError, OSError) as problem:
        _log.warning("filter_not_taken", error=str(problem)[:200])
        return None
