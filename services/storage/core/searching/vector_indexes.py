"""The indexes of embeddings: found for a search, built and renewed in the background when one needs them."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from services.storage.core.searching.index_builds import LEAST_ROWS, IndexBuilds, Wanted
from services.storage.core.searching.indexed_vectors import IndexedVectors
from services.storage.core.searching.nearest import VectorSearch
from services.storage.core.searching.plain_reads import plain_read
from services.storage.core.searching.vector_files import VectorIndex, packed_rows, write_vectors
from services.storage.core.types import OpenVersion


class VectorIndexes:
    """The indexes under one local directory, which may be deleted while nobody runs.

    Args:
        root: Where they are kept.
        least_rows: Tables with fewer rows are read instead.
        clock: Seconds, for when to try again what failed.
    """

    def __init__(
        self, root: Path, least_rows: int = LEAST_ROWS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._builds = IndexBuilds(root, VectorIndex, self._write, least_rows=least_rows, clock=clock)

    def source(self, tree: exp.Expr, version: OpenVersion, search: VectorSearch) -> IndexedVectors | None:
        """The rows of a query over one table through its index, or None where they must be read.

        An index that is missing or old is then built, or renewed, in the background.
        """
        read = plain_read(tree, version.dataset.schema, search.emb_col, _holds_embeddings)
        if read is None:
            return None
        found = self._builds.find(version, read.searched, may_build=not search.explain_only)
        if found is None:
            return None
        index, new = found
        return IndexedVectors(index, version.dataset, new_fragments=new, read=read)

    def wait(self) -> None:
        """Wait for the builds that were begun."""
        self._builds.wait()

    def forget_others(self, tables: Callable[[], Iterable[str]]) -> None:
        """Delete the indexes of all tables but these."""
        self._builds.forget_others(tables)

    def close(self) -> None:
        """Stop building, and wait until it has stopped."""
        self._builds.close()

    def _write(self, wanted: Wanted, folder: Path) -> None:
        dataset, column = wanted.dataset, wanted.column
        parts = packed_rows(dataset, column, dataset.get_fragments(), lambda: self._builds.is_closed)
        write_vectors(parts, dataset.schema.field(column).type.list_size, wanted.fragments, folder)


def _holds_embeddings(kind: pa.DataType) -> bool:
    is_list = pa.types.is_fixed_size_list(kind)
    return bool(is_list and (pa.types.is_float32(kind.value_type) or pa.types.is_float64(kind.value_type)))
