"""LanceDB's own handles of tables, which change their columns."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

import lancedb

from services.storage.core.names import file_name, fold, table_not_found
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.outages import columns_unknown, is_outage
from thanosql_runtime.errors import ThanosqlError


class TableHandles:
    """Opens handles of the tables of one home; nothing is reached before the first."""

    def __init__(self, home: TableHome) -> None:
        self._home = home

    def open(self, name: str) -> Any:  # Any: lancedb's table
        """Open the newest version of a table.

        Raises:
            ThanosqlError: TABLE_NOT_FOUND, with the nearest name.
        """
        try:
            return self._database.open_table(file_name(fold(name)))
        except (FileNotFoundError, ValueError) as problem:
            raise table_not_found(name, self._home.names()) from problem

    def has_changed_to(self, name: str, columns: Sequence[str], since: int, problem: Exception) -> bool:
        """Tell whether a change of columns that failed was committed all the same.

        Args:
            name: The table.
            columns: Names of the columns that it was to have.
            since: The version that was to be changed.
            problem: How the change failed.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE, with the outcome unknown, where nobody can tell.
        """
        try:
            newest = self._home.open(fold(name))
        except (ThanosqlError, ValueError) as failure:
            raise columns_unknown(problem, fold(name)) from failure
        if newest.version > since and newest.schema.names == list(columns):
            return True
        # A disk has answered by now; a server may still have the request in its queue.
        if is_outage(problem) and self._home.is_remote:
            raise columns_unknown(problem, fold(name)) from problem
        return False

    @cached_property
    def _database(self) -> Any:  # Any: lancedb's connection
        return lancedb.connect(
            self._home.uri,
            # Without it a connection keeps showing the version that it saw first.
            read_consistency_interval=timedelta(0),
            storage_options=self._home.options or None,
        )
