"""Training jobs as the outside sees them: asked for, queued, run in turn, watched, cancelled."""

import asyncio
import math
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from services.trainer.core.board import JobBoard
from services.trainer.core.flow import JobFlow
from services.trainer.core.holding import BaseHolding
from services.trainer.core.journal import Journal
from services.trainer.core.naming import check_model_name, split_model_name, unknown_base, unknown_version
from services.trainer.core.ports import Catalog
from services.trainer.core.pruning import JobRetention, outlived
from services.trainer.core.resumption import Remains, Resumption
from services.trainer.core.types import Job, JobRequest, Model, ModelKind
from thanosql_runtime.errors import Reason, ThanosqlError, error

# A caller asks for its job right after it has written the rows, or never does.
_STRAY_S = 7 * 86_400.0
_COME_BACK_S = 30.0
_SEEDS = 2**32

_log = structlog.get_logger("jobs")


@dataclass(frozen=True, kw_only=True)
class QueueLimits:
    """How many jobs there may be.

    Attributes:
        max_running: Jobs that run at once.
        max_queued: Jobs that wait; one more is refused.
        retention: How long those are kept that have ended.
    """

    max_running: int
    max_queued: int
    retention: JobRetention


class Jobs:
    """The queue and what runs from it.

    Args:
        board: Where the jobs stand.
        journal: Keeps them.
        flow: Takes one through its states.
        catalog: Knows the models.
        holding: Told from which of them jobs train.
        resumption: Knows from what ended jobs can go on.
        limits: How many run, and wait.
        clock: Seconds since the epoch.
    """

    def __init__(  # noqa: PLR0913 - the parts of the trainer, each given once
        self,
        board: JobBoard,
        journal: Journal,
        flow: JobFlow,
        catalog: Catalog,
        holding: BaseHolding,
        *,
        resumption: Resumption,
        limits: QueueLimits,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._board = board
        self._journal = journal
        self._flow = flow
        self._catalog = catalog
        self._holding = holding
        self._resumption = resumption
        self._limits = limits
        self._clock = clock
        self._queue: deque[str] = deque()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._cancelled: set[str] = set()
        self._abandoned: dict[str, asyncio.Task[None]] = {}
        self._by_request_id: dict[str, str] = {}
        self._creating = asyncio.Lock()
        self._pruning = asyncio.Lock()
        self._stopping = False

    async def start(self) -> None:
        """Take up the journal: what waited waits again, what ran goes on."""
        await asyncio.to_thread(self._journal.remove_broken_off)
        jobs = await asyncio.to_thread(self._journal.read_all)
        self._board.load(jobs)
        for job in reversed(self._board.all()):
            if job.request.request_id:
                self._by_request_id[job.request.request_id] = job.job_id
            if not job.state.ended and await self._flow.take_up(job.job_id):
                self._queue.append(job.job_id)
        for job_id in await asyncio.to_thread(self._journal.rows_left):
            self._in_background(self._flow.forget_rows(job_id))
        self._in_background(self._prune())
        self._in_background(self._flow.forget_strays(self._clock() - _STRAY_S))
        self._start_next()

    async def stop(self) -> None:
        """End what runs, then close the journal."""
        await self.wind_down()
        await asyncio.to_thread(self._journal.close)

    async def wind_down(self) -> None:
        """End what runs, in order, and start nothing more; all of it goes on at the next start."""
        running = {} if self._stopping else self._running  # each is cancelled once
        self._stopping = True
        for job_id, task in running.items():
            if job_id not in self._cancelled and not self._board.get(job_id).state.ended:
                task.cancel()
        while ending := (*self._running.values(), *self._ending):
            await asyncio.wait(ending)
        self._board.release()

    async def create(self, request: JobRequest) -> Job:
        """Queue a job, or find the one that the same request id has started.

        Raises:
            ThanosqlError: MODEL_ALREADY_EXISTS, BASE_MODEL_NOT_FOUND, MODEL_NOT_FOUND, CONFLICT,
                OVERLOADED, INVALID_NAME, INVALID_ARGUMENT.
        """
        _check_request(request)
        async with self._creating:
            known = self._by_request_id.get(request.request_id)
            if known:
                return self._board.get(known)
            self._check_room(request)
            base = await self._find_base(request.base)
            await self._check_name_is_free(request)
            # A caller that goes away now must not leave a job that is written and never run.
            return await asyncio.shield(self._enqueue(request, base))

    def get(self, job_id: str) -> Job:
        """Find a job."""
        return self._board.get(job_id)

    def page(self, page_size: int, page_token: str) -> tuple[list[Job], str]:
        """Some jobs, newest first, and the token of the next page."""
        return self._board.page(page_size, page_token)

    def watch(self, job_id: str, after_sequence: int) -> AsyncGenerator[Job, None]:
        """Yield the job at every change until it has ended."""
        return self._board.watch(job_id, after_sequence)

    async def cancel(self, job_id: str) -> Job:
        """Ask a job to end; one that has ended stays as it is."""
        job = self._board.get(job_id)
        if job_id in self._queue:
            self._queue.remove(job_id)
            # A caller that goes away now must not leave a job that nobody ends.
            await asyncio.shield(self._abandon(job_id))
            return self._board.get(job_id)
        task = self._running.get(job_id)
        if task is not None and job_id not in self._cancelled and not job.state.ended:
            self._cancelled.add(job_id)
            task.cancel()
        return job

    async def resume(self, job_id: str, *, explain_only: bool = False) -> Job:
        """Let an ended job go on from what is left of it; one that has not ended stays as it is.

        Args:
            job_id: Which.
            explain_only: Check that it can, and change nothing.

        Raises:
            ThanosqlError: INVALID_ARGUMENT where it cannot go on, MODEL_ALREADY_EXISTS, CONFLICT, OVERLOADED.
        """
        self._board.get(job_id)
        while ending := self._ends(job_id):
            await asyncio.wait([ending])
        async with self._creating, self._pruning:
            job = self._board.get(job_id)
            if not job.state.ended:
                return job
            remains = await self._resumption.check(job)
            self._check_room(job.request)
            if not remains.is_trained:  # else the version may be there, registered by this very job
                await self._check_name_is_free(job.request)
            if explain_only:
                return job
            # A caller that goes away now must not leave a job that is written and never run.
            return await asyncio.shield(self._go_on(job, remains))

    def _ends(self, job_id: str) -> asyncio.Task[None] | None:
        """What brings a job to the end that it has, or that was asked for."""
        is_ending = job_id in self._cancelled or self._board.get(job_id).state.ended
        return self._abandoned.get(job_id) or (self._running.get(job_id) if is_ending else None)

    async def _go_on(self, job: Job, remains: Remains) -> Job:
        resumed = await self._resumption.requeue(job, remains)
        await self._holding.take()
        self._queue.append(job.job_id)
        self._start_next()
        return resumed

    def _abandon(self, job_id: str) -> asyncio.Task[None]:
        task = self._in_background(self._flow.abandon(job_id))
        self._abandoned[job_id] = task
        task.add_done_callback(lambda _done: self._abandoned.pop(job_id, None))
        return task

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        self._holding.give_up()
        if not task.cancelled() and task.exception() is not None:
            _log.error("a job's end was not kept", exc_info=task.exception())

    async def _prune(self) -> None:
        """Forget jobs that ended long ago, except those whose rows storage still keeps."""
        async with self._pruning:
            waiting = set(await asyncio.to_thread(self._journal.rows_left))
            for job_id in outlived(self._board.all(), self._limits.retention, self._clock()):
                if job_id not in waiting:
                    self._by_request_id.pop(self._board.get(job_id).request.request_id, None)
                    await self._board.forget(job_id)
            await self._resumption.tidy()

    async def _enqueue(self, request: JobRequest, base: Model) -> Job:
        now_s = self._clock()
        job = Job(
            job_id=uuid.uuid4().hex[:12],
            request=request,
            base=base.full_name,
            create_time_s=now_s,
            heartbeat_time_s=now_s,
            epoch_total=request.options.epochs,
        )
        await self._board.add(job)
        if request.request_id:
            self._by_request_id[request.request_id] = job.job_id
        await self._holding.take()
        self._queue.append(job.job_id)
        self._in_background(self._prune())
        _log.info("job queued", job=job.job_id, model=request.model, base=job.base)
        self._start_next()
        return job

    def _start_next(self) -> None:
        while self._queue and len(self._running) < self._limits.max_running and not self._stopping:
            job_id = self._queue.popleft()
            run = self._flow.run(job_id, lambda job_id=job_id: job_id in self._cancelled)  # type: ignore[misc]
            task = asyncio.create_task(run, name=f"job {job_id}")
            self._running[job_id] = task
            task.add_done_callback(lambda done, job_id=job_id: self._ended(job_id, done))  # type: ignore[misc]

    def _ended(self, job_id: str, task: asyncio.Task[None]) -> None:
        del self._running[job_id]
        if task.cancelled() and job_id in self._cancelled and not self._board.get(job_id).state.ended:
            # Cancelled before its first step: the flow never saw it.
            self._abandon(job_id)
        self._cancelled.discard(job_id)
        self._holding.give_up()
        self._in_background(self._prune())
        if not task.cancelled() and task.exception() is not None:
            _log.error("a job's end was not kept", job=job_id, exc_info=task.exception())
        self._start_next()

    def _check_room(self, request: JobRequest) -> None:
        if self._stopping or len(self._queue) >= self._limits.max_queued:
            message = f"{len(self._queue)} training jobs wait already; try again later"
            raise ThanosqlError(reason=Reason.OVERLOADED, message=message, retry_delay_s=_COME_BACK_S)
        others = [self._board.get(job_id) for job_id in (*self._queue, *self._running)]
        taken = any(job.request.model == request.model and not job.state.ended for job in others)
        if taken and not request.options.overwrite:
            message = f"another job is making model {request.model!r}; wait for it, or say overwrite=True"
            raise error(Reason.CONFLICT, message, model=request.model)

    async def _find_base(self, base: str) -> Model:
        name, version = split_model_name(base)
        model = await self._catalog.find(name, version)
        if model is not None:
            return model
        active = await self._catalog.find(name) if version else None
        if active is not None:
            raise unknown_version(name, version, active.version)
        raise unknown_base(name, await self._catalog.names())

    async def _check_name_is_free(self, request: JobRequest) -> None:
        existing = await self._catalog.find(request.model)
        if existing is None:
            return
        if existing.kind is ModelKind.BASE:
            message = f"{request.model!r} is a base model and cannot be replaced; choose another name"
            raise error(Reason.MODEL_ALREADY_EXISTS, message, model=request.model)
        if not request.options.overwrite:
            message = f"model {request.model!r} exists already; say overwrite=True to replace it"
            raise error(Reason.MODEL_ALREADY_EXISTS, message, model=request.model)


def _check_request(request: JobRequest) -> None:
    check_model_name(request.model)
    options = request.options
    wrong = [
        what
        for what, is_wrong in (
            ("base", not request.base),
            ("snapshot_id", not request.snapshot_id),
            ("audio_col", not options.audio_col),
            ("text_col", not options.text_col),
            ("epochs", options.epochs < 1),
            ("batch_size", options.batch_size < 1),
            ("learning_rate", not (0 < options.learning_rate < math.inf)),
            ("seed", options.seed is not None and not 0 <= options.seed < _SEEDS),
        )
        if is_wrong
    ]
    if wrong:
        message = f"the request lacks, or has a value out of range for: {', '.join(wrong)}"
        raise error(Reason.INVALID_ARGUMENT, message, fields=", ".join(wrong))
