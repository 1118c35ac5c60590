"""Rows of the table behind a plain read: what its condition is asked about, and those that are answered."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from services.storage.core.searching.plain_reads import TABLE, PlainRead

TAKEN_ROWS = 1000
"""Rows that are taken at once."""


def register_rows(connection: Any, dataset: Any, read: PlainRead) -> None:
    """Let the query of the read's condition see the table."""
    rows = dataset.scanner(columns=list(read.condition_columns), with_row_id=True).to_reader()
    connection.register(TABLE, rows)


def arrays_at(dataset: Any, addresses: list[int], columns: Iterable[str]) -> dict[str, pa.Array]:
    """Read columns of the rows at some addresses, in their order."""
    # Lance's public `take` counts rows from the first; addresses are what a scan tells.
    rows = dataset._take_rows(addresses, columns=sorted(set(columns))).combine_chunks()
    return {name: rows.column(name).combine_chunks() for name in rows.column_names}
