"""The models in memory: loaded once however many ask, held by leases, the least recently used given up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from services.predictor.core.holding import ModelHolding, deleted_meanwhile
from services.predictor.core.loaded_model import LoadedModel
from services.predictor.core.places import AnyModel, ModelStatus, Place, State
from services.predictor.core.ports import Clock, ModelCatalog
from services.predictor.core.texts.encoder import LoadedEncoder
from services.predictor.core.types import ModelFamily, ModelKey, ModelRecord
from services.predictor.core.whisper.loaded import LoadedWhisper
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("registry")
_MOST_FAILURES = 32
_RETRY_DELAY_S = 2.0
_READS = "reads texts and hears no recordings; it is for CONVERT with text_col, and for SEARCH TEXT"
_SPEAKS = "makes texts of whole recordings alone; it is for PREDICT and EVALUATE"
_HEARS = (
    "hears recordings and reads no texts; use a text encoder, which the setting "
    "THANOSQL_STORAGE__TEXT_ENCODER brings as TextEncoder"
)

Load = Callable[[ModelRecord], Awaitable[AnyModel]]
SettlePrecision = Callable[[str], Awaitable[str]]


class ModelRegistry:
    """Models by name, version, fingerprint and precision.

    Args:
        catalog: Where versions are looked up.
        load: Makes a model from a version.
        clock: Time.
        max_loaded_models: Most models in memory.
        holding: Told of what is in memory.
        settle_precision: Says in which precision to compute, for which one was asked; empty for any.
        report: Told of a model's name and whether any of its versions is ready.
    """

    def __init__(
        self,
        *,
        catalog: ModelCatalog,
        load: Load,
        clock: Clock,
        max_loaded_models: int,
        holding: ModelHolding,
        settle_precision: SettlePrecision,
        report: Callable[[str, bool], None] = lambda _name, _ready: None,
    ) -> None:
        self._catalog = catalog
        self._load = load
        self._clock = clock
        self._max_loaded_models = max_loaded_models
        self._holding = holding
        self._report = report
        self._settle_precision = settle_precision
        self._places: dict[ModelKey, Place] = {}
        self._placing = asyncio.Lock()

    async def resolve(self, name: str, version: int, precision: str = "") -> ModelRecord:
        """Look a version up in the catalog: what was deleted is not found although it may be in memory.

        Args:
            name: The model.
            version: 0 for the active one.
            precision: In which it shall compute; empty for what the settings say. Other families have one.
        """
        if not name:
            raise error(Reason.INVALID_ARGUMENT, "the request names no model")
        record = await self._catalog.get_model(name, version)
        if record.family is ModelFamily.WHISPER and precision:
            text = f"model {record.full_name} computes with torch in one precision; leave precision out"
            raise error(Reason.INVALID_OPTION_VALUE, text, option="precision")
        if record.family is not ModelFamily.RECOGNISER:
            return record
        return replace(record, precision=await self._settle_precision(precision))

    @asynccontextmanager
    async def use(self, record: ModelRecord) -> AsyncIterator[LoadedModel]:
        """Hold a recogniser, loaded first where it must be; it stays while it is held.

        Raises:
            ThanosqlError: What loading raises; OVERLOADED when every place is taken by models in use;
                INVALID_CHECKPOINT for a model of another family.
        """
        if record.family is not ModelFamily.RECOGNISER:
            raise _other_family(record, _SPEAKS if record.family is ModelFamily.WHISPER else _READS)
        async with self._used(record) as model:
            assert isinstance(model, LoadedModel)
            yield model

    @asynccontextmanager
    async def use_any_hearing(self, record: ModelRecord) -> AsyncIterator[LoadedModel | LoadedWhisper]:
        """Hold a model that makes text of recordings, as `use` holds a recogniser."""
        if record.family is ModelFamily.TEXT_ENCODER:
            raise _other_family(record, _READS)
        async with self._used(record) as model:
            assert not isinstance(model, LoadedEncoder)
            yield model

    @asynccontextmanager
    async def use_encoder(self, record: ModelRecord) -> AsyncIterator[LoadedEncoder]:
        """Hold a text encoder, as `use` holds a recogniser."""
        if record.family is not ModelFamily.TEXT_ENCODER:
            raise _other_family(record, _HEARS)
        async with self._used(record) as model:
            assert isinstance(model, LoadedEncoder)
            yield model

    @asynccontextmanager
    async def _used(self, record: ModelRecord) -> AsyncIterator[AnyModel]:
        place = await self._place(record)
        try:
            # Shielded: one caller who leaves must not stop the load that others wait for.
            yield await asyncio.shield(place.task)
        finally:
            self._release(place)

    async def load(self, name: str, version: int, precision: str = "") -> ModelStatus:
        """Load a model before it is needed."""
        record = await self.resolve(name, version, precision)
        async with self._used(record):
            return self._places[record.key].status

    async def unload(self, name: str, version: int) -> int:
        """Give up a model once nobody holds it, in every precision, every version for 0.

        Returns:
            how many versions there were.
        """
        named = [place for place in self._held() if place.record.name == name]
        places = [place for place in named if version in (0, place.record.version)]
        await asyncio.gather(*(self._give_up(place) for place in places))
        return len({place.record.version for place in places})

    def statuses(self) -> list[ModelStatus]:
        """Every model that is loaded, loading, leaving, or failed to load, by name, version and precision."""
        return [self._places[key].status for key in sorted(self._places)]

    async def close(self) -> None:
        """Give up everything; loads are abandoned."""
        places = list(self._places.values())
        tasks = [task for place in places for task in (place.task, place.leaving) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(place.model.close() for place in places if place.model is not None))
        self._places.clear()

    async def _place(self, record: ModelRecord) -> Place:
        """Find the place of a version, or take a new one, and lease it before anyone can evict it."""
        while True:
            leaving = self._places.get(record.key)
            if leaving is not None and leaving.state is State.UNLOADING:
                await leaving.gone.wait()
                continue
            async with self._placing:
                place = self._places.get(record.key)
                if place is not None and place.state is State.UNLOADING:
                    continue
                if place is None or not place.is_usable:
                    await self._make_room(place)
                    place = self._take(record)
                place.leases += 1
                place.idle.clear()
                place.used_s = self._clock.now()
                return place

    def _take(self, record: ModelRecord) -> Place:
        task = asyncio.get_running_loop().create_task(self._load_model(record), name=f"load {record.name}")
        place = Place(record=record, task=task)
        place.idle.set()
        self._places[record.key] = place
        task.add_done_callback(lambda _task: self._settle(place))
        return place

    async def _load_model(self, record: ModelRecord) -> AnyModel:
        await self._holding.take(record)
        try:
            return await self._load(record)
        except ThanosqlError as failure:
            if failure.reason is Reason.FILE_NOT_FOUND:
                await self._require_known(record)
            raise

    async def _require_known(self, record: ModelRecord) -> None:
        """Raise MODEL_NOT_FOUND where the version was deleted while its files were being fetched."""
        try:
            await self._catalog.get_model(record.name, record.version)
        except ThanosqlError as failure:
            if failure.reason is Reason.MODEL_NOT_FOUND:
                raise deleted_meanwhile(record) from failure
            raise

    def _settle(self, place: Place) -> None:
        if place.task.cancelled():
            place.state, place.message = State.FAILED, "the load was abandoned"
            self._holding.give_up(place.record)
            return
        failure = place.task.exception()
        if failure is None:
            place.state = State.READY
        else:
            place.state, place.message = State.FAILED, str(failure)
            self._holding.give_up(place.record)
            _log.warning("model failed to load", model=place.record.name, problem=str(failure))
        self._tell(place.record.name)

    async def _make_room(self, dead: Place | None) -> None:
        if dead is not None:
            await self._forget(dead)
        failed = [key for key, place in self._places.items() if place.state is State.FAILED]
        for key in failed[:-_MOST_FAILURES]:
            del self._places[key]
        while len(held := self._held()) >= self._max_loaded_models:
            unused = [place for place in held if place.leases == 0 and place.state is State.READY]
            if not unused:
                raise ThanosqlError(
                    reason=Reason.OVERLOADED,
                    message=f"all {len(held)} places for models are in use; try again later",
                    retry_delay_s=_RETRY_DELAY_S,
                )
            await self._give_up(min(unused, key=lambda place: place.used_s))

    def _held(self) -> list[Place]:
        return [place for place in self._places.values() if place.state is not State.FAILED]

    async def _give_up(self, place: Place) -> None:
        """Wait until a place is free; who stops waiting does not stop the leaving."""
        if place.leaving is None:
            place.leaving = asyncio.get_running_loop().create_task(self._leave(place))
        await asyncio.shield(place.leaving)

    async def _leave(self, place: Place) -> None:
        await asyncio.wait([place.task])
        place.state = State.UNLOADING
        if isinstance(place.model, LoadedModel):
            place.model.leaving.set()
        await place.idle.wait()
        await self._forget(place)

    async def _forget(self, place: Place) -> None:
        if place.model is not None:
            await place.model.close()
        if self._places.get(place.record.key) is place:
            del self._places[place.record.key]
            self._holding.give_up(place.record)
        place.gone.set()
        self._tell(place.record.name)

    def _release(self, place: Place) -> None:
        place.leases -= 1
        place.used_s = self._clock.now()
        if place.leases == 0:
            place.idle.set()

    def _tell(self, name: str) -> None:
        ready = any(
            place.state is State.READY for place in self._places.values() if place.record.name == name
        )
        self._report(name, ready)


def _other_family(record: ModelRecord, what: str) -> ThanosqlError:
    message = f"model {record.full_name} is a {record.family.value}, which {what}"
    return error(Reason.INVALID_CHECKPOINT, message, model=record.name)
