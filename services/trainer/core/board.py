"""The jobs as they stand now, and who waits for their changes."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import replace
from typing import Any

import structlog

from services.trainer.core.journal import Journal
from services.trainer.core.types import MOST_NOTICES, Job, JobNotice
from thanosql_runtime.errors import Reason, error

_LARGEST_PAGE = 1000
_USUAL_PAGE = 100

_log = structlog.get_logger("board")


class JobBoard:
    """All jobs in memory, each change written to the journal before anybody sees it.

    A change that the disk has no room for stops no job: it stands in memory, and the next one is written
    again. What is lost so at a restart, the job's folder tells.

    Args:
        journal: Keeps them.
        clock: Seconds since the epoch.
    """

    def __init__(self, journal: Journal, clock: Callable[[], float] = time.time) -> None:
        self._journal = journal
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._changed: dict[str, asyncio.Event] = {}
        self._stopping = False

    def load(self, jobs: Iterable[Job]) -> None:
        """Take over what the journal holds."""
        self._jobs |= {job.job_id: job for job in jobs}

    def get(self, job_id: str) -> Job:
        """Find a job.

        Raises:
            ThanosqlError: JOB_NOT_FOUND.
        """
        try:
            return self._jobs[job_id]
        except KeyError:
            message = f"there is no job {job_id!r}; SHOW JOBS lists them"
            raise error(Reason.JOB_NOT_FOUND, message, job=job_id) from None

    def all(self) -> list[Job]:
        """All jobs, newest first."""
        return sorted(self._jobs.values(), key=_newest_first)

    def page(self, page_size: int, page_token: str) -> tuple[list[Job], str]:
        """Some jobs, newest first, and the token of the next page; empty after the last."""
        size = min(page_size, _LARGEST_PAGE) if page_size > 0 else _USUAL_PAGE
        jobs = self.all()
        if page_token:
            if page_token not in self._jobs:
                raise error(Reason.INVALID_ARGUMENT, f"{page_token!r} is no page token of this list")
            after = _newest_first(self._jobs[page_token])
            jobs = [job for job in jobs if _newest_first(job) > after]
        page = jobs[:size]
        return page, page[-1].job_id if len(jobs) > size else ""

    async def add(self, job: Job) -> None:
        """Take a new job."""
        await self._journal.write(job)
        self._jobs[job.job_id] = job

    # Any: the fields of Job, by name; a wrong one raises TypeError in `replace`.
    async def update(self, job_id: str, **changes: Any) -> Job:
        """Change a job. Only one task changes a given job at a time."""
        job = self._jobs[job_id]
        now_s = self._clock()
        job = replace(job, sequence=job.sequence + 1, heartbeat_time_s=now_s, **changes)
        if job.state.ended:
            job = replace(job, end_time_s=now_s, seconds_left=None)
        try:
            await self._journal.write(job)
        except OSError as failure:
            _log.error("a job's change was not written", job=job_id, error=str(failure))
        self._jobs[job_id] = job
        self._changed.pop(job_id, asyncio.Event()).set()
        return job

    async def notify(self, job_id: str, message: str, **changes: Any) -> Job:  # Any: as in `update`
        """Say what befell a job, and change it."""
        _log.warning("job notice", job=job_id, message=message)
        notice = JobNotice(time_s=self._clock(), message=message)
        notices = (*self._jobs[job_id].notices, notice)[-MOST_NOTICES:]
        return await self.update(job_id, notices=notices, **changes)

    async def forget(self, job_id: str) -> None:
        """Remove an ended job, for good."""
        del self._jobs[job_id]
        await self._journal.remove(job_id)

    def release(self) -> None:
        """Let go of everybody who watches: nothing changes any more until the next start."""
        self._stopping = True
        for changed in self._changed.values():
            changed.set()

    async def watch(self, job_id: str, after_sequence: int) -> AsyncGenerator[Job, None]:
        """Yield the job when it is newer than what was seen, until it has ended; changes may be skipped.

        Raises:
            ThanosqlError: PEER_UNAVAILABLE where the trainer stops first.
        """
        while True:
            job = self.get(job_id)
            if job.sequence > after_sequence:
                after_sequence = job.sequence
                yield job
                continue
            if job.state.ended:
                return
            if self._stopping:
                message = f"the trainer is stopping; job {job_id!r} goes on at its next start"
                raise error(Reason.PEER_UNAVAILABLE, message, job=job_id)
            await self._changed.setdefault(job_id, asyncio.Event()).wait()


def _newest_first(job: Job) -> tuple[float, str]:
    return (-job.create_time_s, job.job_id)
