"""Records that a copy keeps in a file until it needs them, because there may be too many for memory."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from services.storage.core.spooling import Spool

_BATCH_ROWS = 2048
_BATCH_CHARACTERS = 4 << 20


class RecordSpool:
    """A `Spool` that takes one record at a time.

    Add all of them, then read them as often as needed. Closing removes the file.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.row_count = 0
        self._spool = Spool(schema)
        self._gathered: list[Mapping[str, object]] = []
        self._characters = 0

    def add(self, record: Mapping[str, object]) -> None:
        """Keep a record."""
        self.row_count += 1
        self._gathered.append(record)
        self._characters += sum(len(value) for value in record.values() if isinstance(value, str))
        if len(self._gathered) >= _BATCH_ROWS or self._characters > _BATCH_CHARACTERS:
            self._flush()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the records as columns; nothing can be added after that."""
        self._flush()
        self._spool.finish()
        yield from self._spool.batches()

    def records(self) -> Iterator[dict[str, Any]]:  # Any: what the schema says
        """Yield the records one by one; nothing can be added after that."""
        for batch in self.batches():
            yield from batch.to_pylist()

    def close(self) -> None:
        """Forget the records."""
        self._spool.close()

    def __enter__(self) -> "RecordSpool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _flush(self) -> None:
        if self._gathered:
            self._spool.write(pa.RecordBatch.from_pylist(self._gathered, schema=self.schema))
        self._gathered, self._characters = [], 0
