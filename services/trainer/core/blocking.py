"""Runs what blocks outside of the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

from services.trainer.core.uninterrupted import uninterrupted

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class Blocking:
    """An executor whose work is waited for, whatever happens to who waits."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def run(
        self,
        function: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Run a function; a cancelled caller still waits, so that nothing happens behind its back."""
        future = asyncio.get_running_loop().run_in_executor(self._executor, lambda: function(*args, **kwargs))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await uninterrupted(_settled(future))
            raise


async def _settled(future: asyncio.Future[_Result]) -> None:
    await asyncio.wait([future])
