"""A table as a view of its parts, for a DuckDB that has their extracts open."""

from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from typing import Any

import pyarrow as pa

from services.storage.core.extracts.extract_files import ROWS, Extract
from services.storage.core.extracts.extracts import Part
from services.storage.core.names import quoted
from services.storage.core.queries.loose_filters import FilteredRows


def extracts_view(extracts: Iterable[Extract]) -> str:
    """Write the rows of extracts, one behind the other, as SQL for a DuckDB that has all of them open."""
    return " UNION ALL ".join(f"(FROM {extract.alias}.{ROWS})" for extract in extracts)


def show_parts(
    connection: Any,  # Any: DuckDB ships no types
    spellings: Iterable[str],
    parts: Iterable[Part],
    opened: Collection[Extract],
    rows: FilteredRows,
) -> None:
    """Let a query read a table by its parts, in their order, each from its extract or from the table.

    Args:
        connection: The query's.
        spellings: The names that the table has in the query.
        parts: All parts of it.
        opened: The extracts that the connection can read.
        rows: The table itself, for the other parts.
    """
    # DuckDB hands no filter down below an OFFSET. One that Lance refuses could not be taken back: rows of the
    # parts before it have been answered by then.
    is_filtered = all(_is_filtered(field.type) for field in rows.schema)
    for number, name in enumerate(spellings):
        selects = []
        for place, (source, fragments) in enumerate(_sources(parts, opened)):
            relation = f"{source.alias}.{ROWS}" if source else f"__part_{number}_{place}"
            if source is None:
                connection.register(relation, rows.of(fragments, is_filtered=is_filtered))
            end = "" if source or is_filtered else " OFFSET 0"
            selects.append(f"(FROM {relation}{end})")
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS {' UNION ALL '.join(selects)}")


def _is_filtered(kind: pa.DataType) -> bool:
    """Tell whether Lance takes every filter on a table that has columns of this type."""
    if pa.types.is_boolean(kind) or pa.types.is_floating(kind) or pa.types.is_signed_integer(kind):
        return True
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _sources(
    parts: Iterable[Part], opened: Collection[Extract]
) -> Iterator[tuple[Extract | None, list[Any]]]:
    """What is read from where; an extract that could not be opened is as none."""

    def source_of(part: Part) -> Extract | None:
        return part.extract if part.extract in opened else None

    for source, neighbours in groupby(parts, key=source_of):
        yield source, [part.fragment for part in neighbours]
