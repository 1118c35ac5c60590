"""The catalog of models: versions, one of them active, their files in the object store.

One JSON document a model, written whole at once. Storage is its only writer, so a lock in this
process keeps versions from being given twice.
"""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from services.storage.core.holds import Hold, ModelHolds
from services.storage.core.names import file_name, model_not_found
from services.storage.core.types import (
    Artefact,
    ModelDeletion,
    ModelKind,
    ModelPage,
    ModelVersion,
    TableVersion,
)
from thanosql_objects.ports import CHUNK_BYTES, ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

_CATALOG = "catalog/models/"
_MAX_PAGE = 1000
_MAX_NAME = 64
_REGISTERED = "request_ids"


class ModelCatalog:
    """What models there are.

    Args:
        store: Where the catalog and the artefacts are.
        holds: Who uses which models.
        clock: Seconds since the epoch.
    """

    def __init__(self, store: ObjectStore, holds: ModelHolds, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._holds = holds
        self._clock = clock
        self._lock = threading.RLock()

    @property
    def holds_last_s(self) -> float:
        """How long a process that uses models may be silent."""
        return self._holds.lasts_s

    def names(self) -> list[str]:
        """Return the names of all models, sorted."""
        return sorted(model.name for model in self._active())

    def get(self, name: str, version: int = 0) -> ModelVersion:
        """Return one version of a model; 0 means the active one.

        Raises:
            ThanosqlError: MODEL_NOT_FOUND, with the nearest name or the versions that exist.
        """
        versions = self.versions(name)
        for model in versions:
            if model.version == version or (version == 0 and model.active):
                return model
        known = ", ".join(str(model.version) for model in reversed(versions))
        message = f"model {name!r} has no version {version}; it has: {known}"
        raise error(Reason.MODEL_NOT_FOUND, message, model=name, known=known)

    def versions(self, name: str) -> tuple[ModelVersion, ...]:
        """Return the versions of a model, newest first."""
        document = self._read(name)
        if document is None:
            raise model_not_found(name, self.names())
        return tuple(_from_json(entry) for entry in reversed(document["versions"]))

    def tables_named(self) -> frozenset[tuple[str, int]]:
        """Return every table and version that the record of a model names."""
        models = (model for name in self.names() for model in self.versions(name))
        return frozenset((item.table, item.version) for model in models for item in model.built_from)

    def files_named(self) -> frozenset[str]:
        """Return the keys of all files that a version of a model has."""
        models = (model for name in self.names() for model in self.versions(name))
        return frozenset(artefact.key for model in models for artefact in model.artefacts)

    def remove_unnamed(self, keys: Iterable[str]) -> bool:
        """Remove files unless a version has one of them by now, and say whether they were removed."""
        doomed = frozenset(keys)
        with self._lock:
            if doomed & self.files_named():
                return False
            for key in doomed:
                self._store.delete(key)
            return True

    def version_page(self, name: str, *, page_size: int = 100, page_token: str = "") -> ModelPage:
        """List the versions of a model, newest first."""
        before = int(page_token) if page_token.isdigit() else None
        rest = [model for model in self.versions(name) if before is None or model.version < before]
        return _page(rest, page_size, lambda model: str(model.version))

    def page(
        self, *, page_size: int = 100, page_token: str = "", kinds: Collection[ModelKind] = ()
    ) -> ModelPage:
        """List models by name, each by its active version."""
        wanted = [model for model in self._active() if not kinds or model.kind in kinds]
        rest = sorted((model for model in wanted if model.name > page_token), key=lambda model: model.name)
        return _page(rest, page_size, lambda model: model.name)

    def register(self, model: ModelVersion, *, overwrite: bool = False, request_id: str = "") -> ModelVersion:
        """Make a version known and active, after its artefacts were compared with their digests.

        Args:
            model: What is registered; its version 0 takes the next number.
            overwrite: Without it a name that exists is refused. Older versions stay.
            request_id: The same id registers once, and gets the same answer again.

        Raises:
            ThanosqlError: MODEL_ALREADY_EXISTS, CHECKSUM_MISMATCH, FILE_NOT_FOUND, INVALID_NAME, CONFLICT.
        """
        _check_name(model.name)
        with self._lock:
            document = self._read(model.name) or {"versions": [], _REGISTERED: {}}
            earlier = document[_REGISTERED].get(request_id) if request_id else None
            if earlier is not None:
                return self.get(model.name, earlier)
            self._require_free(model, document, overwrite)
            for artefact in model.artefacts:
                verify(self._store, artefact)
            version = model.version or 1 + max((e["version"] for e in document["versions"]), default=0)
            registered = replace(model, version=version, active=True, create_time_s=self._clock())
            versions = [entry | {"active": False} for entry in document["versions"]]
            document["versions"] = [*versions, _to_json(registered)]
            if request_id:
                document[_REGISTERED][request_id] = version
            self._write(model.name, document)
            return registered

    def hold(self, holder_id: str, holds: Sequence[Hold]) -> tuple[Hold, ...]:
        """Take what a process uses, and return what of it the catalog does not have."""
        # First told, then looked up: a deletion looks in the other order, so one of the two sees the other.
        self._holds.tell(holder_id, holds)
        return tuple(hold for hold in holds if not self._has(hold.model, hold.version))

    def delete(self, deletion: ModelDeletion) -> int:
        """Delete a model with its versions and files, and say how many versions it had.

        Raises:
            ThanosqlError: PERMISSION_DENIED for a base model, which BUILD statements stand on; MODEL_IN_USE
                unless forced; MODEL_NOT_FOUND.
        """
        name = deletion.name
        with self._lock:
            document = self._read(name)
            if document is None and deletion.if_exists:
                return 0
            versions = self.versions(name)
            _refuse_base(versions)
            self._require_unused(deletion, versions)
            if not deletion.explain_only:
                # The catalog first: a model without files would be worse than files without a model.
                self._store.delete(_key(name))
                self._restore_if_used(deletion, versions, document)
                self._delete_files(versions)
            return len(versions)

    def _require_unused(self, deletion: ModelDeletion, versions: Sequence[ModelVersion]) -> None:
        if not deletion.force:
            self._holds.require_none(deletion.name, {model.version for model in versions})

    def _restore_if_used(
        self, deletion: ModelDeletion, versions: Sequence[ModelVersion], document: dict[str, Any] | None
    ) -> None:
        """Take a deletion back where somebody told between the look and now that he uses the model."""
        try:
            self._require_unused(deletion, versions)
        except ThanosqlError:
            self._write(deletion.name, document or {})
            raise

    def _delete_files(self, versions: Sequence[ModelVersion]) -> None:
        for artefact in {artefact.key for model in versions for artefact in model.artefacts}:
            if not self._is_used(artefact):
                self._store.delete(artefact)

    def _has(self, name: str, version: int) -> bool:
        document = self._read(name)
        return document is not None and any(entry["version"] == version for entry in document["versions"])

    def _is_used(self, key: str) -> bool:
        return any(
            artefact.key == key
            for name in self.names()
            for model in self.versions(name)
            for artefact in model.artefacts
        )

    def _require_free(self, model: ModelVersion, document: dict[str, Any], overwrite: bool) -> None:
        if document["versions"] and not overwrite:
            message = (
                f"model {model.name!r} exists already; use OPTIONS (overwrite=True) to make a new version"
            )
            raise error(Reason.MODEL_ALREADY_EXISTS, message, model=model.name)
        if any(entry["version"] == model.version for entry in document["versions"]):
            message = f"model {model.name!r} has a version {model.version} already"
            raise error(Reason.CONFLICT, message, model=model.name)

    def _active(self) -> list[ModelVersion]:
        found, token = [], ""
        while True:
            page = self._store.list(_CATALOG, page_token=token)
            for info in page.objects:
                document = self._load(info.key)
                entries = document["versions"] if document else []
                found += [_from_json(entry) for entry in entries if entry["active"]]
            token = page.next_page_token
            if not token:
                return found

    def _read(self, name: str) -> dict[str, Any] | None:
        return self._load(_key(name)) if name else None

    def _load(self, key: str) -> dict[str, Any] | None:
        try:
            document = json.loads(self._store.read(key))
        except ThanosqlError as problem:
            if problem.reason is Reason.FILE_NOT_FOUND:
                return None
            raise
        except ValueError as problem:
            raise error(
                Reason.CHECKSUM_MISMATCH, f"the catalog entry {key!r} is damaged: {problem}"
            ) from problem
        if not isinstance(document, dict):
            raise error(Reason.CHECKSUM_MISMATCH, f"the catalog entry {key!r} is damaged")
        return document

    def _write(self, name: str, document: dict[str, Any]) -> None:
        self._store.write(_key(name), [json.dumps(document, ensure_ascii=False, indent=1).encode()])


def verify(store: ObjectStore, artefact: Artefact) -> None:
    """Compare a file in the store with what the catalog says of it.

    Raises:
        ThanosqlError: CHECKSUM_MISMATCH, or FILE_NOT_FOUND.
    """
    digest, size_bytes = hashlib.sha256(), 0
    with store.open(artefact.key) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
    if digest.hexdigest() != artefact.sha256 or size_bytes != artefact.size_bytes:
        message = f"{artefact.name!r} at {artefact.key!r} is not what was registered: its content differs"
        raise error(Reason.CHECKSUM_MISMATCH, message, path=artefact.key)


def _refuse_base(versions: Sequence[ModelVersion]) -> None:
    base = next((model.name for model in versions if model.kind is ModelKind.BASE), None)
    if base is not None:
        message = f"{base!r} is a base model, which BUILD statements name; it cannot be deleted"
        raise error(Reason.PERMISSION_DENIED, message, model=base)


def _check_name(name: str) -> None:
    plain = name and name.isprintable() and len(name) <= _MAX_NAME and name == name.strip()
    if not plain or any(character in "/\\." for character in name):
        message = f"{name!r} cannot be the name of a model: 1 to {_MAX_NAME} characters, no '/', '\\' or '.'"
        raise error(Reason.INVALID_NAME, message, model=name)


def _key(name: str) -> str:
    # Upper case is kept: names of models are case sensitive, and so are keys.
    return f"{_CATALOG}{''.join(c if c.isupper() and c.isascii() else file_name(c) for c in name)}.json"


def _to_json(model: ModelVersion) -> dict[str, Any]:
    return asdict(replace(model, metrics=dict(model.metrics), properties=dict(model.properties))) | {
        "kind": model.kind.value,
        "built_from": [{"table": item.table, "version": item.version} for item in model.built_from],
    }


def _from_json(entry: dict[str, Any]) -> ModelVersion:
    artefacts = tuple(Artefact(**artefact) for artefact in entry["artefacts"])
    # Models that an earlier release registered have no such record.
    built_from = tuple(TableVersion(**item) for item in entry.get("built_from", ()))
    typed = {"kind": ModelKind(entry["kind"]), "artefacts": artefacts, "built_from": built_from}
    return ModelVersion(**(entry | typed))


def _page(rest: list[ModelVersion], page_size: int, token: Callable[[ModelVersion], str]) -> ModelPage:
    size = max(1, min(page_size or 100, _MAX_PAGE))
    models = tuple(rest[:size])
    return ModelPage(models=models, next_page_token=token(models[-1]) if len(rest) > size else "")
