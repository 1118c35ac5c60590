"""Arrow tables on the wire: one schema message, then record batches of at most 1 MB each."""

from collections.abc import Iterator
from typing import cast

import pyarrow as pa

from thanosql_runtime.errors import Reason, error

MAX_BATCH_BYTES = 1 << 20
# A row cannot be divided; a message that gRPC would refuse must not be tried.
MAX_ROW_BYTES = 7 << 20


def encode_schema(schema: pa.Schema) -> bytes:
    """The IPC schema message."""
    return cast(bytes, schema.serialize().to_pybytes())


def decode_schema(message: bytes) -> pa.Schema:
    """The schema of an IPC schema message; `ValueError` when it is none."""
    try:
        return pa.ipc.read_schema(pa.py_buffer(message))
    except (pa.ArrowInvalid, EOFError, OSError) as failure:
        raise ValueError(f"not an Arrow schema: {failure}") from failure


def encode_batches(batch: pa.RecordBatch, limit_bytes: int = MAX_BATCH_BYTES) -> Iterator[bytes]:
    """IPC record batch messages that together hold the rows of `batch`, in order.

    A single row above the limit is sent alone, whole.

    Raises:
        ThanosqlError: QUERY_TOO_LARGE for a row of more than 7 MB.
    """
    if batch.num_rows == 0:
        return
    # Counted, not tried: a message of all rows would be a copy of all of them.
    size_bytes = pa.ipc.get_record_batch_size(batch)
    if size_bytes > MAX_ROW_BYTES and batch.num_rows == 1:
        text = f"a row of {size_bytes:,} bytes is more than the {MAX_ROW_BYTES:,} that one row may hold"
        raise error(Reason.QUERY_TOO_LARGE, f"{text}; select fewer columns, or a part of the long one")
    if size_bytes <= limit_bytes or batch.num_rows == 1:
        yield cast(bytes, batch.serialize().to_pybytes())
        return
    half = batch.num_rows // 2
    yield from encode_batches(batch.slice(0, half), limit_bytes)
    yield from encode_batches(batch.slice(half), limit_bytes)


def decode_batch(message: bytes, schema: pa.Schema) -> pa.RecordBatch:
    """The rows of an IPC record batch message; `ValueError` when it does not fit the schema."""
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(message), schema)
        batch.validate(full=True)
    except (pa.ArrowInvalid, EOFError, OSError) as failure:
        raise ValueError(f"not an Arrow record batch of this schema: {failure}") from failure
    return batch
