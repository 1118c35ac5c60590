"""The decoding processes: a few of them, one order each at a time, a bounded number of callers waiting."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from typing import Any

import structlog

from services.predictor.core.decoding.beam.orders import (
    HEADER,
    CompileOrder,
    DecoderOrder,
    failure_in,
    hypotheses_in,
    pack_compiling,
    pack_decoding,
)
from services.predictor.core.decoding.types import Hypothesis, LogProbabilities
from thanosql_runtime.errors import Reason, ThanosqlError, error

WORKER_COMMAND = (sys.executable, "-P", "-m", "services.predictor.core.decoding.beam.worker")
_MOST_ANSWER_BYTES = 1 << 30
_ATTEMPTS = 2
_RETRY_DELAY_S = 1.0
# A process that takes longer is taken for lost: thousands of times what a frame takes on a free machine.
_LONGEST_S = 120.0
_LONGEST_FRAME_S = 0.1
_LONGEST_COMPILING_S = 3600.0

_log = structlog.get_logger("decoding")


class DecodingProcesses:
    """Decodes in processes of its own, started when they are first needed.

    Args:
        most: Processes at once.
        max_waiting: Callers that wait for one.
        environment: Of the processes.
        command: What to run.
    """

    def __init__(
        self,
        *,
        most: int,
        max_waiting: int,
        environment: Mapping[str, str] | None = None,
        command: tuple[str, ...] = WORKER_COMMAND,
    ) -> None:
        self._places = asyncio.Semaphore(most)
        self._most_callers = max_waiting + most
        self._callers = 0
        self._environment = environment
        self._command = command
        self._idle: list[asyncio.subprocess.Process] = []
        self._running: set[asyncio.subprocess.Process] = set()
        self._busy: set[asyncio.Task[dict[str, Any]]] = set()

    @property
    def running(self) -> list[int]:
        """The numbers of the processes."""
        return sorted(process.pid for process in self._running)

    async def decode(self, order: DecoderOrder, log_probs_fv: LogProbabilities) -> list[Hypothesis]:
        """Give the hypotheses of a recording.

        Raises:
            ThanosqlError: OVERLOADED when too many wait; WORKER_LOST when processes died of it, twice; what
                the decoder raised.
        """
        message = await asyncio.to_thread(pack_decoding, order, log_probs_fv)
        answer = await self._asked(message, _LONGEST_S + _LONGEST_FRAME_S * len(log_probs_fv))
        return await asyncio.to_thread(hypotheses_in, answer)

    async def compile(self, order: CompileOrder) -> None:
        """Read a language model into a folder; fails as `decode` does."""
        await self._asked(pack_compiling(order), _LONGEST_COMPILING_S)

    async def close(self) -> None:
        """End all processes; nothing is in flight any more, or it is given up."""
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        while self._idle:
            await self._end(self._idle.pop())

    # Any: json, here and below.
    async def _asked(self, message: bytes, limit_s: float) -> dict[str, Any]:
        if self._callers >= self._most_callers:
            raise ThanosqlError(
                reason=Reason.OVERLOADED,
                message=f"{self._callers} others wait for a decoding process already; try again later",
                retry_delay_s=_RETRY_DELAY_S,
            )
        self._callers += 1
        try:
            async with self._places:
                answer = await self._uninterrupted(message, limit_s)
        finally:
            self._callers -= 1
        if "reason" in answer:
            raise failure_in(answer)
        return answer

    async def _uninterrupted(self, message: bytes, limit_s: float) -> dict[str, Any]:
        """Carry an order out to its end even where its caller leaves: half an answer would spoil the next."""
        task = asyncio.get_running_loop().create_task(self._tried(message, limit_s))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    async def _tried(self, message: bytes, limit_s: float) -> dict[str, Any]:
        for attempt in range(1, _ATTEMPTS + 1):
            process = self._idle.pop() if self._idle else await self._start()
            try:
                async with asyncio.timeout(limit_s):
                    answer = await _exchange(process, message)
            except (OSError, EOFError) as failure:
                await self._end(process)
                _log.warning("decoding process lost", pid=process.pid, attempt=attempt, problem=str(failure))
                continue
            except BaseException:
                await self._end(process)
                raise
            self._idle.append(process)
            return answer
        text = "the process that decoded this recording ended, and so did the one that tried again"
        raise error(Reason.WORKER_LOST, text)

    async def _start(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,  # held open: its end tells the child that we are gone
            stdout=asyncio.subprocess.PIPE,
            env=dict(self._environment) if self._environment is not None else None,
            start_new_session=True,  # Ctrl-C at a terminal is for us; the child is ended in order
        )
        self._running.add(process)
        return process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        self._running.discard(process)


async def _exchange(process: asyncio.subprocess.Process, message: bytes) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(message)
    await process.stdin.drain()
    text_bytes, _array_bytes = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
    if text_bytes > _MOST_ANSWER_BYTES:
        raise OSError(f"an answer of {text_bytes} bytes")
    content: dict[str, Any] = json.loads(await process.stdout.readexactly(text_bytes))
    return content
