"""The indexes of words: found for a search, built and renewed in the background when one needs them."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
from sqlglot import exp

from services.storage.core.background import BackgroundConnection, OpenConnection
from services.storage.core.searching.index_builds import LEAST_ROWS, IndexBuilds, Wanted
from services.storage.core.searching.indexed_words import IndexedRows, indexed_rows
from services.storage.core.searching.keyword_files import KeywordIndex, write_index
from services.storage.core.searching.plain_reads import plain_read
from services.storage.core.searching.ranking import Source
from services.storage.core.searching.wanted import KeywordSearch
from services.storage.core.types import OpenVersion
from thanosql_objects.scratch import ScratchFolder


class KeywordIndexes:
    """The indexes under one local directory, which may be deleted while nobody runs.

    Args:
        root: Where they are kept.
        open_connection: For building them, one at a time.
        least_rows: Tables with fewer rows are read instead.
        clock: Seconds, for when to try again what failed.
    """

    def __init__(
        self,
        root: Path,
        open_connection: OpenConnection,
        least_rows: int = LEAST_ROWS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = BackgroundConnection(open_connection)
        self._builds = IndexBuilds(root, KeywordIndex, self._write, least_rows=least_rows, clock=clock)

    def source(self, tree: exp.Expr, version: OpenVersion, search: KeywordSearch) -> Source | None:
        """The rows of a query over one table through its index, or None where they must be read.

        An index that is missing or old is then built, or renewed, in the background.
        """
        read = plain_read(tree, version.dataset.schema, search.text_col, _holds_text)
        if read is None:
            return None
        found = self._builds.find(version, read.searched, may_build=not search.explain_only)
        if found is None:
            return None
        index, new = found
        return IndexedRows(index, version.dataset, new_fragments=new, read=read, search=search)

    def wait(self) -> None:
        """Wait for the builds that were begun."""
        self._builds.wait()

    def forget_others(self, tables: Callable[[], Iterable[str]]) -> None:
        """Delete the indexes of all tables but these."""
        self._builds.forget_others(tables)

    def close(self) -> None:
        """Stop building, and wait until it has stopped."""
        self._builds.close(self._connection.interrupt)

    def _write(self, wanted: Wanted, folder: Path) -> None:
        with ScratchFolder("index") as spill, self._connection.opened(spill) as connection:
            if self._builds.is_closed:
                raise RuntimeError("the service stops")
            rows = indexed_rows(wanted.dataset, wanted.column, wanted.dataset.get_fragments())
            write_index(connection, rows, wanted.fragments, folder)


def _holds_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
