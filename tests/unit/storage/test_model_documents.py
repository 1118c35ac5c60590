"""The records of models: changed whole, by several processes, and only the newest counts."""

import os
from pathlib import Path

import pytest

from services.storage.core.models.model_documents import Document, ModelDocuments
from services.storage.core.models.model_edits import added
from services.storage.core.types import ModelKind, ModelVersion
from tests.s3_servers import new_bucket
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.opening import open_objects
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError


@pytest.fixture(params=["directory", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return LocalDirectory(tmp_path / "objects")
    return open_objects(new_bucket(request.getfixturevalue("s3_endpoint"))).store


def with_one_more(document: Document) -> Document:
    return added(ModelVersion(name="m", version=0, kind=ModelKind.TRAINED), document, "")


def versions(documents: ModelDocuments, name: str = "m") -> list[int]:
    document = documents.read(name)
    return [entry["version"] for entry in document["versions"]] if document else []


DAMAGED = [
    "{",
    "[]",
    "1",
    "{}",
    '{"versions": 1, "request_ids": {}}',
    '{"versions": [1], "request_ids": {}}',
    '{"versions": [{"name": "m"}], "request_ids": {}}',
    '{"versions": [{"name": "m", "version": 1, "kind": "none", "artefacts": []}], "request_ids": {}}',
]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_record_is_told_by_its_key(tmp_path: Path, content: str) -> None:
    store = LocalDirectory(tmp_path / "objects")
    store.write("catalog/models/m.json", [content.encode()])
    for read in (lambda: ModelDocuments(store).read("m"), lambda: list(ModelDocuments(store).all())):
        with pytest.raises(ThanosqlError, match=r"catalog/models/m\.json") as caught:
            read()
        assert caught.value.reason is Reason.CHECKSUM_MISMATCH


def test_a_change_that_another_process_overtakes_begins_again(store: ObjectStore) -> None:
    ours, theirs = ModelDocuments(store), ModelDocuments(store)
    seen = []

    def overtaken(document: Document) -> Document:
        seen.append(len(document["versions"]))
        if len(seen) == 1:
            theirs.change("m", with_one_more)
        return with_one_more(document)

    ours.change("m", overtaken)
    assert seen == [0, 1]
    assert versions(theirs) == [1, 2]


def test_who_is_always_overtaken_is_told_so(tmp_path: Path) -> None:
    store = LocalDirectory(tmp_path / "objects")
    ours, theirs = ModelDocuments(store), ModelDocuments(store)

    def overtaken(document: Document) -> Document:
        theirs.change("m", with_one_more)
        return with_one_more(document)

    with pytest.raises(ThanosqlError) as caught:
        ours.change("m", overtaken)
    assert caught.value.reason is Reason.CONFLICT


def test_a_model_without_versions_is_none_and_begins_anew(store: ObjectStore) -> None:
    documents = ModelDocuments(store)
    documents.change("m", with_one_more)
    documents.change("m", lambda document: document | {"versions": [], "last_version": 9})
    assert documents.read("m") is None
    assert list(documents.all()) == []
    assert "last_version" not in documents.change("m", with_one_more)


def test_a_change_that_changes_nothing_writes_nothing(store: ObjectStore) -> None:
    documents = ModelDocuments(store)
    documents.change("m", with_one_more)
    before = [info.key for info in store.walk("catalog/")]
    documents.change("m", lambda document: document)
    documents.change("n", lambda document: document)
    assert [info.key for info in store.walk("catalog/")] == before


def test_models_whose_names_begin_alike_are_kept_apart(store: ObjectStore) -> None:
    documents = ModelDocuments(store)
    for name in ("m", "M", "m2", "m json", "m\u00e9"):
        documents.change(name, with_one_more)
    documents.change("m", with_one_more)
    assert [versions(documents, name) for name in ("m", "M", "m2", "m json")] == [[1, 2], [1], [1], [1]]
    assert len(list(documents.all())) == 5


def test_what_was_replaced_long_ago_is_removed(tmp_path: Path) -> None:
    store = LocalDirectory(tmp_path / "objects")
    documents = ModelDocuments(store)
    for _number in range(4):
        documents.change("m", with_one_more)
    for number in (1, 2, 3):
        path = store.path(f"catalog/models/m/{number:010d}.json")
        os.utime(path, (1000.0, 1000.0))
    documents.change("m", with_one_more)
    kept = [info.key.rpartition("/")[2] for info in store.walk("catalog/models/m/")]
    assert kept == ["0000000003.json", "0000000004.json", "0000000005.json"]
    assert versions(documents) == [1, 2, 3, 4, 5]
