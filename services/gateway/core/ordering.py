"""Rows go out in one order and are answered in another; here they come back as they left."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from services.gateway.core.records import RowAnswer
from thanosql_runtime.errors import Reason, error


@dataclass(frozen=True, kw_only=True)
class AnsweredChunk:
    """Rows and their answers, in the order of the rows; `first_key` numbers the first row."""

    batch: pa.RecordBatch
    first_key: int
    answers: list[RowAnswer]


@dataclass(kw_only=True)
class _OpenChunk:
    batch: pa.RecordBatch
    first_key: int
    answers: dict[int, RowAnswer] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        return len(self.answers) == int(self.batch.num_rows)


class OrderedWindow:
    """Chunks of rows that were sent and are not yet taken, at most `limit_rows` rows together.

    A chunk larger than the limit is let in alone.
    """

    def __init__(self, limit_rows: int) -> None:
        self._limit_rows = limit_rows
        self._chunks: deque[_OpenChunk] = deque()
        self._next_key = 0
        self._room = asyncio.Event()

    @property
    def rows_inside(self) -> int:
        """Rows sent and not yet taken."""
        return self._next_key - self._chunks[0].first_key if self._chunks else 0

    async def add(self, batch: pa.RecordBatch) -> int:
        """Let a chunk of at least one row in once there is room; answers the key of its first row."""
        while self._chunks and self.rows_inside + batch.num_rows > self._limit_rows:
            self._room.clear()
            await self._room.wait()
        first_key = self._next_key
        self._next_key += batch.num_rows
        self._chunks.append(_OpenChunk(batch=batch, first_key=first_key))
        return first_key

    def answer(self, answer: RowAnswer) -> None:
        """Keep the answer to a row; a key that nobody sent, or a second answer, is an error."""
        for chunk in self._chunks:
            if 0 <= answer.key - chunk.first_key < chunk.batch.num_rows:
                if answer.key in chunk.answers:
                    break
                chunk.answers[answer.key] = answer
                return
        raise error(Reason.INTERNAL, f"the predictor answered row {answer.key}, which does not wait for one")

    def take_complete(self) -> Iterator[AnsweredChunk]:
        """The chunks at the front that are fully answered; they leave the window."""
        while self._chunks and self._chunks[0].is_complete:
            chunk = self._chunks.popleft()
            self._room.set()
            keys = range(chunk.first_key, chunk.first_key + chunk.batch.num_rows)
            answers = [chunk.answers[key] for key in keys]
            yield AnsweredChunk(batch=chunk.batch, first_key=chunk.first_key, answers=answers)

    def check_empty(self) -> None:
        """Raise when rows wait although no answer can come any more."""
        if self._chunks:
            rows = self.rows_inside
            raise error(
                Reason.PEER_UNAVAILABLE,
                f"the predictor ended with {rows} rows unanswered; run the statement again",
                peer="predictor",
            )
