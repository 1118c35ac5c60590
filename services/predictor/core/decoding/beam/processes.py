"""The decoding processes: a few of them, one order each at a time, a bounded number of callers waiting."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from services.predictor.core.decoding.beam.orders import (
    HEADER,
    Answer,
    CompileOrder,
    DecoderOrder,
    Message,
    failure_in,
    hypotheses_in,
    pack_compiling,
    pack_decoding,
)
from services.predictor.core.decoding.types import Hypothesis, LogProbabilities
from thanosql_runtime.errors import Reason, ThanosqlError, error

WORKER_COMMAND = (sys.executable, "-P", "-m", "services.predictor.core.decoding.beam.worker")
_MOST_ANSWER_BYTES = 1 << 30
_PART_BYTES = 1 << 20
_ATTEMPTS = 2
_RETRY_DELAY_S = 1.0
# A process that takes longer is taken for lost: thousands of times what a frame takes on a free machine.
_LONGEST_S = 120.0
_LONGEST_FRAME_S = 0.1
_LONGEST_COMPILING_S = 3600.0

_log = structlog.get_logger("decoding")


@dataclass(frozen=True, kw_only=True)
class _Job:
    """An order for a process.

    Attributes:
        done: What the process does, for texts.
        pack: Makes the message, in a thread, once there is a place for it.
        limit_s: When its process is taken for lost.
        ends_with_caller: Whether it is given up when its caller leaves; its process serves nobody else then.
    """

    done: str
    pack: Callable[[], Message]
    limit_s: float
    ends_with_caller: bool = False


class _Queue:
    """Places, and a bounded number of callers that have one or wait for one."""

    def __init__(self, places: int, max_waiting: int) -> None:
        self._places = asyncio.Semaphore(places)
        self._most_callers = places + max_waiting
        self._callers = 0

    async def enter(self) -> None:
        """Wait for a place, which is given back by `leave`."""
        if self._callers >= self._most_callers:
            raise ThanosqlError(
                reason=Reason.OVERLOADED,
                message=f"{self._callers} others wait for a decoding process already; try again later",
                retry_delay_s=_RETRY_DELAY_S,
            )
        self._callers += 1
        try:
            await self._places.acquire()
        except BaseException:
            self._callers -= 1
            raise

    def leave(self) -> None:
        self._callers -= 1
        self._places.release()


class DecodingProcesses:
    """Decodes in processes of its own, started when they are first needed.

    Language models are read in another one, which ends with that: large ones keep nobody from decoding.

    Args:
        most: Processes at once that decode.
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
        self._decoding = _Queue(most, max_waiting)
        self._compiling = _Queue(1, max_waiting)
        self._environment = environment
        self._command = command
        self._idle: list[asyncio.subprocess.Process] = []
        self._running: set[asyncio.subprocess.Process] = set()
        self._busy: set[asyncio.Task[Answer]] = set()
        self._closed = False

    @property
    def running(self) -> list[int]:
        """The numbers of the processes."""
        return sorted(process.pid for process in self._running)

    async def decode(self, order: DecoderOrder, log_probs_fv: LogProbabilities) -> list[Hypothesis]:
        """Give the hypotheses of a recording.

        Raises:
            ThanosqlError: OVERLOADED when too many wait, or no process can be started; WORKER_LOST when
                processes died of it, twice, or one took too long; what the decoder raised.
        """
        job = _Job(
            done="decoded this recording",
            pack=partial(pack_decoding, order, log_probs_fv),
            limit_s=_LONGEST_S + _LONGEST_FRAME_S * len(log_probs_fv),
        )
        answer = await self._asked(job, self._decoding)
        return await asyncio.to_thread(hypotheses_in, answer)

    async def compile(self, order: CompileOrder) -> None:
        """Read a language model into a folder, for as long as the caller stays; fails as `decode` does."""
        job = _Job(
            done="read this language model",
            pack=partial(pack_compiling, order),
            limit_s=_LONGEST_COMPILING_S,
            ends_with_caller=True,
        )
        await self._asked(job, self._compiling)

    async def close(self) -> None:
        """End all processes, for good; nothing is in flight any more, or it is given up."""
        self._closed = True
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)
        while self._idle:
            await self._end(self._idle.pop())

    async def _asked(self, job: _Job, queue: _Queue) -> Answer:
        """Have an order carried out, also where its caller leaves: half an answer would spoil the next."""
        await queue.enter()
        task = asyncio.get_running_loop().create_task(self._tried(job))
        self._busy.add(task)
        task.add_done_callback(partial(self._done, queue))
        try:
            answer = await asyncio.shield(task)
        except asyncio.CancelledError:
            if job.ends_with_caller:
                task.cancel()
                await asyncio.wait([task])
            if self._closed:
                raise _closed() from None
            raise
        content, _array = answer
        if "reason" in content:
            raise failure_in(content)
        return answer

    def _done(self, queue: _Queue, task: asyncio.Task[Answer]) -> None:
        """Give the place back: not before the process is free, whoever has left meanwhile."""
        queue.leave()
        self._busy.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have left

    async def _tried(self, job: _Job) -> Answer:
        message = await asyncio.to_thread(job.pack)
        for attempt in range(1, _ATTEMPTS + 1):
            # The second one is fresh: what ended the first may have ended all that were idle.
            process = await self._taken(fresh=attempt > 1 or job.ends_with_caller)
            is_kept = False
            try:
                async with asyncio.timeout(job.limit_s):
                    answer = await _exchange(process, message)
                is_kept = not job.ends_with_caller
                return answer
            except TimeoutError:
                text = f"the process that {job.done} did not answer within {job.limit_s:g} s, and was ended"
                raise error(Reason.WORKER_LOST, text) from None
            except (OSError, EOFError) as failure:
                _log.warning("decoding process lost", pid=process.pid, attempt=attempt, problem=str(failure))
            except ValueError as failure:
                text = f"the process that {job.done} answered what cannot be read ({failure})"
                raise error(Reason.INTERNAL, text) from failure
            finally:
                if is_kept:
                    self._idle.append(process)
                else:
                    await self._end(process)
        text = f"the process that {job.done} ended, and so did the one that tried again"
        raise error(Reason.WORKER_LOST, text)

    async def _taken(self, *, fresh: bool) -> asyncio.subprocess.Process:
        if self._closed:
            raise _closed()
        while self._idle and not fresh:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._running.discard(process)
        try:
            return await self._start()
        except OSError as problem:
            why = problem.strerror or problem
            raise ThanosqlError(
                reason=Reason.OVERLOADED,
                message=f"no decoding process can be started ({why}); try again later",
                retry_delay_s=_RETRY_DELAY_S,
            ) from problem

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
        try:
            await process.wait()
        finally:
            self._running.discard(process)


def _closed() -> ThanosqlError:
    return error(Reason.PEER_UNAVAILABLE, "the server ends; nothing more is decoded")


async def _exchange(process: asyncio.subprocess.Process, message: Message) -> Answer:
    assert process.stdin is not None
    assert process.stdout is not None
    for part in message:
        await _write(process.stdin, memoryview(part))
    text_bytes, array_bytes = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
    if text_bytes + array_bytes > _MOST_ANSWER_BYTES:
        raise OSError(f"an answer of {text_bytes + array_bytes} bytes")
    content = json.loads(await process.stdout.readexactly(text_bytes))
    return content, await process.stdout.readexactly(array_bytes)


async def _write(stream: asyncio.StreamWriter, content: memoryview) -> None:
    """Write in parts: what a pipe does not take at once is copied, and the loop stands still for it."""
    for begin in range(0, len(content), _PART_BYTES):
        stream.write(content[begin : begin + _PART_BYTES])
        await stream.drain()
