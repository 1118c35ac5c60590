"""What an ended job leaves so that it can go on: whether it is enough, and for how long it is kept."""

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.trainer.core.board import JobBoard
from services.trainer.core.journal import Journal
from services.trainer.core.spec import CHECKPOINTS_FOLDER, FINISHED_FILE, LOG_FILE, SPEC_FILE
from services.trainer.core.types import Job, JobState
from thanosql_runtime.errors import Reason, ThanosqlError, error

# With the same order the training of these would come to the same end.
_FINAL = frozenset({Reason.TRAINING_DIVERGED.value})
_KEPT_FILES = frozenset({LOG_FILE, SPEC_FILE})
_MANIFESTS = "[0-9]*/manifest.json"

_log = structlog.get_logger("resumption")


@dataclass(frozen=True, kw_only=True)
class ResumeRetention:
    """How long the files of ended jobs are kept from which they can go on.

    Attributes:
        keep_s: Seconds after their end.
        most_bytes: The newest of them; older ones go before their time.
    """

    keep_s: float
    most_bytes: int


@dataclass(frozen=True, kw_only=True)
class Remains:
    """What of a job's work lies in its folder.

    Attributes:
        step: That of the newest checkpoint; 0 without one.
        is_trained: Whether only saving is left.
        size_bytes: All of it.
    """

    step: int
    is_trained: bool
    size_bytes: int

    @property
    def are_enough(self) -> bool:
        """Whether the job could go on."""
        return self.is_trained or self.step > 0

    @property
    def place(self) -> str:
        """Where it would, in words."""
        return "the saving of its model" if self.is_trained else f"its checkpoint at step {self.step}"


class Resumption:
    """Ends jobs, keeps what is worth it for a while, and lets them wait again.

    Args:
        board: Where the jobs stand.
        journal: Knows their folders.
        retention: How long files are kept.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        board: JobBoard,
        journal: Journal,
        retention: ResumeRetention,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._journal = journal
        self._retention = retention
        self._clock = clock

    async def end(self, job_id: str, ending: Mapping[str, object]) -> None:
        """Give a job its last state; its large files go unless it can go on from them."""
        remains = await asyncio.to_thread(_remains, self._journal.folder(job_id))
        ends_for_good = ending["state"] is JobState.SUCCEEDED or ending.get("failure_reason") in _FINAL
        if ends_for_good or not remains.are_enough:
            await self._board.update(job_id, **ending)
            await self._journal.clear(job_id, keep=_KEPT_FILES)
            return
        is_too_large = remains.size_bytes > self._retention.most_bytes
        offer = self._too_large(remains) if is_too_large else self._offer(job_id, remains)
        await self._board.notify(job_id, offer, checkpoint_step=remains.step, **ending)
        if is_too_large:
            await self._journal.clear(job_id, keep=_KEPT_FILES)

    def _offer(self, job_id: str, remains: Remains) -> str:
        kept = f"its files are kept for {self._retention.keep_s / 3600:g} h"
        return f"RESUME JOB '{job_id}' lets it go on from {remains.place}; {kept}"

    def _too_large(self, remains: Remains) -> str:
        limit = self._retention.most_bytes
        return f"the job cannot be resumed: its files have {remains.size_bytes} bytes, {limit} may be kept"

    async def check(self, job: Job) -> Remains:
        """What an ended job would go on from.

        Raises:
            ThanosqlError: INVALID_ARGUMENT where it has succeeded, would fail again, or has left nothing.
        """
        if job.state is JobState.SUCCEEDED:
            name = job.result.full_name if job.result else job.request.model
            raise _refusal(job, f"it has succeeded, and made {name}")
        if job.failure_reason in _FINAL:
            raise _refusal(job, f"it would fail again: {job.failure_message}")
        remains = await asyncio.to_thread(_remains, self._journal.folder(job.job_id))
        if not remains.are_enough:
            advice = "it ended before its first checkpoint, or its files were kept long enough"
            raise _refusal(job, f"nothing of its training is left ({advice}); run its statement again")
        return remains

    async def requeue(self, job: Job, remains: Remains) -> Job:
        """Let an ended job wait again."""
        return await self._board.notify(
            job.job_id,
            f"the job was resumed, and goes on from {remains.place}",
            state=JobState.QUEUED,
            attempt=job.attempt + 1,
            faults=0,
            failure_reason="",
            failure_message="",
            end_time_s=None,
        )

    async def tidy(self) -> None:
        """Remove the files of ended jobs that were kept long enough, or are too many."""
        ended = [job for job in self._board.all() if job.state.ended]
        for job_id in await asyncio.to_thread(self._outstayed, ended):
            await self._journal.clear(job_id, keep=_KEPT_FILES)
            _log.info("files of an ended job removed", job=job_id)

    def _outstayed(self, ended: Iterable[Job]) -> list[str]:
        now_s, room_bytes = self._clock(), self._retention.most_bytes
        gone: list[str] = []
        for job in sorted(ended, key=lambda job: job.end_time_s or 0.0, reverse=True):
            remains = _remains(self._journal.folder(job.job_id))
            if remains.are_enough:
                room_bytes -= remains.size_bytes
                if room_bytes < 0 or (job.end_time_s or 0.0) + self._retention.keep_s <= now_s:
                    gone.append(job.job_id)
        return gone


def _remains(folder: Path) -> Remains:
    manifests = (folder / CHECKPOINTS_FOLDER).glob(_MANIFESTS)
    newest = max(manifests, default=None, key=lambda path: path.parent.name)
    return Remains(
        step=0 if newest is None else _step(newest.parent / "state.json"),
        is_trained=(folder / FINISHED_FILE).exists(),
        size_bytes=sum(map(_size, folder.rglob("*"))),
    )


def _size(path: Path) -> int:
    """Bytes of a file; 0 where it has just been removed."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0


def _step(state: Path) -> int:
    """The step of a checkpoint; 1 where it is not readable, since the one before may be."""
    try:
        return int(json.loads(state.read_bytes())["steps"])
    except (OSError, ValueError, KeyError, TypeError):
        return 1


def _refusal(job: Job, why: str) -> ThanosqlError:
    return error(Reason.INVALID_ARGUMENT, f"job '{job.job_id}' cannot be resumed: {why}", job=job.job_id)
