"""What becomes of the document of a model when versions come and go."""

from collections.abc import Sequence
from dataclasses import replace

from services.storage.core.models.model_documents import Document, from_entry, next_version, to_entry
from services.storage.core.types import ModelDeletion, ModelVersion
from thanosql_runtime.errors import Reason, ThanosqlError, error


def versions_of(document: Document) -> tuple[ModelVersion, ...]:
    """Return the versions in a document, newest first."""
    return tuple(from_entry(entry) for entry in reversed(document["versions"]))


def require_free(model: ModelVersion, document: Document, overwrite: bool) -> None:
    """Refuse a version that would take the place of another without being told to.

    Raises:
        ThanosqlError: MODEL_ALREADY_EXISTS, CONFLICT.
    """
    if document["versions"] and not overwrite:
        message = f"model {model.name!r} exists already; use OPTIONS (overwrite=True) to make a new version"
        raise error(Reason.MODEL_ALREADY_EXISTS, message, model=model.name)
    if any(entry["version"] == model.version for entry in document["versions"]):
        message = f"model {model.name!r} has a version {model.version} already"
        raise error(Reason.CONFLICT, message, model=model.name)


def added(model: ModelVersion, document: Document, request_id: str) -> Document:
    """Return the document with one more version, the active one."""
    version = model.version or next_version(document)
    older = [entry | {"active": False} for entry in document["versions"]]
    request_ids = document["request_ids"] | ({request_id: version} if request_id else {})
    return document | {
        "versions": [*older, to_entry(replace(model, version=version))],
        "request_ids": request_ids,
    }


def without(doomed: Sequence[ModelVersion], document: Document, deletion: ModelDeletion) -> Document:
    """Return the document without some versions, whose numbers are not given again.

    Raises:
        ThanosqlError: MODEL_IN_USE where one version is deleted, and it is the active one.
    """
    numbers = {model.version for model in doomed}
    active = next((entry["version"] for entry in document["versions"] if entry["active"]), 0)
    if deletion.version and deletion.version == active:
        raise _is_active(deletion.name, active, document)
    left = [entry for entry in document["versions"] if entry["version"] not in numbers]
    return document | {"versions": left, "last_version": next_version(document) - 1}


def put_back(removed: Sequence[ModelVersion], document: Document) -> Document:
    """Return the document with versions that were taken out of it; a number that it has stays as it is.

    Where no version is active, not even one of those, the newest of them becomes it.
    """
    has_active = any(entry["active"] for entry in document["versions"])
    known = {entry["version"] for entry in document["versions"]}
    missing = [model for model in removed if model.version not in known]
    newest = max((model.version for model in missing), default=0)
    active = next((model.version for model in missing if model.active), newest)
    entries = [to_entry(model) | {"active": model.version == active and not has_active} for model in missing]
    return document | {
        "versions": sorted([*document["versions"], *entries], key=lambda entry: int(entry["version"]))
    }


def _is_active(name: str, version: int, document: Document) -> ThanosqlError:
    others = [entry["version"] for entry in document["versions"] if entry["version"] != version]
    first = f"ACTIVATE MODEL {name}.{others[-1]} first, or " if others else ""
    message = (
        f"version {version} of model {name!r} is the active one, so nothing was deleted; {first}"
        f"delete the model with DELETE MODEL {name}"
    )
    return error(Reason.MODEL_IN_USE, message, model=name)
