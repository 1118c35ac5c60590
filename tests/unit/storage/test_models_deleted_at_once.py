"""A model that several processes delete at once, while another begins to use it."""

import threading
import uuid
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.storage.core.models.holds import Hold, ModelHolds
from services.storage.core.models.model_documents import empty
from services.storage.core.models.model_edits import added, put_back
from services.storage.core.models.models import ModelCatalog
from services.storage.core.types import Artefact, ModelDeletion, ModelKind, ModelVersion
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError

LOADED = Hold(model="m", version=1, holder="predictor")
WAIT_S = 60.0


class Watched(ModelHolds):
    """Tells of the two looks that a deletion takes: after the first, and before the second."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store)
        self.after_first: Callable[[], object] = lambda: None
        self.before_second: Callable[[], object] = lambda: None
        self._looks = 0

    def require_none(self, model: str, versions: Collection[int]) -> None:
        self._looks += 1
        look = self._looks
        if look == 2:
            self.before_second()
        super().require_none(model, versions)
        if look == 1:
            self.after_first()


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    store = LocalDirectory(tmp_path / "objects")
    info = store.write("models/m/one/w", [b"one"])
    artefact = Artefact(key=info.key, name="w", sha256=info.sha256, size_bytes=info.size_bytes)
    model = ModelVersion(name="m", version=0, kind=ModelKind.TRAINED, artefacts=(artefact,))
    ModelCatalog(store, ModelHolds(store)).register(model)
    return store


def reason_of(catalog: ModelCatalog, *, if_exists: bool = False) -> Reason | None:
    try:
        catalog.delete(ModelDeletion(name="m", if_exists=if_exists))
    except ThanosqlError as problem:
        return problem.reason
    return None


def test_two_deletions_that_are_taken_back_leave_one_record(store: ObjectStore) -> None:
    first, second = Watched(store), Watched(store)
    second_looked, first_removed, second_went_on, first_ended = (threading.Event() for _event in range(4))

    def use_it_once_both_went_on() -> None:
        first_removed.set()
        assert second_went_on.wait(WAIT_S)
        first.tell(uuid.uuid4().hex, [LOADED])

    def wait_for_the_first_to_remove() -> None:
        second_looked.set()
        assert first_removed.wait(WAIT_S)

    def wait_for_the_first_to_end() -> None:
        second_went_on.set()
        assert first_ended.wait(WAIT_S)

    first.after_first = lambda: second_looked.wait(WAIT_S)
    first.before_second = use_it_once_both_went_on
    second.after_first = wait_for_the_first_to_remove
    second.before_second = wait_for_the_first_to_end
    before = ModelCatalog(store, first).versions("m")
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(reason_of, ModelCatalog(store, first))
        other = threads.submit(reason_of, ModelCatalog(store, second))
        one.add_done_callback(lambda _done: first_ended.set())
        other.add_done_callback(lambda _done: second_went_on.set())
        assert one.result(WAIT_S) is Reason.MODEL_IN_USE
        assert other.result(WAIT_S) is Reason.MODEL_NOT_FOUND, "while the first one had it removed"
    assert ModelCatalog(store, first).versions("m") == before
    assert store.exists("models/m/one/w")


@pytest.mark.parametrize(("if_exists", "ending"), [(False, Reason.MODEL_NOT_FOUND), (True, None)])
def test_what_another_deletion_removed_with_its_files_stays_away(
    store: ObjectStore, if_exists: bool, ending: Reason | None
) -> None:
    watched = Watched(store)
    other = ModelCatalog(store, ModelHolds(store))

    def delete_and_use() -> None:
        assert other.delete(ModelDeletion(name="m")) == 1
        assert other.hold(uuid.uuid4().hex, [LOADED]) == (LOADED,)

    watched.after_first = delete_and_use
    assert reason_of(ModelCatalog(store, watched), if_exists=if_exists) is ending
    assert other.names() == [], "its files are gone"


def test_a_number_that_was_taken_meanwhile_is_not_put_back() -> None:
    one, other = (
        ModelVersion(name="m", version=1, kind=kind) for kind in (ModelKind.TRAINED, ModelKind.PREBUILT)
    )
    taken = added(one, empty(), "")
    assert put_back([other], taken) == taken
