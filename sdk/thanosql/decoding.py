"""The messages of an Execute call to events: Arrow is read, recordings are put together."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from thanosql.convert import to_job, to_model, to_notice, to_progress, to_row_error, to_scores
from thanosql.events import Columns, Event, Rows, StatementDone, StatementStarted
from thanosql.v1 import gateway_pb2
from thanosql.values import Media


class EventDecoder:
    """Turns messages into events; keeps the schema and the recording that is still arriving.

    Attributes:
        running: The statement that has started and is not done.
    """

    def __init__(self) -> None:
        self.running: StatementStarted | None = None
        self._schema: Any = None  # pyarrow has no types
        self._media: gateway_pb2.MediaStart | None = None
        self._chunks: list[bytes] = []

    def decode(self, message: gateway_pb2.ExecuteResponse) -> Iterator[Event]:
        """The events of one message: none, one, or several."""
        name = message.WhichOneof("event")
        if name == "media_start":
            self._media, self._chunks = message.media_start, []
        elif name == "media_chunk":
            yield from self._media_chunk(message.media_chunk)
        elif name == "schema":
            self._schema = pa.ipc.read_schema(pa.py_buffer(message.schema))
            yield Columns(schema=self._schema)
        elif name == "record_batch":
            yield Rows(batch=pa.ipc.read_record_batch(pa.py_buffer(message.record_batch), self._schema))
        elif name == "row_errors":
            yield from (to_row_error(row) for row in message.row_errors.errors)
        elif name == "started":
            self.running = _started(message.statement_index, message.started)
            yield self.running
        elif name == "done":
            self.running = None
            yield _done(message.statement_index, message.done)
        else:
            yield from _simple(name, message)

    def _media_chunk(self, chunk: gateway_pb2.MediaChunk) -> Iterator[Media]:
        self._chunks.append(chunk.data)
        start = self._media
        if chunk.last and start is not None:
            data = b"".join(self._chunks)
            yield Media(row=start.row, path=start.path, mime_type=start.mime_type, data=data)
            self._media, self._chunks = None, []


def _simple(name: str | None, message: gateway_pb2.ExecuteResponse) -> Iterator[Event]:
    """Events that stand alone; one of a newer server is skipped."""
    if name == "progress":
        yield to_progress(message.progress)
    elif name == "notice":
        yield to_notice(message.notice)
    elif name == "job":
        yield to_job(message.job)


def _started(index: int, started: gateway_pb2.StatementStarted) -> StatementStarted:
    return StatementStarted(index=index, kind=started.kind, canonical_text=started.canonical_text)


def _done(index: int, done: gateway_pb2.StatementDone) -> StatementDone:
    return StatementDone(
        index=index,
        message=done.message,
        rows=done.rows,
        rows_changed=done.rows_changed,
        rows_reused=done.rows_reused,
        row_errors=done.row_errors,
        elapsed_s=done.elapsed_s,
        model=to_model(done.model) if done.HasField("model") else None,
        scores=to_scores(done.scores) if done.HasField("scores") else None,
    )
