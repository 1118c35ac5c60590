"""The catalog of models: versions, one of them active, their files in the object store."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from services.storage.core.models.checkpoints import KOREAN, OWN_SETTINGS, TEXT_ENCODER, WHISPER
from services.storage.core.models.holds import Hold, ModelHolds
from services.storage.core.models.model_documents import Document, ModelDocuments, empty
from services.storage.core.models.model_edits import added, put_back, require_free, versions_of, without
from services.storage.core.names import model_not_found
from services.storage.core.paging import comes_after, page_length
from services.storage.core.types import ModelDeletion, ModelKind, ModelPage, ModelVersion
from thanosql_objects.model_files import ModelFiles
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

_MAX_NAME = 64
_OPTIONAL_BASES = (
    (TEXT_ENCODER, "text encoder"),
    (KOREAN, "checkpoint for it"),
    (WHISPER, "checkpoint for it"),
)


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
        self._documents = ModelDocuments(store)

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
        document = self._documents.read(name)
        if document is None:
            raise _not_found(name, self.names())
        return versions_of(document)

    def tables_named(self) -> frozenset[tuple[str, int]]:
        """Return every table and version that the record of a model names."""
        return frozenset((item.table, item.version) for model in self._all() for item in model.built_from)

    def files_named(self) -> frozenset[str]:
        """Return the keys of all files that a version of a model has."""
        return frozenset(artefact.key for model in self._all() for artefact in model.artefacts)

    def remove_unnamed(self, keys: Iterable[str]) -> bool:
        """Remove files unless a version has one of them by now, and say whether they were removed."""
        doomed = frozenset(keys)
        with self._documents.unchanged():
            if doomed & self.files_named():
                return False
            for key in doomed:
                self._store.delete(key)
            return True

    def version_page(self, name: str, *, page_size: int = 100, page_token: str = "") -> ModelPage:
        """List the versions of a model, newest first."""
        rest = [model for model in self.versions(name) if comes_after(model.version, page_token)]
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
        files = ModelFiles(model=model.name, version=model.version, files=model.artefacts)
        document = self._documents.read(model.name) or empty()
        if request_id not in document["request_ids"]:
            require_free(model, document, overwrite)
            files.require_stored(self._store)
        made = replace(model, active=True, create_time_s=self._clock())

        def add(document: Document) -> Document:
            if request_id in document["request_ids"]:
                return document
            require_free(model, document, overwrite)
            # Comparing takes long enough for a clean-up to remove what no record names yet.
            files.require_present(self._store)
            return added(made, document, request_id)

        document = self._documents.change(model.name, add)
        if request_id:
            return self.get(model.name, document["request_ids"][request_id])
        return versions_of(document)[0]

    def activate(self, name: str, version: int, *, explain_only: bool = False) -> ModelVersion:
        """Make a version the one that statements use when they name none, and return the active one.

        Args:
            name: The model.
            version: From 1.
            explain_only: Check it, and change nothing.

        Raises:
            ThanosqlError: MODEL_NOT_FOUND; PERMISSION_DENIED for a base, whose checkpoint is a setting.
        """
        setting = OWN_SETTINGS.get(name, "THANOSQL_STORAGE__BASE_MODELS")
        _refuse_base([self._wanted(name, version)], f"its checkpoint is a setting, {setting}")

        def switch(document: Document) -> Document:
            if all(entry["version"] != version for entry in document["versions"]):
                return document
            entries = [entry | {"active": entry["version"] == version} for entry in document["versions"]]
            return document | {"versions": entries}

        if not explain_only:
            self._documents.change(name, switch)
            self._wanted(name, version)
        return self.get(name)

    def _wanted(self, name: str, version: int) -> ModelVersion:
        if version < 1:
            raise error(Reason.INVALID_ARGUMENT, f"{version} is no version of a model: they count from 1")
        return self.get(name, version)

    def hold(self, holder_id: str, holds: Sequence[Hold]) -> tuple[Hold, ...]:
        """Take what a process uses, and return what of it the catalog does not have."""
        # First told, then looked up: a deletion looks in the other order, so one of the two sees the other.
        self._holds.tell(holder_id, holds)
        return tuple(hold for hold in holds if not self._has(hold.model, hold.version))

    def delete(self, deletion: ModelDeletion) -> int:
        """Delete a model with its versions and files, or one version, and say how many versions it had.

        Raises:
            ThanosqlError: PERMISSION_DENIED for a base model, which statements stand on; MODEL_IN_USE
                for the active version, and unless forced for what is in use; MODEL_NOT_FOUND.
        """
        doomed = self._doomed(deletion)
        if not doomed:
            return 0
        _refuse_base(doomed, "statements name it, and tables are made with it")
        without(doomed, self._documents.read(deletion.name) or empty(), deletion)
        self._require_unused(deletion, doomed)
        if not deletion.explain_only:
            # The catalog first: a model without files would be worse than files without a model.
            removed = self._remove(deletion, doomed)
            if not removed:
                # Another deletion was faster; it alone takes that back, or deletes the files.
                return self.delete(deletion)
            self._restore_if_used(deletion, removed)
            self._delete_files(removed)
            return len(removed)
        return len(doomed)

    def _remove(self, deletion: ModelDeletion, doomed: Sequence[ModelVersion]) -> tuple[ModelVersion, ...]:
        """Take versions out of the record, and return those that were still there."""
        before = empty()

        def remove(document: Document) -> Document:
            nonlocal before
            before = document
            return without(doomed, document, deletion)

        self._documents.change(deletion.name, remove)
        numbers = {model.version for model in doomed}
        return tuple(model for model in versions_of(before) if model.version in numbers)

    def _doomed(self, deletion: ModelDeletion) -> tuple[ModelVersion, ...]:
        try:
            if not deletion.version:
                return self.versions(deletion.name)
            return (self._wanted(deletion.name, deletion.version),)
        except ThanosqlError as problem:
            if problem.reason is Reason.MODEL_NOT_FOUND and deletion.if_exists:
                return ()
            raise

    def _require_unused(self, deletion: ModelDeletion, versions: Sequence[ModelVersion]) -> None:
        if not deletion.force:
            self._holds.require_none(deletion.name, {model.version for model in versions})

    def _restore_if_used(self, deletion: ModelDeletion, removed: Sequence[ModelVersion]) -> None:
        """Take a deletion back where somebody told between the look and now that he uses the model."""
        try:
            self._require_unused(deletion, removed)
        except ThanosqlError:
            self._documents.change(deletion.name, lambda document: put_back(removed, document))
            raise

    def _delete_files(self, versions: Sequence[ModelVersion]) -> None:
        doomed = frozenset(artefact.key for model in versions for artefact in model.artefacts)
        with self._documents.unchanged():
            for key in doomed - self.files_named():
                self._store.delete(key)

    def _has(self, name: str, version: int) -> bool:
        document = self._documents.read(name)
        return document is not None and any(entry["version"] == version for entry in document["versions"])

    def _active(self) -> list[ModelVersion]:
        return [model for model in self._all() if model.active]

    def _all(self) -> Iterator[ModelVersion]:
        return (model for document in self._documents.all() for model in versions_of(document))


def _not_found(name: str, known: Sequence[str]) -> ThanosqlError:
    for checkpoint, what in _OPTIONAL_BASES:
        if name == checkpoint.base:
            message = f"model {name!r} does not exist, because no {what} is configured; {checkpoint.advice}"
            return error(Reason.MODEL_NOT_FOUND, message, model=name)
    return model_not_found(name, known)


def _refuse_base(versions: Sequence[ModelVersion], why: str) -> None:
    base = next((model.name for model in versions if model.kind is ModelKind.BASE), None)
    if base is not None:
        message = f"{base!r} is a base model and stays as it is: {why}"
        raise error(Reason.PERMISSION_DENIED, message, model=base)


def _check_name(name: str) -> None:
    plain = name and name.isprintable() and len(name) <= _MAX_NAME and name == name.strip()
    if not plain or any(character in "/\\." for character in name):
        message = f"{name!r} cannot be the name of a model: 1 to {_MAX_NAME} characters, no '/', '\\' or '.'"
        raise error(Reason.INVALID_NAME, message, model=name)


def _page(rest: list[ModelVersion], page_size: int, token: Callable[[ModelVersion], str]) -> ModelPage:
    size = page_length(page_size)
    models = tuple(rest[:size])
    return ModelPage(models=models, next_page_token=token(models[-1]) if len(rest) > size else "")
