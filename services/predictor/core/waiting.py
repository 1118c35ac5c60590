"""The queue before a model: who waits, who may go together, and when. No tasks, no threads, no clock."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.predictor.core.ports import BatchPolicy
from thanosql_runtime.errors import Reason, error

Answer = TypeVar("Answer")


@dataclass(frozen=True, kw_only=True, eq=False)
class Waiting(Generic[Answer]):
    """One window in the queue.

    Attributes:
        window: Samples or tokens as the model takes them.
        since_s: When it came.
        deadline_s: When its caller gives up; None for never.
        answer: Resolves exactly once: what the engine gives, an error, or cancelled by the caller.
    """

    window: Sized
    since_s: float
    deadline_s: float | None
    answer: "asyncio.Future[Answer]"


class WaitingRoom(Generic[Answer]):
    """A bounded queue that forms batches.

    Args:
        policy: The engine's wishes.
        max_queue_size: Most windows that wait.
    """

    def __init__(self, policy: BatchPolicy, max_queue_size: int) -> None:
        self._policy = policy
        self._max_queue_size = max_queue_size
        self._queue: deque[Waiting[Answer]] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether the next one would be refused."""
        return len(self._queue) >= self._max_queue_size

    def add(self, waiting: Waiting[Answer]) -> None:
        """Put one at the end; the caller has looked at `is_full`."""
        self._queue.append(waiting)

    def admit(self, now_s: float) -> int:
        """Drop who left and answer who waited too long; answers how many had left."""
        left = sum(1 for waiting in self._queue if waiting.answer.done())
        for waiting in self._queue:
            if not waiting.answer.done() and waiting.deadline_s is not None and waiting.deadline_s <= now_s:
                waited_s = now_s - waiting.since_s
                text = (
                    f"the deadline passed after {waited_s:.1f} s in the queue, before anything was computed"
                )
                waiting.answer.set_exception(error(Reason.DEADLINE_EXCEEDED, text))
        self._queue = deque(waiting for waiting in self._queue if not waiting.answer.done())
        return left

    def take(self, now_s: float, *, at_once: bool = False) -> list[Waiting[Answer]]:
        """Take the next batch, empty while it is better to wait.

        A batch goes when it is full, or when its oldest member waited for the policy's delay.
        """
        batches = self._by_bucket()
        full = [batch for batch in batches.values() if len(batch) >= self._policy.max_batch_size]
        due = [batch for batch in batches.values() if at_once or self._is_due(batch[0], now_s)]
        ready = full + due
        if not ready:
            return []
        batch = min(ready, key=lambda members: members[0].since_s)[: self._policy.max_batch_size]
        taken = set(map(id, batch))
        self._queue = deque(waiting for waiting in self._queue if id(waiting) not in taken)
        return batch

    def next_change_s(self) -> float | None:
        """When time alone will change something; None when only a newcomer can."""
        return min(self._changes(), default=None)

    def clear(self) -> list[Waiting[Answer]]:
        """Take everyone."""
        everyone = list(self._queue)
        self._queue.clear()
        return everyone

    def _changes(self) -> Iterator[float]:
        for waiting in self._queue:
            yield waiting.since_s + self._policy.max_queue_delay_s
            if waiting.deadline_s is not None:
                yield waiting.deadline_s

    def _is_due(self, waiting: Waiting[Answer], now_s: float) -> bool:
        return waiting.since_s + self._policy.max_queue_delay_s <= now_s

    def _by_bucket(self) -> dict[int, list[Waiting[Answer]]]:
        batches: dict[int, list[Waiting[Answer]]] = {}
        for waiting in self._queue:
            bucket = -(-len(waiting.window) // self._policy.bucket_samples)
            batches.setdefault(bucket, []).append(waiting)
        return batches
