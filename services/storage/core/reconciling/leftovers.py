"""What belongs to nothing: where it is looked for, and how it is told from what is being written."""

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from services.storage.core.models.models import ModelCatalog
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.tables import Tables
from thanosql_objects.ports import ObjectInfo, ObjectStore
from thanosql_objects.unfinished import UnfinishedWrite, UnfinishedWrites

_MODELS = "models/"
_PROBES = ".probe-"


class LeftoverKind(enum.StrEnum):
    """What a leftover was to become."""

    MODEL_FILES = "model_files"
    TABLE_FILES = "table_files"
    SNAPSHOT_FILES = "snapshot_files"
    UPLOADS = "uploads"
    PROBES = "probes"
    SCRATCH = "scratch"
    UNUSED_ROWS = "unused_rows"
    KEPT_AUDIO = "kept_audio"

    @property
    def words(self) -> str:
        """The kind in words, in the plural."""
        return _WORDS[self]


_WORDS = {
    LeftoverKind.MODEL_FILES: "folders of model files that no model names",
    LeftoverKind.TABLE_FILES: "folders of tables without a commit",
    LeftoverKind.SNAPSHOT_FILES: "folders of snapshots without a commit",
    LeftoverKind.UPLOADS: "uploads that were not completed",
    LeftoverKind.PROBES: "trial writes of a start",
    LeftoverKind.SCRATCH: "temporary folders of killed processes",
    LeftoverKind.UNUSED_ROWS: "tables with files that no version has",
    LeftoverKind.KEPT_AUDIO: "lists of recordings in keeping that no table names",
}


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that belongs to nothing, or that somebody is about to complete.

    Attributes:
        place: Where it is; unique within its kind.
        state: Another text as soon as somebody writes there.
        objects: Number of its objects.
        size_bytes: Their length.
        remove: Removes what was there when it was found, unless it belongs to something by now; says which.
    """

    place: str
    state: str
    objects: int
    size_bytes: int
    remove: Callable[[], bool] = field(repr=False)


class Source(Protocol):
    """Where leftovers of one kind are looked for; raises what its store does."""

    @property
    def kind(self) -> LeftoverKind:
        """What it finds."""

    def find(self) -> Iterator[Leftover]:
        """Yield what is there now."""


class ModelFiles:
    """Files of models that no version of a model has: of a BUILD that was killed, for example."""

    kind = LeftoverKind.MODEL_FILES

    def __init__(self, models: ModelCatalog, store: ObjectStore) -> None:
        self._models = models
        self._store = store

    def find(self) -> Iterator[Leftover]:
        """See `Source.find`; a folder is one leftover."""
        folders: defaultdict[str, list[ObjectInfo]] = defaultdict(list)
        for info in self._store.walk(_MODELS):
            folders[info.key.rpartition("/")[0] + "/"].append(info)
        # Read after the walk: what was registered meanwhile has its files in both.
        named = self._models.files_named()
        for folder, files in folders.items():
            unnamed = [info for info in files if info.key not in named]
            if unnamed:
                yield _of_files(folder, unnamed, self._models.remove_unnamed)


class TableFiles:
    """Folders of tables without a commit: of a writer, or a DROP TABLE, that was killed."""

    def __init__(self, kind: LeftoverKind, home: TableHome, tables: Tables) -> None:
        self.kind = kind
        self._home = home
        self._tables = tables

    def find(self) -> Iterator[Leftover]:
        """See `Source.find`; a folder is one leftover."""
        for name, files in self._home.uncommitted():
            yield _of_files(name, files, partial(self._removed, name))

    def _removed(self, name: str, keys: Iterable[str]) -> bool:
        with self._tables.writing(name):
            return self._home.remove_uncommitted(name, keys)


class Uploads:
    """Writes of objects that were begun and not completed.

    Args:
        unfinished: Those of a store.
        prefixes: Keys that are this service's own; others write elsewhere in a bucket.
    """

    kind = LeftoverKind.UPLOADS

    def __init__(self, unfinished: UnfinishedWrites, prefixes: Iterable[str]) -> None:
        self._unfinished = unfinished
        self._prefixes = tuple(prefixes)

    def find(self) -> Iterator[Leftover]:
        """See `Source.find`."""
        for prefix in self._prefixes:
            for write in self._unfinished.find(prefix):
                yield Leftover(
                    place=f"{write.key} {write.upload_id}".strip(),
                    state=write.state,
                    objects=1,
                    size_bytes=write.size_bytes,
                    remove=partial(self._removed, write),
                )

    def _removed(self, write: UnfinishedWrite) -> bool:
        self._unfinished.abandon(write)
        return True


class Probes:
    """Keys that a start wrote to try the server, and was killed before it removed them."""

    kind = LeftoverKind.PROBES

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def find(self) -> Iterator[Leftover]:
        """See `Source.find`."""
        for info in self._store.walk(_PROBES):
            yield _of_files(info.key, [info], self._removed)

    def _removed(self, keys: Iterable[str]) -> bool:
        for key in keys:
            self._store.delete(key)
        return True


def _of_files(place: str, files: Iterable[ObjectInfo], remove: Callable[[list[str]], bool]) -> Leftover:
    listed = list(files)
    size_bytes = sum(info.size_bytes for info in listed)
    newest_s = max(info.modified_s for info in listed)
    return Leftover(
        place=place,
        state=f"{len(listed)} objects, {size_bytes} bytes at {newest_s}",
        objects=len(listed),
        size_bytes=size_bytes,
        remove=partial(remove, [info.key for info in listed]),
    )
