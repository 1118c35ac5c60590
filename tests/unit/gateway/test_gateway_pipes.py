"""Pipes: bounded, in order, the maker's failure after its items, the maker stopped with the taker."""

import asyncio

import pytest

from services.gateway.core.pipes import Pipe
from thanosql_runtime.testing import eventually


async def test_items_come_in_order_and_end() -> None:
    pipe: Pipe[int] = Pipe(2)

    async def make() -> None:
        for number in range(5):
            await pipe.put(number)

    async with pipe.fed_by(make):
        assert [item async for item in pipe.items()] == [0, 1, 2, 3, 4]


async def test_a_failure_comes_after_the_items_made_before() -> None:
    pipe: Pipe[int] = Pipe(2)

    async def make() -> None:
        await pipe.put(1)
        raise ValueError("broken")

    async with pipe.fed_by(make):
        items = pipe.items()
        assert await anext(items) == 1
        with pytest.raises(ValueError, match="broken"):
            await anext(items)


async def test_a_maker_waits_for_a_slow_taker() -> None:
    pipe: Pipe[int] = Pipe(2)
    made = []

    async def make() -> None:
        for number in range(100):
            made.append(number)
            await pipe.put(number)

    async with pipe.fed_by(make):
        await eventually(lambda: len(made) == 3)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(made) == 3


async def test_a_maker_is_stopped_and_has_tidied_up_when_the_taker_leaves() -> None:
    pipe: Pipe[int] = Pipe(1)
    tidy = []

    async def make() -> None:
        try:
            while True:
                await pipe.put(1)
        finally:
            await asyncio.sleep(0)
            tidy.append(True)

    async with pipe.fed_by(make):
        async for _ in pipe.items():
            break
    assert tidy == [True]
