"""Rows on their way in, kept in a temporary file until all of them are there.

A writer that dies half way then leaves nothing behind in the tables, and no lock is ever held
while a client is slow.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from thanosql_objects.scratch import ScratchFolder
from thanosql_runtime.errors import Reason, error


class Spool:
    """Record batches of one schema in an Arrow file of its own.

    Write all of them, then `finish`, then read them as often as needed. Not for several threads
    at once. Closing removes the file.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.row_count = 0
        with _translated():
            self._folder = ScratchFolder("spool")
            self._path = Path(self._folder.name) / "rows.arrow"
            self._sink = pa.OSFile(str(self._path), "wb")
            self._writer = pa.ipc.new_file(self._sink, schema)
        self._finished = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE when the disk does not take them.
        """
        with _translated():
            self._writer.write_batch(batch)
        self.row_count += batch.num_rows

    def finish(self) -> None:
        """Say that every row was written.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE when the disk does not take the rest of them.
        """
        if not self._finished:
            with _translated():
                self._writer.close()
            self._finished = True

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, one batch in memory at a time.

        A map of the file would count as memory of the process, all of it, once it was read through.
        """
        with pa.OSFile(str(self._path)) as source:
            reader = pa.ipc.open_file(source)
            for index in range(reader.num_record_batches):
                yield reader.get_batch(index)

    def reader(self) -> pa.RecordBatchReader:
        """Return the rows as one stream."""
        return pa.RecordBatchReader.from_batches(self.schema, self.batches())

    @property
    def path(self) -> Path:
        """The Arrow IPC file."""
        return self._path

    def close(self) -> None:
        """Forget the rows."""
        # Not finished first: that writes, and would fail on the full disk that a caller is just told of.
        with contextlib.suppress(OSError):
            self._sink.close()
        self._folder.cleanup()

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        message = f"temporary storage failed: {problem}; nothing was changed: make room on the server's disk"
        raise error(Reason.STORE_UNAVAILABLE, message) from problem
