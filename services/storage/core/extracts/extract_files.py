"""An extract: the rows of one fragment of a table in a DuckDB file, which DuckDB reads faster than Lance.

Its name tells the content of the fragment, which never changes, so that no extract is ever out of date. It
has statistics for every 122 880 rows, and what these leave out is not decoded.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from services.storage.core.fragments import content
from services.storage.core.names import literal

ROWS = "rows"
"""The table in the file."""

_FORMAT = 1
# What a user's text says comes behind another kind of error: 'Invalid Input Error: ' or 'Conversion Error: '.
_DAMAGE = re.compile(
    r"(Data Corruption Error: )?Corrupt database file: |IO Error: Could not read enough bytes from file |"
    r"IO Error: The file .* is not a valid DuckDB database file"
)
_PLAIN = (
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_float32,
    pa.types.is_float64,
    pa.types.is_decimal128,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_date32,
    pa.types.is_time64,
    pa.types.is_timestamp,
)


@dataclass(frozen=True, kw_only=True)
class Extract:
    """A file that may be there.

    Attributes:
        name: Tells the content, the columns and the format; never that of another.
        path: Where it is.
    """

    name: str
    path: Path

    @property
    def alias(self) -> str:
        """What it is called in a DuckDB that reads it; no query can say this."""
        return f"__extract_{self.name}"


class OtherTypesError(ValueError):
    """DuckDB would not give back the rows as it reads them from the table."""


def can_hold(schema: pa.Schema) -> bool:
    """Tell whether every column comes back from a file as it is.

    Embeddings would, but a file of them is as large as the table, and searches have their own.
    """
    return all(_is_kept(field.type) for field in schema)


def extract_of(fragment: Any, columns: str, folder: Path) -> Extract:  # Any: lance ships no types
    """The extract of a part of a table.

    Args:
        fragment: The part.
        columns: What `columns_of` says of the table's version.
        folder: Where extracts of this table are.
    """
    facts = json.dumps([_FORMAT, duckdb.__version__, columns, content(fragment)])
    name = hashlib.sha256(facts.encode()).hexdigest()[:32]
    return Extract(name=name, path=folder / f"{name}.db")


def columns_of(dataset: Any) -> str:
    """Tell the columns of a version: a renamed one keeps its number, another of its old name has another."""
    numbers = {field.name(): field.id() for field in dataset.lance_schema.fields()}
    return json.dumps([[numbers[field.name], field.name, str(field.type)] for field in dataset.schema])


def write_extract(connection: Any, rows: pa.RecordBatchReader, path: Path) -> int:
    """Write rows into a file that does not exist, and say how many they were.

    Args:
        connection: A DuckDB of its own that may write files.
        rows: Read once, as they are written.
        path: The file.

    Raises:
        OtherTypesError: Some columns would come back as others.
    """
    connection.execute(f"ATTACH {literal(str(path))} AS written")
    connection.register("source", rows)
    read = connection.execute("DESCRIBE SELECT * FROM source").fetchall()
    connection.execute(f"CREATE TABLE written.{ROWS} AS SELECT * FROM source")  # noqa: S608 - our own words
    if _types(read) != _types(connection.execute(f"DESCRIBE written.{ROWS}").fetchall()):
        raise OtherTypesError("columns have other types in the file")
    ((count,),) = connection.execute(f"SELECT count(*) FROM written.{ROWS}").fetchall()  # noqa: S608
    connection.unregister("source")
    connection.execute("DETACH written")
    return int(count)


def require_kept(batch: pa.RecordBatch) -> None:
    """Check that a file keeps the bits of these rows.

    Raises:
        OtherTypesError: A NaN has a sign or a payload; of a run of equal values, DuckDB keeps neither.
    """
    if any(_has_odd_nan(column) for column in batch.columns):
        raise OtherTypesError("the file would lose the sign or the payload of a NaN")


def attach(connection: Any, extract: Extract, path: Path) -> None:
    """Let a DuckDB read an extract from now on.

    Args:
        connection: The DuckDB.
        extract: What is read.
        path: Where it may open it; the file is not opened again later.
    """
    connection.execute(f"ATTACH {literal(str(path))} AS {extract.alias} (READ_ONLY)")


def detach(connection: Any, extract: Extract) -> None:
    """Close an extract; nobody reads it."""
    connection.execute(f"DETACH {extract.alias}")


def is_damage(problem: Exception) -> bool:
    """Tell whether DuckDB says of a file that it is not what was written."""
    return _DAMAGE.match(str(problem)) is not None


def _types(described: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [row[:2] for row in described]


def _is_kept(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _is_kept(kind.value_type)
    if pa.types.is_struct(kind):
        return all(_is_kept(field.type) for field in kind)
    return any(is_of_kind(kind) for is_of_kind in _PLAIN)


def _has_odd_nan(values: pa.Array) -> bool:
    kind = values.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _has_odd_nan(values.flatten())
    if pa.types.is_struct(kind):
        return any(_has_odd_nan(field) for field in values.flatten())
    if not pa.types.is_floating(kind):
        return False
    numbers = values.drop_null().to_numpy(zero_copy_only=False)
    bits = np.uint64 if numbers.itemsize == np.dtype(np.uint64).itemsize else np.uint32
    plain = np.array(np.nan, numbers.dtype).view(bits)
    return bool((numbers[np.isnan(numbers)].view(bits) != plain).any())
