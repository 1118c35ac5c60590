"""The queue before a model: who waits, who may go together, and when. No tasks, no threads, no clock."""

import asyncio
import enum
from collections import deque
from collections.abc import Iterator, Sized
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.predictor.core.ports import BatchPolicy
from thanosql_runtime.errors import Reason, error

Answer = TypeVar("Answer")
_MOST_URGENT_IN_A_ROW = 8


class Urgency(enum.IntEnum):
    """Who goes first: the smaller."""

    FINAL = 0
    INTERIM = 1
    RECORDING = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Waiting(Generic[Answer]):
    """One window in the queue.

    Attributes:
        window: Samples or tokens as the model takes them.
        since_s: When it came.
        deadline_s: When its caller gives up; None for never.
        answer: Resolves exactly once: what the engine gives, an error, or cancelled by the caller.
        urgency: Live audio goes before recordings.
    """

    window: Sized
    since_s: float
    deadline_s: float | None
    answer: "asyncio.Future[Answer]"
    urgency: Urgency = Urgency.RECORDING


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
        self._urgent_in_a_row = 0

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

        A batch goes when it is full, or when its oldest member waited for the policy's delay. Of several the
        most urgent goes, then the oldest; after some urgent ones in a row the oldest recording has its turn.
        """
        batches = self._by_bucket()
        full = [batch for batch in batches if self._is_full(batch)]
        due = [batch for batch in batches if at_once or any(self._is_due(one, now_s) for one in batch)]
        ready = full + due
        if not ready:
            return []
        first = self._first(ready)
        batch = first[: 1 if self._goes_alone(first[0]) else self._most_windows(first)]
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

    def _is_full(self, batch: list[Waiting[Answer]]) -> bool:
        return len(batch) >= self._most_windows(batch) or self._goes_alone(batch[0])

    def _most_windows(self, batch: list[Waiting[Answer]]) -> int:
        return self._policy.most_windows(len(batch[0].window))

    def _goes_alone(self, waiting: Waiting[Answer]) -> bool:
        return self._policy.live_alone and waiting.urgency is not Urgency.RECORDING

    def _is_due(self, waiting: Waiting[Answer], now_s: float) -> bool:
        return waiting.since_s + self._policy.max_queue_delay_s <= now_s

    def _first(self, ready: list[list[Waiting[Answer]]]) -> list[Waiting[Answer]]:
        recordings = [batch for batch in ready if batch[0].urgency is Urgency.RECORDING]
        has_turn = recordings and self._urgent_in_a_row >= _MOST_URGENT_IN_A_ROW
        first = min(recordings if has_turn else ready, key=lambda batch: (batch[0].urgency, batch[0].since_s))
        waited = first[0].urgency is not Urgency.RECORDING and recordings
        self._urgent_in_a_row = self._urgent_in_a_row + 1 if waited else 0
        return first

    def _by_bucket(self) -> list[list[Waiting[Answer]]]:
        """Those of like length, live audio apart from recordings; the most urgent first, then the oldest."""
        batches: dict[tuple[int, bool], list[Waiting[Answer]]] = {}
        for waiting in self._queue:
            bucket = -(-len(waiting.window) // self._policy.bucket_samples)
            batches.setdefault((bucket, waiting.urgency is Urgency.RECORDING), []).append(waiting)
        return [sorted(batch, key=lambda waiting: waiting.urgency) for batch in batches.values()]
