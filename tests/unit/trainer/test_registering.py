"""A version is registered once, and its files are given up only when it surely is not."""

import asyncio
from dataclasses import replace

import pytest

from services.trainer.core.registering import Registrar, UnclearRegistrationError
from services.trainer.core.types import Artefact, Model, ModelKind
from thanosql_runtime.errors import Reason, ThanosqlError, error

PREFIX = "models/mine/job/"
FILES = (Artefact(key=f"{PREFIX}weights", name="weights", sha256="0", size_bytes=1),)
MINE = Model(name="mine", kind=ModelKind.TRAINED, base="b", artefacts=FILES)


class FakeCatalog:
    """Raises what `failures` says, in turn; `commits` says whether it registers all the same."""

    def __init__(self, *failures: ThanosqlError, commits: bool = False) -> None:
        self.failures = list(failures)
        self.commits = commits
        self.known: list[Model] = []
        self.request_ids: list[str] = []
        self.called = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.silent = False

    async def find(self, name: str, version: int = 0) -> Model | None:
        raise AssertionError("the active version alone tells nothing")

    async def names(self) -> list[str]:
        return [model.name for model in self.known]

    async def versions(self, name: str) -> list[Model]:
        if self.silent:
            raise error(Reason.PEER_UNAVAILABLE, "storage is away")
        return self.known[::-1]

    async def register(self, model: Model, *, overwrite: bool, request_id: str) -> Model:
        self.request_ids.append(request_id)
        self.called.set()
        await self.go_on.wait()
        registered = replace(model, version=len(self.known) + 1)
        if self.commits or not self.failures:
            self.known.append(registered)
        if self.failures:
            raise self.failures.pop(0)
        return registered


def unclear(count: int) -> list[ThanosqlError]:
    return [error(Reason.DEADLINE_EXCEEDED, "too slow") for _ in range(count)]


async def register(catalog: FakeCatalog, *delays_s: float) -> Model:
    registrar = Registrar(catalog, delays_s)
    return await registrar.register(MINE, prefix=PREFIX, overwrite=True, request_id="job")


async def test_asks_again_under_the_same_id_until_it_is_clear() -> None:
    catalog = FakeCatalog(*unclear(2))
    assert (await register(catalog, 0, 0)).version == 1
    assert catalog.request_ids == ["job"] * 3


async def test_a_refusal_is_final() -> None:
    catalog = FakeCatalog(error(Reason.MODEL_ALREADY_EXISTS, "taken"))
    with pytest.raises(ThanosqlError, match="taken") as caught:
        await register(catalog, 0, 0)
    assert not isinstance(caught.value, UnclearRegistrationError)
    assert len(catalog.request_ids) == 1


async def test_a_refusal_after_a_lost_answer_finds_what_was_registered() -> None:
    catalog = FakeCatalog(*unclear(1), error(Reason.MODEL_ALREADY_EXISTS, "taken"), commits=True)
    assert (await register(catalog, 0)).artefacts == FILES


async def test_without_any_clear_answer_the_files_must_stay() -> None:
    with pytest.raises(UnclearRegistrationError, match="SHOW MODEL VERSIONS mine") as caught:
        await register(FakeCatalog(*unclear(3)), 0, 0)
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED


async def test_a_refusal_that_cannot_be_looked_up_is_unclear() -> None:
    catalog = FakeCatalog(error(Reason.MODEL_ALREADY_EXISTS, "taken"))
    catalog.silent = True
    with pytest.raises(UnclearRegistrationError):
        await register(catalog)


async def test_a_cancelled_job_ends_with_what_came_of_the_call_under_way() -> None:
    catalog = FakeCatalog(*unclear(1), commits=True)
    catalog.go_on.clear()
    task = asyncio.create_task(register(catalog, 3600.0))
    await catalog.called.wait()
    task.cancel()
    catalog.go_on.set()
    assert (await task).version == 1


async def test_a_job_cancelled_between_two_tries_does_not_wait() -> None:
    catalog = FakeCatalog(*unclear(2), commits=True)
    task = asyncio.create_task(register(catalog, 3600.0))
    await catalog.called.wait()
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    assert (await task).version == 1
