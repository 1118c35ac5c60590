"""A training job, followed from its start to its end."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from services.gateway.core.events import JobChanged, Progress
from services.gateway.core.records import TrainingJob
from services.gateway.core.run import Run
from thanosql_runtime.errors import Reason, ThanosqlError, error

RECONNECTS = 5
RECONNECT_DELAY_S = 0.5


async def watch_job(run: Run, job: TrainingJob) -> TrainingJob:
    """Tell progress until the job has ended well; raise why where it has not.

    A connection that breaks is taken up again where it broke; the job does not notice.
    """
    told = _Told()
    attempt = 0
    while True:
        try:
            job = await _follow(run, job, told)
            break
        except ThanosqlError as failure:
            if failure.reason is Reason.JOB_NOT_FOUND:
                raise
            if failure.reason is not Reason.PEER_UNAVAILABLE or attempt == RECONNECTS:
                raise _lost(job, failure) from failure
        await asyncio.sleep(RECONNECT_DELAY_S * 2**attempt)
        seen = job.sequence
        with suppress(ThanosqlError):
            job = await run.peers.trainer.get(job.job_id)
        # Breaks far apart are no reason to give up a job of days.
        attempt = 0 if job.sequence > seen else attempt + 1
    await run.emit(JobChanged(job=job))
    if job.state != "SUCCEEDED":
        await run.report(job.left_out)
        raise _failure(job)
    return job


class _Told:
    """Which notices of the job its caller has heard; a job keeps the newest alone."""

    def __init__(self) -> None:
        self._until = datetime.min.replace(tzinfo=UTC)

    async def pass_on(self, run: Run, job: TrainingJob) -> None:
        new = [notice for notice in job.notices if notice.time > self._until]
        for notice in new:
            await run.notify(notice.message)
        if new:
            self._until = new[-1].time


async def _follow(run: Run, job: TrainingJob, told: _Told) -> TrainingJob:
    if job.ended:
        return job
    async for job in run.peers.trainer.watch(job.job_id, job.sequence - 1):  # noqa: B020 - the newest is wanted
        await told.pass_on(run, job)
        await run.emit(_progress(job))
    if not job.ended:
        raise error(Reason.PEER_UNAVAILABLE, f"the trainer stopped telling about job '{job.job_id}'")
    return job


def _progress(job: TrainingJob) -> Progress:
    return Progress(
        stage=job.state.lower(),
        done=job.step,
        unit="steps",
        total=job.step_total or None,
        seconds_left=job.seconds_left,
        epoch=job.epoch,
        epoch_total=job.epoch_total,
        loss=job.loss,
        wer=job.wer,
    )


def _lost(job: TrainingJob, failure: ThanosqlError) -> ThanosqlError:
    """Watching failed, which is no failure of the job."""
    return error(
        failure.reason,
        f"job '{job.job_id}' cannot be watched any more: {failure.message}; the job itself goes on: "
        f"SHOW JOB '{job.job_id}' tells how far it is, CANCEL JOB '{job.job_id}' ends it",
        **{**failure.metadata, "job": job.job_id},
    )


def _failure(job: TrainingJob) -> ThanosqlError:
    if job.state == "CANCELLED":
        return error(Reason.CANCELLED, f"job '{job.job_id}' was cancelled", job=job.job_id)
    known = job.failure_reason in Reason.__members__
    return error(
        Reason[job.failure_reason] if known else Reason.TRAINING_FAILED,
        job.failure_message or f"job '{job.job_id}' failed",
        job=job.job_id,
    )
