"""The records of models in the object store: one JSON document a model, changed whole or not at all.

Every change writes the document anew under the next number, and only where nobody has written that number:
of several processes that change one model, one wins and the others begin again with what it wrote. The
document with the highest number counts. It stays when the last version of a model is gone, without versions.
"""

import contextlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

import structlog

from services.storage.core.names import file_name
from services.storage.core.types import Artefact, ModelFamily, ModelKind, ModelVersion, TableVersion
from thanosql_objects.ports import ObjectInfo, ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("catalog")
_CATALOG = "catalog/models/"
# A release before this one kept `m.json` alone, which counts as the number 0.
_KEY = re.compile(r"(?P<model>[^/]+?)(/(?P<number>[0-9]{10}))?\.json")
_TRIES = 100
# What is older than the document behind it by so much is read by nobody, and nobody writes its number.
_KEPT_S = 3600.0

Document: TypeAlias = dict[str, Any]  # JSON
"""A model's `versions`, oldest first; its `request_ids` with the versions that they made; `last_version`."""

Edit: TypeAlias = Callable[[Document], Document]
"""Makes a new document of one that it leaves alone; it may be called several times for one change."""


@dataclass(frozen=True, kw_only=True)
class _Written:
    """One document of a model, and its number."""

    number: int
    info: ObjectInfo


class ModelDocuments:
    """The documents of all models, for every process that writes them.

    Args:
        store: Where they are.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = threading.RLock()

    def read(self, name: str) -> Document | None:
        """Return the document of a model; None where there is no such model."""
        document = self._newest(_stem(name))[1] if name else empty()
        return document if document["versions"] else None

    def all(self) -> Iterator[Document]:
        """Yield the documents of all models."""
        found: dict[str, list[_Written]] = {}
        for stem, item in self._listed(""):
            found.setdefault(stem, []).append(item)
        for stem, written in found.items():
            document = self._newest(stem, _by_number(written))[1]
            if document["versions"]:
                yield document

    def change(self, name: str, edit: Edit) -> Document:
        """Change the document of a model, an empty one where there is none, and return what it became.

        Raises:
            ThanosqlError: CONFLICT where others were always faster; what the edit raises.
        """
        stem = _stem(name)
        # Processes contend through the store; threads of this one need not.
        with self._lock:
            for _try in range(_TRIES):
                written, before = self._newest(stem)
                document = edit(before)
                number = written[-1].number + 1 if written else 1
                if document == before or self._create(stem, number, document):
                    self._forget(written)
                    return document
        message = f"model {name!r} is being changed by others all the time; try again later"
        raise error(Reason.CONFLICT, message, model=name)

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Keep this process from changing any document meanwhile."""
        with self._lock:
            yield

    def _create(self, stem: str, number: int, document: Document) -> bool:
        # The mark tells a writer whose answer was lost that the document is its own.
        marked = document | {"mark": uuid.uuid4().hex}
        content = json.dumps(marked, ensure_ascii=False, indent=1).encode()
        return self._store.create(f"{_CATALOG}{stem}/{number:010d}.json", content)

    def _newest(
        self, stem: str, listed: Sequence[_Written] | None = None
    ) -> tuple[Sequence[_Written], Document]:
        """Return what is written of a model by number, and the document that counts."""
        for number in range(_TRIES):
            written = self._written(stem) if listed is None or number else listed
            if not written:
                return written, empty()
            with contextlib.suppress(_GoneError):
                document = self._load(written[-1].info.key)
                return written, document if document["versions"] else empty()
        raise error(Reason.CONFLICT, f"the catalog entry {stem!r} changes all the time; try again later")

    def _written(self, stem: str) -> Sequence[_Written]:
        listed = [*self._listed(f"{stem}.json"), *self._listed(f"{stem}/")]
        return _by_number([item for _stem, item in listed])

    def _listed(self, prefix: str) -> Iterator[tuple[str, _Written]]:
        for info in self._store.walk(_CATALOG + prefix):
            match = _KEY.fullmatch(info.key.removeprefix(_CATALOG))
            if match is not None:
                yield match["model"], _Written(number=int(match["number"] or 0), info=info)

    def _forget(self, written: Sequence[_Written]) -> None:
        """Remove what was replaced long ago, oldest first, by the clock of the store."""
        for item, successor in pairwise(written):
            if successor.info.modified_s > written[-1].info.modified_s - _KEPT_S:
                return
            try:
                self._store.delete(item.info.key)
            except ThanosqlError as problem:
                _log.warning("old_record_left", key=item.info.key, error=problem.message)
                return

    def _load(self, key: str) -> Document:
        try:
            document = json.loads(self._store.read(key))
            _require_whole(document)
        except ThanosqlError as problem:
            if problem.reason is Reason.FILE_NOT_FOUND:
                raise _GoneError from problem
            raise
        except (KeyError, TypeError, ValueError) as problem:
            raise _damaged(key, f": {problem!r}") from problem
        return dict(document)


def _by_number(written: Iterable[_Written]) -> list[_Written]:
    return sorted(written, key=lambda item: item.number)


class _GoneError(Exception):
    """A document was removed between the listing and the reading, because newer ones are there."""


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
        "family": model.family.value,
        "built_from": [{"table": item.table, "version": item.version} for item in model.built_from],
    }


def from_entry(entry: dict[str, Any]) -> ModelVersion:
    """Read a version of a document."""
    artefacts = tuple(Artefact(**artefact) for artefact in entry["artefacts"])
    # Models that an earlier release registered have no such records.
    family = ModelFamily(entry.get("family", ModelFamily.RECOGNISER.value))
    built_from = tuple(TableVersion(**item) for item in entry.get("built_from", ()))
    kind = ModelKind(entry["kind"])
    typed = {"kind": kind, "family": family, "artefacts": artefacts, "built_from": built_from}
    return ModelVersion(**(entry | typed))


def _require_whole(document: Document) -> None:
    """Raise KeyError, TypeError or ValueError for what cannot be read as a document."""
    for entry in document["versions"]:
        from_entry(entry)
    dict(document["request_ids"])


def _damaged(key: str, why: str) -> ThanosqlError:
    return error(Reason.CHECKSUM_MISMATCH, f"the catalog entry {key!r} is damaged{why}", path=key)


def _stem(name: str) -> str:
    # Upper case is kept: names of models are case sensitive, and so are keys.
    return "".join(c if c.isupper() and c.isascii() else file_name(c) for c in name)
