"""The rows nearest to an embedding, found by the packed embeddings of their table, and scored exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from services.storage.core.searching.best_rows import BestRows
from services.storage.core.searching.embeddings import MISSING, UNUSABLE, USABLE, Mask, Numbers, cosines
from services.storage.core.searching.plain_reads import PlainRead
from services.storage.core.searching.table_rows import TAKEN_ROWS, arrays_at, register_rows
from services.storage.core.searching.vector_files import Addresses, Packed, VectorIndex, packed_rows

# How far two ways to add up a thousand products in float32 may differ; scores have six decimals.
_SLACK = 5e-5


class IndexedVectors:
    """Finds rows of a plain read of one table.

    Args:
        index: The index of the column.
        dataset: The version of the table that is searched; the index holds all of it, or its first parts.
        new_fragments: The parts of the table that the index does not hold.
        read: What the query reads.
    """

    def __init__(
        self, index: VectorIndex, dataset: Any, *, new_fragments: Sequence[Any], read: PlainRead
    ) -> None:
        self.manner = f"through the index of the embeddings in '{read.searched}'"
        self._index = index
        self._dataset = dataset
        self._new_fragments = new_fragments
        self._read = read

    def find(self, connection: Any, wanted: Numbers, top_k: int, memory_bytes: int) -> "Found":
        """Find the best rows, the same that comparing every row finds.

        Raises:
            ThanosqlError: QUERY_TOO_LARGE.
        """
        packed = [self._index.packed, *self._new_rows()]
        addresses = np.concatenate([part.addresses for part in packed])
        states = np.concatenate([part.states for part in packed])
        unit = (wanted / np.linalg.norm(wanted)).astype(np.float32)
        near = np.concatenate([part.vectors @ unit for part in packed])
        counted = self._counted(connection, addresses)
        near[~counted | (states != USABLE)] = -np.inf
        best = BestRows(self._schema(), top_k, memory_bytes)
        for rows, embeddings in self._taken(addresses[_candidates(near, top_k)]):
            scores, _states = cosines(embeddings, wanted)
            best.add(rows, scores)
        return Found(
            names=[name for name, _column in self._read.columns],
            best=best,
            missing=int(np.count_nonzero(counted & (states == MISSING))),
            unusable=int(np.count_nonzero(counted & (states == UNUSABLE))),
        )

    def _new_rows(self) -> Iterator[Packed]:
        if self._new_fragments:
            yield from packed_rows(self._dataset, self._read.searched, self._new_fragments)

    def _counted(self, connection: Any, addresses: Addresses) -> Mask:
        """Which rows the condition lets through."""
        if not self._read.condition:
            return np.ones(len(addresses), np.bool_)
        register_rows(connection, self._dataset, self._read)
        let_through = connection.execute(self._read.condition).fetchnumpy()["_rowid"]
        counted: Mask = np.isin(addresses, np.asarray(let_through, np.uint64))
        return counted

    def _schema(self) -> pa.Schema:
        fields = self._dataset.schema
        return pa.schema([fields.field(column).with_name(name) for name, column in self._read.columns])

    def _taken(self, addresses: Addresses) -> Iterator[tuple[pa.RecordBatch, pa.Array]]:
        """Read rows from the table, in this order, each with its embedding."""
        schema = self._schema()
        columns = [self._read.searched, *[column for _name, column in self._read.columns]]
        for start in range(0, len(addresses), TAKEN_ROWS):
            arrays = arrays_at(self._dataset, addresses[start : start + TAKEN_ROWS].tolist(), columns)
            kept = [arrays[column] for _name, column in self._read.columns]
            yield pa.record_batch(kept, schema=schema), arrays[self._read.searched]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found: the columns of the query, the best rows, and how many rows were left out."""

    names: Sequence[str]
    best: BestRows
    missing: int
    unusable: int


def _candidates(near: npt.NDArray[np.float32], top_k: int) -> npt.NDArray[np.int64]:
    """The rows that may be among the best, in the order of the table."""
    count = min(top_k, int(np.count_nonzero(near > -np.inf)))
    if count == 0:
        return np.empty(0, np.int64)
    least = np.partition(near, len(near) - count)[len(near) - count]
    return np.flatnonzero(near >= least - _SLACK)
