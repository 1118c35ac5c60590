"""Runs the training process of one job, and turns what it says into messages."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path

import structlog

from services.trainer.core.messages import Failed, Finished, Message, MessageCodec
from services.trainer.core.spec import LOG_FILE, STOPPED_STATUS
from services.trainer.core.uninterrupted import uninterrupted
from thanosql_runtime.errors import Reason, ThanosqlError, error

WORKER_COMMAND = (sys.executable, "-P", "-m", "services.trainer.core.worker")
_LONGEST_LINE_BYTES = 1 << 20
_TAIL_BYTES = 2000
_TAIL_LINES = 8

_log = structlog.get_logger("runner")


class ProcessRunner:
    """Starts the process and never leaves it behind.

    Args:
        command: What to run; the job's folder is added as the last argument.
        environment: Added to this process's own environment for the child.
        silence_limit_s: A process that says nothing for so long is taken for lost.
        cancel_grace_s: Time between asking it to end and killing it.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        silence_limit_s: float,
        cancel_grace_s: float,
    ) -> None:
        self._command = tuple(command)
        self._environment = dict(environment)
        self._silence_limit_s = silence_limit_s
        self._cancel_grace_s = cancel_grace_s
        self._codec = MessageCodec()

    async def run(self, folder: Path) -> AsyncGenerator[Message, None]:
        """Yield the messages of the process; the last one is `Finished`.

        Closing the iterator, or cancelling who reads it, ends the process.

        Raises:
            ThanosqlError: What the process failed with; WORKER_LOST where it was killed or fell silent;
                TRAINING_FAILED, with the end of its log, for everything else.
        """
        log_path = folder / LOG_FILE
        process = await self._start(folder, log_path)
        try:
            finished = False
            async for message in self._messages(process):
                if isinstance(message, Failed):
                    raise error(Reason(message.reason), message.message)
                if finished:
                    continue  # a heartbeat that came between the last word and the end
                finished = isinstance(message, Finished)
                yield message
            status = await process.wait()
            if status != 0 or not finished:
                raise _ended_badly(status, log_path)
        finally:
            await uninterrupted(self._end(process))

    async def _start(self, folder: Path, log_path: Path) -> asyncio.subprocess.Process:
        with log_path.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self._command,
                str(folder),
                stdin=asyncio.subprocess.PIPE,  # held open: its end tells the child that we are gone
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                limit=_LONGEST_LINE_BYTES,
                start_new_session=True,  # Ctrl-C at a terminal is for us; the child is ended in order
            )

    async def _messages(self, process: asyncio.subprocess.Process) -> AsyncIterator[Message]:
        assert process.stdout is not None
        while True:
            try:
                async with asyncio.timeout(self._silence_limit_s):
                    line = await process.stdout.readline()
            except TimeoutError:
                raise error(
                    Reason.WORKER_LOST,
                    f"the training process said nothing for {self._silence_limit_s:g} s; it was ended",
                ) from None
            except ValueError:  # longer than the limit; the reader has dropped it
                _log.warning("line too long", pid=process.pid)
                continue
            if not line:
                return
            message = self._codec.decode(line)
            if message is None:
                _log.warning("not a message", pid=process.pid, line=line[:200].decode(errors="replace"))
                continue
            yield message

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(self._cancel_grace_s):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _ended_badly(status: int, log_path: Path) -> ThanosqlError:
    if status < 0:
        name = signal.Signals(-status).name
        hint = "; memory may have run out, try a smaller batch_size" if -status == signal.SIGKILL else ""
        return error(Reason.WORKER_LOST, f"the training process was ended by {name}{hint}", signal=name)
    if status == STOPPED_STATUS:
        return error(Reason.WORKER_LOST, "the training process was asked to end")
    return error(
        Reason.TRAINING_FAILED,
        f"the training process ended with status {status}: {_tail(log_path)}",
        status=str(status),
    )


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:]) or "its log is empty"
