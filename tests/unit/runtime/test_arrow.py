import pyarrow as pa
import pytest

from thanosql_runtime.arrow import decode_batch, decode_schema, encode_batches, encode_schema
from thanosql_runtime.errors import Reason, ThanosqlError

SCHEMA = pa.schema([("audio_path", pa.string()), ("duration_s", pa.float64())])


def test_rows_survive_the_wire_in_messages_below_the_limit() -> None:
    rows = pa.record_batch(
        {"audio_path": [f"a/{i:05}.wav" for i in range(5000)], "duration_s": [i / 7 for i in range(5000)]},
        schema=SCHEMA,
    )
    messages = list(encode_batches(rows, limit_bytes=16_384))
    assert len(messages) > 1
    assert max(map(len, messages)) <= 16_384
    schema = decode_schema(encode_schema(SCHEMA))
    received = pa.Table.from_batches([decode_batch(message, schema) for message in messages])
    assert received.equals(pa.Table.from_batches([rows]))


def test_a_row_above_the_limit_is_sent_alone() -> None:
    rows = pa.record_batch({"text": ["x" * 10_000, "y"]})
    messages = list(encode_batches(rows, limit_bytes=1_000))
    assert [decode_batch(m, rows.schema).num_rows for m in messages] == [1, 1]


def test_a_row_above_what_a_message_holds_is_refused_in_words() -> None:
    with pytest.raises(ThanosqlError, match="more than the 7,340,032") as raised:
        list(encode_batches(pa.record_batch({"text": ["y", "x" * (8 << 20)]})))
    assert raised.value.reason is Reason.QUERY_TOO_LARGE


def test_no_rows_are_no_messages() -> None:
    assert list(encode_batches(pa.record_batch({"text": pa.array([], pa.string())}))) == []


@pytest.mark.parametrize("garbage", [b"", b"garbage", b"\xff" * 64])
def test_garbage_is_an_error_not_a_crash(garbage: bytes) -> None:
    with pytest.raises(ValueError, match="not an Arrow"):
        decode_schema(garbage)
    with pytest.raises(ValueError, match="not an Arrow"):
        decode_batch(garbage, SCHEMA)


def test_offsets_that_lead_out_of_the_buffer_are_refused() -> None:
    message = bytearray(next(encode_batches(pa.record_batch({"text": ["hello", "world"]}))))
    schema = pa.schema([("text", pa.string())])
    position = message.rindex(b"helloworld") - 64
    damaged = message[:position] + b"\xff" * 64 + message[position + 64 :]
    with pytest.raises(ValueError, match="not an Arrow"):
        decode_batch(bytes(damaged), schema)
