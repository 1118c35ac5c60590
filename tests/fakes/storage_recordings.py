"""Recordings in keeping, for tests that put storage's core together themselves."""

from pathlib import Path

from services.storage.core.keeping.digests import Digests
from services.storage.core.keeping.keepers import Keepers
from services.storage.core.keeping.recordings import KeptRecordings
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectStore
from thanosql_objects.workspace import Workspace


def recordings_at(root: Path, workspace: Workspace, store: ObjectStore | None = None) -> KeptRecordings:
    """Keep recordings in a store, or in `objects` under a folder, with the tables beside it."""
    store = store or LocalDirectory(root / "objects")
    keepers = Keepers(store, LocalDirectory(root / "tables"))
    return KeptRecordings(workspace, store, Digests(root / "recordings.sqlite"), keepers)
