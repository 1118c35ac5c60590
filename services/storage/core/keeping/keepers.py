"""For the tables of which homes recordings are kept in one object store.

Two servers may share a store and not their tables. Neither sees what the other's tables name, so that where
more than one is known, no recording is ever removed.
"""

import threading
import uuid

from thanosql_objects.ports import ObjectStore

_KEEPERS = "catalog/audio_keepers/"
# Beside the folders of the tables, so that it goes where they go.
_IDENTITY = "thanosql-tables-id"


class Keepers:
    """The homes of tables that are known to a store.

    Args:
        store: Where recordings are kept.
        tables: Where this server's tables are.
    """

    def __init__(self, store: ObjectStore, tables: ObjectStore) -> None:
        self._store = store
        self._tables = tables
        self._guard = threading.Lock()
        self._joined = False

    def join(self) -> None:
        """Let every server of the store know that recordings are kept for these tables.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE.
        """
        with self._guard:
            if not self._joined:
                key = _KEEPERS + self._identity()
                if not self._store.exists(key):
                    self._store.write(key, [b""])
                self._joined = True

    def others(self) -> int:
        """Count the homes other than this one."""
        known = {info.key for info in self._store.walk(_KEEPERS)}
        return len(known - {_KEEPERS + self._identity()}) if known else 0

    def _identity(self) -> str:
        if not self._tables.exists(_IDENTITY):
            self._tables.create(_IDENTITY, uuid.uuid4().hex.encode())
        return self._tables.read(_IDENTITY).decode()
