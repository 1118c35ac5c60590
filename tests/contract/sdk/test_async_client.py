"""The asynchronous client against a gateway on a real socket."""

import asyncio

import pytest

from tests.fakes.sdk_gateway import FakeGateway
from thanosql import AsyncThanoSQL


async def test_statements_of_one_client_run_side_by_side(gateway: FakeGateway, address: str) -> None:
    async with AsyncThanoSQL(address, gateway.token) as client:
        results = await asyncio.gather(*(client.execute("SELECT * FROM t") for _ in range(5)))
    assert [len(result) for result in results] == [3] * 5


async def test_cancelling_the_task_cancels_the_work_in_the_server(gateway: FakeGateway, address: str) -> None:
    async with AsyncThanoSQL(address, gateway.token) as client:
        task = asyncio.create_task(client.execute("BUILD for ever"))
        await asyncio.to_thread(gateway.hanging.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(gateway.cancelled.wait, 5)


async def test_a_failing_callback_cancels_the_work_in_the_server(gateway: FakeGateway, address: str) -> None:
    def fail(_event: object) -> None:
        raise ValueError("the caller's own fault")

    async with AsyncThanoSQL(address, gateway.token) as client:
        with pytest.raises(ValueError, match="own fault"):
            await client.execute("BUILD for ever", on_event=fail)
        assert await asyncio.to_thread(gateway.cancelled.wait, 5)


async def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(AsyncThanoSQL("here:1", "secret"))
