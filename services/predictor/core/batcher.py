"""Dynamic batching: windows of all callers in, batches through one model, one answer for each window.

Promises, kept by a property test: the queue is bounded and refuses at once; a batch never exceeds the policy;
who has left or waited too long is dropped before anything is computed; every answer resolves exactly once; a
failed batch fails its own windows and nobody else, and so does a window that alone has no answer; `drain`
refuses newcomers and finishes the rest.
"""

import asyncio
from collections.abc import Sized
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog

from services.predictor.core.ports import Clock, Engine
from services.predictor.core.statistics import Counters
from services.predictor.core.waiting import Urgency, Waiting, WaitingRoom
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("batcher")
_FIRST_GUESS_S = 0.5

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True)
class Executors:
    """Threads of one model: preparation and the end on one, the device on the other."""

    host: Executor
    device: Executor


class Batcher(Generic[Answer]):
    """The queue and the loop of one engine.

    Args:
        engine: What computes; its policy forms the batches.
        executors: Where its three steps run.
        clock: Time.
        counters: Where batches and seconds are counted.
        max_queue_size: Most windows that wait.
    """

    def __init__(
        self,
        engine: Engine[Any, Any, Answer],
        executors: Executors,
        clock: Clock,
        counters: Counters,
        max_queue_size: int,
    ) -> None:
        self._engine = engine
        self._executors = executors
        self._clock = clock
        self._counters = counters
        self._room: WaitingRoom[Answer] = WaitingRoom(engine.policy, max_queue_size)
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(engine.policy.pipeline_depth)
        self._running: set[asyncio.Task[None]] = set()
        self._draining = False
        self._batch_s = _FIRST_GUESS_S
        self._loop_task = asyncio.get_running_loop().create_task(self._loop(), name="batcher")

    @property
    def is_alive(self) -> bool:
        """Whether the loop runs: false after `drain`, or if it died."""
        return not self._loop_task.done()

    def submit(
        self, window: Sized, deadline_s: float | None = None, urgency: Urgency = Urgency.RECORDING
    ) -> "asyncio.Future[Answer]":
        """Queue one window; cancel the future to take it back.

        Args:
            window: Samples or tokens as the model takes them.
            deadline_s: On the batcher's clock; after it the window is not computed any more.
            urgency: Who goes first.

        Raises:
            ThanosqlError: OVERLOADED, with the time after which to try again, when the queue is full;
                CANCELLED when the model is being unloaded.
        """
        if self._draining or not self.is_alive:
            raise error(Reason.CANCELLED, "the model is being unloaded; send the statement again")
        now_s = self._clock.now()
        if self._room.is_full:
            self._room.admit(now_s)
        if self._room.is_full:
            raise self._overloaded()
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._room.add(
            Waiting(window=window, since_s=now_s, deadline_s=deadline_s, answer=answer, urgency=urgency)
        )
        self._changed.set()
        return answer

    async def drain(self) -> None:
        """Refuse newcomers, answer everyone who waits, then end."""
        self._draining = True
        self._changed.set()
        await asyncio.wait([self._loop_task])

    async def _loop(self) -> None:
        try:
            while batch := await self._next_batch():
                task = asyncio.get_running_loop().create_task(self._process(batch))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            if self._running:
                await asyncio.wait(set(self._running))
        except Exception:  # noqa: BLE001 - a bug of ours; the registry sees the dead queue and loads anew
            _log.exception("queue ended unexpectedly")
        finally:
            for waiting in self._room.clear():
                _fail(waiting, error(Reason.INTERNAL, "the queue of the model ended unexpectedly"))

    async def _next_batch(self) -> list[Waiting[Answer]]:
        """Wait for a slot, then for a batch; empty at the end of a drain. The slot is held for the batch."""
        await self._slots.acquire()
        while True:
            self._changed.clear()
            now_s = self._clock.now()
            self._room.admit(now_s)
            batch = self._room.take(now_s, at_once=self._draining)
            if batch or (self._draining and not len(self._room)):
                return batch
            next_s = self._room.next_change_s()
            await self._clock.wait(self._changed, None if next_s is None else max(0.0, next_s - now_s))

    async def _process(self, batch: list[Waiting[Answer]]) -> None:
        now_s = self._clock.now()
        self._counters.queue_s += sum(now_s - waiting.since_s for waiting in batch)
        try:
            await self._compute(batch)
        except ThanosqlError as failure:
            _fail_all(batch, failure)
        except Exception as failure:  # noqa: BLE001 - whatever an engine raises belongs to its batch
            _log.exception("batch failed", size=len(batch))
            _fail_all(
                batch, error(Reason.INTERNAL, f"the model failed on this batch ({type(failure).__name__})")
            )
        finally:
            _fail_all(batch, error(Reason.INTERNAL, "the batch ended without an answer"))
            self._slots.release()

    async def _compute(self, batch: list[Waiting[Answer]]) -> None:
        loop = asyncio.get_running_loop()
        host, device = self._executors.host, self._executors.device
        prepared = await loop.run_in_executor(
            host, self._engine.prepare, [waiting.window for waiting in batch]
        )
        if all(waiting.answer.done() for waiting in batch):
            return  # everyone left while it was prepared
        begun_s = self._clock.now()
        raw = await loop.run_in_executor(device, self._engine.run, prepared)
        self._count(self._clock.now() - begun_s)
        answers = await loop.run_in_executor(host, self._engine.finish, raw)
        if len(answers) != len(batch):
            raise RuntimeError(f"the engine gave {len(answers)} answers for {len(batch)} windows")
        for waiting, answer in zip(batch, answers, strict=True):
            if isinstance(answer, ThanosqlError):
                _fail(waiting, answer)
            elif not waiting.answer.done():
                waiting.answer.set_result(answer)

    def _count(self, compute_s: float) -> None:
        self._counters.batches += 1
        self._counters.compute_s += compute_s
        self._batch_s += 0.2 * (compute_s - self._batch_s)

    def _overloaded(self) -> ThanosqlError:
        batches = len(self._room) / self._engine.policy.max_batch_size
        return ThanosqlError(
            reason=Reason.OVERLOADED,
            message=f"{len(self._room)} others wait for this model already; try again later",
            retry_delay_s=max(0.1, 0.5 * batches * self._batch_s),
        )


def _fail(waiting: Waiting[Any], failure: ThanosqlError) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(failure)


def _fail_all(batch: list[Waiting[Any]], failure: ThanosqlError) -> None:
    for waiting in batch:
        _fail(waiting, failure)
