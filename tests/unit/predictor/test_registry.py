"""Which models are in memory, and who holds them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from services.predictor.core.acoustics import Acoustics, Hearing
from services.predictor.core.holding import HeldVersion, HoldAnswer, ModelHolding
from services.predictor.core.loaded_model import Engines, LoadedModel
from services.predictor.core.places import State
from services.predictor.core.ports import BatchPolicy
from services.predictor.core.registry import ModelRegistry
from services.predictor.core.statistics import Counters
from services.predictor.core.types import Artefact, ModelRecord
from services.predictor.core.windows import Geometry
from tests.fakes.predictor_engine import FakeClock, FakeEngine, settle
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError, error

GEOMETRY = Geometry(receptive_field=400, samples_per_frame=320, window_frames=10, overlap_frames=2)
ACOUSTICS = Acoustics(
    vocabulary=Vocabulary.of_characters("AB"),
    sample_rate_hz=16_000,
    do_normalize=True,
    geometry=GEOMETRY,
    hidden_size=1,
)
POLICY = BatchPolicy(max_batch_size=1, max_queue_delay_s=0.0, bucket_samples=1000, pipeline_depth=1)


def record(name: str, version: int = 1, sha256: str = "0") -> ModelRecord:
    artefact = Artefact(key="k", name="f", sha256=sha256, size_bytes=1)
    return ModelRecord(name=name, version=version, artefacts=(artefact,))


class Rig:
    """A registry whose loads wait for the test where it says so."""

    def __init__(self, max_loaded_models: int = 2) -> None:
        self.clock = FakeClock()
        self.records = {name: record(name) for name in "abcd"}
        self.loads: list[str] = []
        self.failing: set[str] = set()
        self.why = Reason.INVALID_CHECKPOINT
        self.gate = asyncio.Event()
        self.gate.set()
        self.reports: list[tuple[str, bool]] = []
        self.held: list[tuple[str, float]] = []
        self.missing: set[tuple[str, int]] = set()
        self.registry = ModelRegistry(
            catalog=self,
            load=self.load,
            clock=self.clock,
            max_loaded_models=max_loaded_models,
            settle_precision=self.settle_precision,
            holding=ModelHolding(self, asyncio.Event(), lambda: None, clock=lambda: 7.0),
            report=lambda name, ready: self.reports.append((name, ready)),
        )

    async def settle_precision(self, precision: str) -> str:
        return precision

    async def get_model(self, name: str, version: int) -> ModelRecord:
        if name not in self.records:
            raise error(Reason.MODEL_NOT_FOUND, f"no {name}")
        return self.records[name]

    async def hold(self, versions: Sequence[HeldVersion]) -> HoldAnswer:
        self.held = [(held.record.name, held.since_s) for held in versions]
        return HoldAnswer(missing=frozenset(self.missing), lasts_s=60.0)

    async def load(self, model: ModelRecord) -> LoadedModel:
        self.loads.append(model.name)
        await self.gate.wait()
        if model.name in self.failing:
            raise error(self.why, "it is broken")
        return LoadedModel(
            record=model,
            engines=Engines(labels=FakeEngine(POLICY), scores=FakeEngine(POLICY), frames=FakeEngine(POLICY)),
            acoustics=ACOUSTICS,
            hearing=Hearing(),
            clock=self.clock,
            counters=Counters(),
        )

    def states(self) -> dict[str, State]:
        return {status.name: status.state for status in self.registry.statuses()}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    rig = Rig()
    yield rig
    rig.gate.set()
    await rig.registry.close()


async def hold(rig: Rig, name: str, until: asyncio.Event) -> None:
    async with rig.registry.use(rig.records[name]):
        await until.wait()


async def test_many_first_callers_load_once(rig: Rig) -> None:
    rig.gate.clear()
    loads = [asyncio.ensure_future(rig.registry.load("a", 0)) for _ in range(5)]
    await settle()
    assert rig.states() == {"a": State.LOADING}
    rig.gate.set()
    assert {status.state for status in await asyncio.gather(*loads)} == {State.READY}
    assert rig.loads == ["a"]
    assert rig.reports == [("a", True)]


async def test_a_caller_who_leaves_does_not_stop_the_load_of_others(rig: Rig) -> None:
    rig.gate.clear()
    leaving = asyncio.ensure_future(rig.registry.load("a", 0))
    staying = asyncio.ensure_future(rig.registry.load("a", 0))
    await settle()
    leaving.cancel()
    await settle()
    rig.gate.set()
    assert (await staying).state is State.READY
    assert await rig.registry.unload("a", 0) == 1, "who left holds nothing"


async def test_a_load_that_fails_is_told_and_tried_again(rig: Rig) -> None:
    rig.failing.add("a")
    with pytest.raises(ThanosqlError, match="it is broken"):
        await rig.registry.load("a", 0)
    (status,) = rig.registry.statuses()
    assert (status.state, status.message) == (State.FAILED, "it is broken")
    rig.failing.clear()
    assert (await rig.registry.load("a", 0)).state is State.READY
    assert rig.loads == ["a", "a"]


async def test_the_least_recently_used_goes_when_a_place_is_needed(rig: Rig) -> None:
    for name in ("a", "b", "a", "c"):
        rig.clock.advance(1)
        await rig.registry.load(name, 0)
    assert rig.states() == {"a": State.READY, "c": State.READY}
    assert ("b", False) in rig.reports


async def test_models_in_use_are_not_given_up(rig: Rig) -> None:
    until = asyncio.Event()
    holders = [asyncio.ensure_future(hold(rig, name, until)) for name in "ab"]
    await settle()
    with pytest.raises(ThanosqlError) as caught:
        await rig.registry.load("c", 0)
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_delay_s
    until.set()
    await asyncio.gather(*holders)
    assert (await rig.registry.load("c", 0)).state is State.READY


async def test_unloading_waits_for_who_holds_it_and_newcomers_get_a_new_one(rig: Rig) -> None:
    until = asyncio.Event()
    holder = asyncio.ensure_future(hold(rig, "a", until))
    await settle()
    unloading = asyncio.ensure_future(rig.registry.unload("a", 0))
    await settle()
    assert rig.states() == {"a": State.UNLOADING}
    newcomer = asyncio.ensure_future(rig.registry.load("a", 0))
    await settle()
    assert not newcomer.done()
    until.set()
    await holder
    assert await unloading == 1
    assert (await newcomer).state is State.READY
    assert rig.loads == ["a", "a"]


async def test_who_stops_waiting_does_not_stop_the_unloading(rig: Rig) -> None:
    until = asyncio.Event()
    holder = asyncio.ensure_future(hold(rig, "a", until))
    await settle()
    impatient = asyncio.ensure_future(rig.registry.unload("a", 0))
    await settle()
    impatient.cancel()
    until.set()
    await holder
    assert (await rig.registry.load("a", 0)).state is State.READY
    assert rig.loads == ["a", "a"]


async def test_unloading_can_name_a_version(rig: Rig) -> None:
    await rig.registry.load("a", 0)
    assert await rig.registry.unload("a", 2) == 0
    assert await rig.registry.unload("b", 0) == 0
    assert await rig.registry.unload("a", 1) == 1
    assert rig.registry.statuses() == []


async def test_a_name_with_other_files_is_another_model(rig: Rig) -> None:
    await rig.registry.load("a", 0)
    rig.records["a"] = record("a", sha256="1")
    await rig.registry.load("a", 0)
    assert rig.loads == ["a", "a"]


async def test_a_model_whose_queue_died_is_loaded_anew(rig: Rig) -> None:
    async with rig.registry.use(rig.records["a"]) as model:
        await model.close()
    assert (await rig.registry.load("a", 0)).state is State.READY
    async with rig.registry.use(rig.records["a"]) as model:
        assert await model.transcribe(np.ones(100, dtype=np.float32)) == ""
    assert rig.loads == ["a", "a"]


async def test_what_the_catalog_does_not_know_is_not_found(rig: Rig) -> None:
    await rig.registry.load("a", 0)
    del rig.records["a"]
    with pytest.raises(ThanosqlError) as caught:
        await rig.registry.load("a", 0)
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


async def test_the_catalog_knows_of_a_model_before_it_is_loaded(rig: Rig) -> None:
    rig.gate.clear()
    loading = asyncio.ensure_future(rig.registry.load("a", 0))
    await settle()
    assert rig.held == [("a", 7.0)]
    assert rig.loads == ["a"]
    rig.gate.set()
    await loading


async def test_a_model_that_was_deleted_before_it_was_held_is_not_loaded(rig: Rig) -> None:
    rig.missing.add(("a", 1))
    with pytest.raises(ThanosqlError, match="version 1 of model 'a' was deleted while") as caught:
        await rig.registry.load("a", 0)
    assert caught.value.reason is Reason.MODEL_NOT_FOUND
    assert rig.loads == []


async def test_a_model_whose_files_vanish_with_it_is_not_found(rig: Rig) -> None:
    rig.gate.clear()
    rig.failing.add("a")
    rig.why = Reason.FILE_NOT_FOUND
    loading = asyncio.ensure_future(rig.registry.load("a", 0))
    await settle()
    del rig.records["a"]
    rig.gate.set()
    with pytest.raises(ThanosqlError, match="version 1 of model 'a' was deleted while") as caught:
        await loading
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


async def test_a_file_that_is_gone_from_a_model_that_is_not_is_told_as_such(rig: Rig) -> None:
    rig.failing.add("a")
    rig.why = Reason.FILE_NOT_FOUND
    with pytest.raises(ThanosqlError, match="it is broken"):
        await rig.registry.load("a", 0)


async def test_what_left_the_memory_is_held_no_more(rig: Rig) -> None:
    rig.failing.add("b")
    await rig.registry.load("a", 0)
    with pytest.raises(ThanosqlError):
        await rig.registry.load("b", 0)
    await rig.registry.load("c", 0)
    assert [name for name, _since in rig.held] == ["a", "c"]
    await rig.registry.unload("a", 0)
    await rig.registry.load("d", 0)
    assert [name for name, _since in rig.held] == ["c", "d"]


async def test_a_model_may_be_in_memory_in_several_precisions_at_once(rig: Rig) -> None:
    await rig.registry.load("a", 0, "bfloat16")
    await rig.registry.load("a", 0, "int8")
    assert [status.precision for status in rig.registry.statuses()] == ["bfloat16", "int8"]
    assert rig.held == [("a", 7.0)], "the catalog is told of a version once"
    await rig.registry.load("b", 0)
    assert [(status.name, status.precision) for status in rig.registry.statuses()] == [
        ("a", "int8"),
        ("b", ""),
    ]
    assert ("a", 7.0) in rig.held, "one precision is left"


async def test_unloading_takes_every_precision_of_a_version(rig: Rig) -> None:
    await rig.registry.load("a", 0, "bfloat16")
    await rig.registry.load("a", 0, "int8")
    assert await rig.registry.unload("a", 0) == 1
    assert rig.registry.statuses() == []


async def test_no_name_is_refused(rig: Rig) -> None:
    with pytest.raises(ThanosqlError, match="names no model"):
        await rig.registry.resolve("", 0)


async def test_failures_do_not_pile_up(rig: Rig) -> None:
    for version in range(50):
        rig.records["a"] = replace(record("a"), version=version)
        rig.failing.add("a")
        with pytest.raises(ThanosqlError):
            await rig.registry.load("a", 0)
    assert len(rig.registry.statuses()) <= 33


async def test_closing_abandons_loads() -> None:
    rig = Rig()
    rig.gate.clear()
    waiting = asyncio.ensure_future(rig.registry.load("a", 0))
    await settle()
    await rig.registry.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert rig.registry.statuses() == []
