"""Blocks that are read and written in threads, one ahead of or behind the one who sends or receives them."""

import asyncio
import threading
from contextlib import aclosing

import pytest

from thanosql.transfer import Behind, read_ahead


async def test_the_next_block_is_read_while_one_is_sent() -> None:
    blocks = [b"a", b"b", b"", b"never"]
    second = threading.Event()

    def read() -> bytes:
        if len(blocks) == 3:
            second.set()
        return blocks.pop(0)

    async with aclosing(read_ahead(read, returns_soon=True)) as taken:
        assert await anext(taken) == b"a"
        assert await asyncio.to_thread(second.wait, 10)
        assert [block async for block in taken] == [b"b"]
    assert blocks == [b"never"]


async def test_one_who_leaves_waits_for_a_read_that_has_begun() -> None:
    begun, let, ended = threading.Event(), threading.Event(), threading.Event()
    blocks = iter([b"a"])

    def read() -> bytes:
        if block := next(blocks, b""):
            return block
        begun.set()
        let.wait(10)
        ended.set()
        return b"b"

    taken = read_ahead(read, returns_soon=True)
    assert await anext(taken) == b"a"
    await asyncio.to_thread(begun.wait, 10)
    leaving = asyncio.create_task(taken.aclose())
    let.set()
    await leaving
    assert ended.is_set()


async def test_one_who_leaves_does_not_wait_for_a_pipe_that_says_nothing() -> None:
    let = threading.Event()
    blocks = iter([b"a"])

    def read() -> bytes:
        return next(blocks, b"") or (let.wait(10) and b"b") or b""

    taken = read_ahead(read, returns_soon=False)
    assert await anext(taken) == b"a"
    await taken.aclose()
    let.set()


async def test_a_read_that_fails_says_so() -> None:
    def read() -> bytes:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        await anext(read_ahead(read, returns_soon=True))


async def test_blocks_are_written_in_order_each_behind_its_giver() -> None:
    let, written = threading.Event(), bytearray()

    def write(block: bytearray) -> None:
        let.wait(10)
        written.extend(block)

    behind = Behind(write)
    await behind.hand_over(bytearray(b"a"))
    assert written == b""
    let.set()
    await behind.hand_over(bytearray(b"b"))
    await behind.wait()
    assert written == b"ab"


async def test_a_write_that_fails_says_so_and_nothing_is_written_behind_it() -> None:
    blocks: list[bytearray] = []

    def write(block: bytearray) -> None:
        blocks.append(block)
        raise OSError("full")

    behind = Behind(write)
    await behind.hand_over(bytearray(b"a"))
    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            await behind.hand_over(bytearray(b"b"))
    assert blocks == [bytearray(b"a")]
