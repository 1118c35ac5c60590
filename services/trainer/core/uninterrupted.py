"""Work that a cancellation must not stop half-way."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

_Result = TypeVar("_Result")


async def uninterrupted(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Do what must not stop half-way; cancellations meanwhile, one or many, come too late and are dropped."""
    task = asyncio.ensure_future(work)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()


def is_being_cancelled() -> bool:
    """Whether somebody has cancelled the task at work, also where it let no cancellation stop it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
