"""The window of rows in flight: what no honest predictor does is found out."""

import asyncio

import pyarrow as pa
import pytest

from services.gateway.core.ordering import OrderedWindow
from services.gateway.core.records import RowAnswer
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.testing import eventually


def rows(count: int) -> pa.RecordBatch:
    return pa.record_batch({"n": list(range(count))})


async def test_chunks_leave_in_order_however_they_are_answered() -> None:
    window = OrderedWindow(10)
    assert [await window.add(rows(2)), await window.add(rows(1))] == [0, 2]
    for key in (2, 1):
        window.answer(RowAnswer(key=key))
        assert list(window.take_complete()) == []
    window.answer(RowAnswer(key=0))
    assert [chunk.first_key for chunk in window.take_complete()] == [0, 2]
    window.check_empty()


async def test_a_chunk_waits_for_room_and_one_above_the_limit_goes_alone() -> None:
    window = OrderedWindow(2)
    await window.add(rows(5))
    waiting = asyncio.create_task(window.add(rows(1)))
    for key in range(5):
        await asyncio.sleep(0)
        assert not waiting.done()
        window.answer(RowAnswer(key=key))
    assert len(list(window.take_complete())) == 1
    await eventually(waiting.done)


@pytest.mark.parametrize("key", [-1, 2, 0])
async def test_an_answer_that_nobody_waits_for_is_an_error(key: int) -> None:
    window = OrderedWindow(10)
    await window.add(rows(2))
    window.answer(RowAnswer(key=0))
    with pytest.raises(ThanosqlError) as raised:
        window.answer(RowAnswer(key=key))
    assert raised.value.reason is Reason.INTERNAL


async def test_rows_that_are_never_answered_are_told() -> None:
    window = OrderedWindow(10)
    await window.add(rows(2))
    window.answer(RowAnswer(key=1))
    with pytest.raises(ThanosqlError, match="2 rows unanswered") as raised:
        window.check_empty()
    assert raised.value.reason is Reason.PEER_UNAVAILABLE
