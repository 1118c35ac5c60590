"""How much storage makes of its answers, for tests of readers that are slow."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pytest

from services.storage.core.files.reading import FileReading
from services.storage.core.queries.running import RunningQuery


class Made:
    """How many bytes storage has made of an answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bytes = 0
        rows, blocks = RunningQuery.__iter__, FileReading.blocks

        def size_of(batch: pa.RecordBatch) -> int:
            return int(batch.nbytes)

        monkeypatch.setattr(RunningQuery, "__iter__", lambda query: self._counted(rows(query), size_of))
        monkeypatch.setattr(FileReading, "blocks", lambda file: self._counted(blocks(file), len))

    async def at_rest(self) -> int:
        """Wait until it makes no more; on a slow machine that may be told too soon, never too late."""
        before, looks = self.bytes, 0
        async with asyncio.timeout(60):
            while not before or looks < 50:
                await asyncio.sleep(0.01)
                looks = looks + 1 if before == self.bytes else 0
                before = self.bytes
        return before

    def _counted(self, items: Iterator[Any], size: Callable[[Any], int]) -> Iterator[Any]:
        for item in items:
            self.bytes += size(item)
            yield item
