"""The records of models in the object store: one JSON document a model, changed whole or not at all."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any, TypeAlias

from services.storage.core.names import file_name
from services.storage.core.types import Artefact, ModelKind, ModelVersion, TableVersion
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

_CATALOG = "catalog/models/"

Document: TypeAlias = dict[str, Any]  # JSON
"""A model's `versions`, oldest first; its `request_ids` with the versions that they made; `last_version`."""

Edit: TypeAlias = Callable[[Document], Document]
"""Makes a new document of one that it leaves alone; a document without versions is that of no model."""


class ModelDocuments:
    """The documents of all models.

    Storage is their only writer, so a lock in this process keeps changes apart.

    Args:
        store: Where they are.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = threading.RLock()

    def read(self, name: str) -> Document | None:
        """Return the document of a model; None where there is no such model."""
        return self._load(_key(name)) if name else None

    def all(self) -> Iterator[Document]:
        """Yield the documents of all models."""
        for info in self._store.walk(_CATALOG):
            document = self._load(info.key)
            if document is not None:
                yield document

    def change(self, name: str, edit: Edit) -> Document:
        """Change the document of a model, an empty one where there is none, and return what it became."""
        with self._lock:
            document = edit(self.read(name) or empty())
            if document["versions"]:
                content = json.dumps(document, ensure_ascii=False, indent=1).encode()
                self._store.write(_key(name), [content])
            else:
                self._store.delete(_key(name))
            return document

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Keep this process from changing any document meanwhile."""
        with self._lock:
            yield

    def _load(self, key: str) -> Document | None:
        try:
            document = json.loads(self._store.read(key))
        except ThanosqlError as problem:
            if problem.reason is Reason.FILE_NOT_FOUND:
                return None
            raise
        except ValueError as problem:
            raise _damaged(key, f": {problem}") from problem
        if not isinstance(document, dict):
            raise _damaged(key)
        return document


def empty() -> Document:
    """Make the document of a model that has no versions yet."""
    return {"versions": [], "request_ids": {}}


def next_version(document: Document) -> int:
    """Return a number that no version of the model had, those that were deleted included."""
    last = max((int(entry["version"]) for entry in document["versions"]), default=0)
    return 1 + max(last, int(document.get("last_version", 0)))


def to_entry(model: ModelVersion) -> dict[str, Any]:
    """Write a version into a document."""
    return asdict(replace(model, metrics=dict(model.metrics), properties=dict(model.properties))) | {
        "kind": model.kind.value,
        "built_from": [{"table": item.table, "version": item.version} for item in model.built_from],
    }


def from_entry(entry: dict[str, Any]) -> ModelVersion:
    """Read a version of a document."""
    artefacts = tuple(Artefact(**artefact) for artefact in entry["artefacts"])
    # Models that an earlier release registered have no such record.
    built_from = tuple(TableVersion(**item) for item in entry.get("built_from", ()))
    typed = {"kind": ModelKind(entry["kind"]), "artefacts": artefacts, "built_from": built_from}
    return ModelVersion(**(entry | typed))


def _damaged(key: str, why: str = "") -> ThanosqlError:
    return error(Reason.CHECKSUM_MISMATCH, f"the catalog entry {key!r} is damaged{why}", path=key)


def _key(name: str) -> str:
    # Upper case is kept: names of models are case sensitive, and so are keys.
    return f"{_CATALOG}{''.join(c if c.isupper() and c.isascii() else file_name(c) for c in name)}.json"
