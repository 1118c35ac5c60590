"""Many questions through a bounded number of tasks: nothing is left behind."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


async def answer_each(
    questions: AsyncIterator[Asked], answer: Callable[[Asked], Awaitable[Answered]], in_flight: int
) -> AsyncGenerator[Answered, None]:
    """Answer every question, several at a time, in the order in which answers are ready.

    The next question is read only when there is room, which is how the caller is slowed down. Closing the
    iterator cancels what is in flight; an error of `questions` or `answer` ends it after the same.

    Args:
        questions: Read to the end.
        answer: Called once for each.
        in_flight: Most calls at a time.
    """
    reading: asyncio.Task[tuple[Asked] | None] | None = asyncio.ensure_future(_next(questions))
    answering: set[asyncio.Task[Answered]] = set()
    try:
        more = True
        while reading is not None or answering:
            waited = {*answering, reading} if reading is not None else answering
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if reading is not None and reading.done():
                read, reading = reading.result(), None
                more = read is not None
                if read is not None:
                    answering.add(asyncio.ensure_future(answer(read[0])))
            ready = {task for task in answering if task.done()}
            answering -= ready
            if more and reading is None and len(answering) < in_flight:
                reading = asyncio.ensure_future(_next(questions))
            for task in ready:
                yield task.result()
    finally:
        await _cancel([*answering, *([reading] if reading is not None else [])])


async def few_at_once(steps: Sequence[Callable[[], Awaitable[Answered]]], in_flight: int) -> list[Answered]:
    """Take all steps, a few at a time, and give their answers in order; none is left behind by an error."""
    room = asyncio.Semaphore(in_flight)

    async def take(step: Callable[[], Awaitable[Answered]]) -> Answered:
        async with room:
            return await step()

    tasks = [asyncio.ensure_future(take(step)) for step in steps]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await _cancel(tasks)


async def _next(questions: AsyncIterator[Asked]) -> tuple[Asked] | None:
    """Read one question, wrapped so that the end differs from every question."""
    async for question in questions:
        return (question,)
    return None


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:  # Any: of different answers
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
