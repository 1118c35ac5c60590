"""An engine, a clock and threads that tests hold in their hands."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from services.predictor.core.ports import BatchPolicy
from thanosql_ctc.waveform import Samples

SINGLES = BatchPolicy(max_batch_size=1, max_queue_delay_s=0.0, bucket_samples=1000, pipeline_depth=1)


class FakeClock:
    """Time stands still until it is moved."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> float:
        return self._now_s

    async def wait(self, event: asyncio.Event, timeout_s: float | None) -> None:
        sleeper = (float("inf") if timeout_s is None else self._now_s + timeout_s, event)
        if sleeper[0] <= self._now_s:
            return
        self._sleepers.append(sleeper)
        try:
            await event.wait()
        finally:
            self._sleepers.remove(sleeper)

    def advance(self, seconds: float) -> None:
        """Move time, and wake whoever slept until then."""
        self._now_s += seconds
        for until_s, event in self._sleepers:
            if until_s <= self._now_s:
                event.set()


class FakeEngine:
    """Answers each window with its length, in one frame; fails where `fails` says so."""

    def __init__(
        self, policy: BatchPolicy = SINGLES, fails: Callable[[list[int]], bool] = lambda _lengths: False
    ) -> None:
        self.policy = policy
        self.description = "fake"
        self.size_bytes = 8
        self.batches: list[list[int]] = []
        self._fails = fails

    def prepare(self, windows: Sequence[Samples]) -> list[int]:
        return [len(window) for window in windows]

    def run(self, prepared: list[int]) -> list[int]:
        self.batches.append(prepared)
        if self._fails(prepared):
            raise RuntimeError("the device fell off the bus")
        return prepared

    def finish(self, raw: list[int]) -> list[list[int]]:
        return [[length] for length in raw]


class InlineExecutor(Executor):
    """Runs what it is given at once, or when `release` is called while it is held."""

    def __init__(self) -> None:
        self.held = False
        self._waiting: list[Callable[[], None]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as failure:
                future.set_exception(failure)

        if self.held:
            self._waiting.append(call)
        else:
            call()
        return future

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def release(self) -> None:
        """Run what waited."""
        self.held = False
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            call()


async def settle() -> None:
    """Let every task run until it waits for time or for a test."""
    for _ in range(50):
        await asyncio.sleep(0)
