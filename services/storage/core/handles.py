"""LanceDB's own handles of tables, which change their columns."""

from datetime import timedelta
from functools import cached_property
from typing import Any

import lancedb

from services.storage.core.homes import TableHome
from services.storage.core.names import file_name, fold, table_not_found


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

    @cached_property
    def _database(self) -> Any:  # Any: lancedb's connection
        return lancedb.connect(
            self._home.uri,
            # Without it a connection keeps showing the version that it saw first.
            read_consistency_interval=timedelta(0),
            storage_options=self._home.options or None,
        )
