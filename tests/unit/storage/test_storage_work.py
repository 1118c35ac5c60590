"""Threads of storage: what is opened is closed, and what is cancelled stops."""

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, Future
from contextlib import aclosing
from typing import Any

import pytest

from services.storage.core.cancelling import Cancellation
from services.storage.work import Work, _Ahead, take_step


class Door:
    """Opens when it is let, and knows whether it was closed."""

    def __init__(self) -> None:
        self.opening, self.let, self.closed = threading.Event(), threading.Event(), threading.Event()

    def open(self) -> "Door":
        self.opening.set()
        assert self.let.wait(10)
        return self

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    work = Work(query_threads=2, command_threads=1)
    yield work
    work.close()


async def test_what_opens_after_its_caller_left_is_closed(work: Work) -> None:
    door = Door()
    opening = asyncio.create_task(work.opened(door.open))
    await asyncio.to_thread(door.opening.wait, 10)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert not door.closed.is_set()
    door.let.set()
    assert await asyncio.to_thread(door.closed.wait, 10)


async def test_a_failed_opening_whose_caller_left_closes_nothing(work: Work) -> None:
    door = Door()

    def fail() -> Door:
        door.open()
        raise OSError("no")

    opening = asyncio.create_task(work.opened(fail))
    await asyncio.to_thread(door.opening.wait, 10)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    door.let.set()
    assert await work.opened(door.open) is door


async def test_items_that_come_at_once_share_a_step(work: Work) -> None:
    threads: list[str] = []

    def items() -> Iterator[int]:
        for number in range(3):
            threads.append(f"{threading.get_ident()}-{steps[-1]}")
            yield number

    steps = [0]
    found = []
    async for item in work.iterate(items()):
        steps.append(item)
        found.append(item)
    assert found == [0, 1, 2]
    assert len(set(threads)) == 1


async def test_few_items_are_computed_before_they_are_taken(work: Work) -> None:
    computed = []

    def items() -> Iterator[int]:
        for number in range(1000):
            computed.append(number)
            yield number

    taken = work.iterate(items())
    assert await anext(taken) == 0
    assert len(computed) <= 4


async def test_items_before_a_failure_are_handed_out(work: Work) -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("no more")

    taken = work.iterate(items())
    assert [await anext(taken), await anext(taken)] == [1, 2]
    with pytest.raises(OSError, match="no more"):
        await anext(taken)


async def test_closing_waits_for_no_command(work: Work) -> None:
    busy, door = Door(), Door()
    command = asyncio.create_task(work.command(busy.open))
    await asyncio.to_thread(busy.opening.wait, 10)
    async with asyncio.timeout(10):
        await work.close_resource(door)
    assert door.closed.is_set()
    busy.let.set()
    assert await command is busy


async def test_a_change_hears_that_its_caller_left(work: Work) -> None:
    begun, stopped = threading.Event(), threading.Event()

    def change(cancellation: Cancellation) -> None:
        with cancellation.stopping(stopped.set):
            begun.set()
            assert stopped.wait(10)

    changing = asyncio.create_task(work.change(change))
    await asyncio.to_thread(begun.wait, 10)
    changing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await changing
    assert stopped.is_set()


async def test_a_change_whose_caller_left_is_waited_for(work: Work) -> None:
    begun, let, ended = threading.Event(), threading.Event(), threading.Event()

    def change(_cancellation: Cancellation) -> None:
        begun.set()
        assert let.wait(10)
        ended.set()

    changing = asyncio.create_task(work.change(change))
    await asyncio.to_thread(begun.wait, 10)
    changing.cancel()
    assert not (await asyncio.wait({changing}, timeout=0))[0]
    let.set()
    with pytest.raises(asyncio.CancelledError):
        await changing
    assert ended.is_set()


async def test_a_change_that_waits_for_a_thread_never_begins_without_its_caller(work: Work) -> None:
    busy, begun = Door(), threading.Event()
    command = asyncio.create_task(work.command(busy.open))
    await asyncio.to_thread(busy.opening.wait, 10)
    changing = asyncio.create_task(work.change(lambda _cancellation: begun.set()))
    await asyncio.wait({changing}, timeout=0)
    changing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await changing
    busy.let.set()
    assert await command is busy
    await work.command(int)
    assert not begun.is_set()


async def test_a_few_items_are_computed_while_the_caller_is_at_one(work: Work) -> None:
    computed = [threading.Event() for _ in range(9)]

    def items() -> Iterator[int]:
        for number, event in enumerate(computed):
            event.set()
            yield number

    async with aclosing(work.iterate_ahead(items())) as numbers:
        assert await anext(numbers) == 0
        assert await asyncio.to_thread(computed[4].wait, 10)
        await work.step(int)  # Behind what was begun.
        assert not any(event.is_set() for event in computed[5:])
        assert [number async for number in numbers] == list(range(1, 9))


async def test_nothing_is_computed_ahead_for_a_caller_who_has_left(work: Work) -> None:
    computed: list[int] = []
    door = Door()

    def items() -> Iterator[int]:
        for number in range(9):
            if number == 1:
                door.open()
            computed.append(number)
            yield number

    numbers = work.iterate_ahead(items())
    assert await anext(numbers) == 0
    await asyncio.to_thread(door.opening.wait, 10)
    await numbers.aclose()
    door.let.set()
    work.close()
    await asyncio.to_thread(work._queries.shutdown)
    assert computed == [0, 1]


async def test_an_item_that_fails_comes_after_those_before_it(work: Work) -> None:
    def items() -> Iterator[int]:
        yield 0
        raise OSError("no")

    numbers = work.iterate_ahead(items())
    assert await anext(numbers) == 0
    with pytest.raises(OSError, match="no"):
        await anext(numbers)


async def test_leaving_early_does_not_wait_for_an_item_that_is_being_computed(work: Work) -> None:
    door = Door()

    def items() -> Iterator[int]:
        yield 0
        door.open()
        yield 1

    numbers = work.iterate_ahead(items())
    assert await anext(numbers) == 0
    await asyncio.to_thread(door.opening.wait, 10)
    await numbers.aclose()
    door.let.set()


class Item:
    """Something that is large."""


async def test_what_was_handed_on_is_not_kept(work: Work) -> None:
    seen: list[weakref.ref[Item]] = []

    def items() -> Iterator[Item]:
        for _ in range(20):
            item = Item()
            seen.append(weakref.ref(item))
            yield item

    coming = items()
    iterating = work.iterate(coming, take_step(coming))
    async for item in iterating:
        if len(seen) > 16:
            del item
            break
    gc.collect()
    assert seen[0]() is None
    assert seen[7]() is None


class LaterThreads(Executor):
    """Runs what it was given when it is told to."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> "Future[Any]":
        self._waiting.append(lambda: function(*args, **kwargs))
        return Future()

    def run(self) -> None:
        while self._waiting:
            self._waiting.pop(0)()


async def test_what_another_thread_computes_is_not_posted_before_what_came_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, loop = LaterThreads(), asyncio.get_running_loop()
    ahead = _Ahead([1, 2], threads)
    posted: list[list[int]] = []

    def post(_function: object, step: Any) -> None:
        if not ahead._guard.locked():  # Another thread may be as quick as that.
            ahead._go_on()
            threads.run()
        posted.append(step.items)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "call_soon_threadsafe", post)
        ahead._go_on()
        threads.run()
    assert posted == [[1], [2], []]
