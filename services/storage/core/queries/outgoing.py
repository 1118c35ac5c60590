"""The rows of an answer on their way out of DuckDB, whose limit of memory does not see what leaves it.

There a value that many rows share, which is one value inside, becomes one for each of them: up to 2048 copies
at once of every column. So the bytes of large rows are counted before any copy of them is made.
"""

import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from duckdb.sqltypes import BIGINT

from services.storage.core.queries.weights import total, weight, width
from thanosql_runtime.errors import Reason, ThanosqlError, error

FAILURES = (duckdb.Error, pa.ArrowException, OSError)
"""What taking rows raises."""

FEW_ROWS = 64
"""How many rows leave together where more were too large."""

# DuckDB's own step. With several steps in one, narrow rows that come first let so many rows on their way out
# that wide ones behind them are too many, after which nothing can begin anew.
_WEIGHED_ROWS = 2048

_MANY_WEIGHTS = 64
# More would not fit into one column of Arrow, whose offsets have 32 bits.
_MOST_BYTES = 2_000_000_000
# Rows so small that as many of them as leave at once are bearable are not counted.
_UNCOUNTED_ROWS = 1 << 16


class Scale:
    """Knows how many bytes of large rows have left DuckDB and were not taken yet.

    Attributes:
        most_bytes: How many there may be.
        from_bytes: Rows smaller than this are not weighed.
        is_full: Whether there were too many.
    """

    def __init__(self, memory_bytes: int) -> None:
        self.most_bytes = min(memory_bytes // 2, _MOST_BYTES)
        self.from_bytes = memory_bytes // _UNCOUNTED_ROWS
        self.is_full = False
        self._out_bytes = 0
        self._guard = threading.Lock()

    def serve(self, connection: Any) -> None:  # Any: DuckDB ships no types
        """Let the SQL of a connection, and of its cursors, weigh rows."""
        connection.create_function("__weigh", self._weigh, [BIGINT], BIGINT, type="arrow", side_effects=True)

    def clear(self) -> None:
        """Begin anew."""
        with self._guard:
            self.is_full, self._out_bytes = False, 0

    def take(self, weights: pa.Array) -> None:
        """Note that rows of these weights were taken."""
        if self._out_bytes:
            with self._guard:
                self._out_bytes -= pc.sum(weights, min_count=0).as_py()

    def _weigh(self, weights: pa.ChunkedArray) -> pa.ChunkedArray:
        """Called by DuckDB for the large rows of a step, before they leave."""
        with self._guard:
            self._out_bytes += pc.sum(weights, min_count=0).as_py()
            self.is_full = self.is_full or self._out_bytes > self.most_bytes
            if self.is_full:
                raise MemoryError("the next rows of the answer take too much memory")
        return weights


class OutgoingRows:
    """The rows of a query as they leave DuckDB.

    Args:
        connection: Where the query runs; the scale serves it.
        sql: The query, one statement.
        scale: Weighs large rows; None for an answer that repeats nothing.
        rows: How many leave together at most.
    """

    def __init__(self, connection: Any, sql: str, scale: Scale | None, rows: int) -> None:
        relation = connection.sql(sql)
        self._names: list[str] = relation.columns
        if scale is not None:
            scale.clear()
        weighed = _weighed(sql, relation.types, scale.from_bytes) if scale else None
        self._scale = scale if weighed else None
        if weighed:
            relation = connection.sql(weighed)
        self._reader = relation.to_arrow_reader(min(rows, _WEIGHED_ROWS) if weighed else rows)
        schema = self._reader.schema
        fields = [schema.field(place).with_name(name) for place, name in enumerate(self._names)]
        self.schema = pa.schema(fields, schema.metadata)

    def next(self) -> pa.RecordBatch | None:
        """Take the next rows; None after the last."""
        batch = next(self._reader, None)
        if batch is None or self._scale is None:
            return batch
        self._scale.take(batch.column(batch.num_columns - 1))
        return pa.RecordBatch.from_arrays(batch.columns[:-1], schema=self.schema)


def too_large(scale: Scale) -> ThanosqlError:
    """The failure of a query whose rows are too large to leave together."""
    most_mib = scale.most_bytes >> 20
    message = (
        f"the next rows of the answer take more than {most_mib} MiB, half of the memory that one query may "
        "use; select fewer or shorter values (left(text, 1000)), repeat them in fewer rows, "
        "or raise THANOSQL_STORAGE__QUERY_MEMORY_BYTES"
    )
    return error(Reason.QUERY_TOO_LARGE, message)


def _unended(sql: str) -> str:
    """Return a statement without its semicolon, so that it can stand in parentheses."""
    text = sql.encode()
    for offset, kind in duckdb.tokenize(sql):
        if kind == duckdb.token_type.operator and text[offset : offset + 1] == b";":
            return text[:offset].decode()
    return sql


def _weighed(sql: str, kinds: Sequence[Any], from_bytes: int) -> str | None:
    """Write the query with the weight of each large row as one more column; None where none can be large."""
    names = [f"c{place}" for place in range(len(kinds))]
    widths = [width(kind) for kind in kinds]
    fixed = sum(each or 0 for each in widths)
    weights = [
        weight(name, kind) for name, kind, each in zip(names, kinds, widths, strict=True) if each is None
    ]
    if not weights and fixed < from_bytes:
        return None
    is_large, size = _size(weights, fixed, from_bytes)
    weighing = f"__weigh(CAST({size} AS BIGINT))"
    columns = ", ".join([*names, f"CASE WHEN {is_large} THEN {weighing} END AS weight"])
    return f"SELECT {columns} FROM (\n{_unended(sql)}\n) AS answer({', '.join(names)})"  # noqa: S608 - names of our own


def _size(weights: Sequence[str], fixed: int, from_bytes: int) -> tuple[str, str]:
    """Write whether a row is large, and its bytes."""
    if len(weights) > _MANY_WEIGHTS:
        # A list for each row takes longer to compute, and a sum of thousands of parts longer to plan.
        size = f"coalesce(list_sum([{', '.join(weights)}]), 0) + {fixed}"
        return f"{size} >= {from_bytes}", size
    least = max(from_bytes - fixed, 0) // max(len(weights), 1)
    is_large = f"greatest(0, {', '.join(weights)}) >= {least}" if weights else "TRUE"
    return is_large, total([*weights, str(fixed)])
