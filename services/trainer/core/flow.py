"""The course of one job, from its rows to a registered model, begun again where it was broken off."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import structlog

from services.trainer.core.artefacts import fetch_model
from services.trainer.core.blocking import Blocking
from services.trainer.core.board import JobBoard
from services.trainer.core.journal import Journal
from services.trainer.core.messages import Finished, Heartbeat, Kept, Message, Notice, Progress, RowsChecked
from services.trainer.core.naming import split_model_name
from services.trainer.core.patience import Patience
from services.trainer.core.ports import Catalog, Snapshots
from services.trainer.core.resumption import Resumption
from services.trainer.core.runner import ProcessRunner
from services.trainer.core.saving import Saver
from services.trainer.core.snapshot import keep_rows
from services.trainer.core.spec import (
    BASE_FOLDER,
    ROWS_FILE,
    SPEC_FILE,
    WorkerSettings,
    WorkerSpec,
    write_spec,
)
from services.trainer.core.types import Job, JobState, Model, TrainingOptions
from services.trainer.core.uninterrupted import is_being_cancelled, uninterrupted
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("job")


@dataclass(frozen=True, kw_only=True)
class FlowParts:
    """What the course of a job needs.

    Attributes:
        board: Where the job stands.
        journal: Knows the job's folder.
        catalog: Knows the models.
        snapshots: Keeps the rows.
        store: Keeps the models' files.
        runner: Runs the training process.
        saver: Stores and registers what it made.
        patience: Waits for what is away.
        resumption: Ends jobs so that they can go on.
        blocking: Does what blocks.
        worker: How the training process works.
        max_resumes: Times in a row that a lost process is started again without a new checkpoint.
    """

    board: JobBoard
    journal: Journal
    catalog: Catalog
    snapshots: Snapshots
    store: ObjectStore
    runner: ProcessRunner
    saver: Saver
    patience: Patience
    resumption: Resumption
    blocking: Blocking
    worker: WorkerSettings
    max_resumes: int


class JobFlow:
    """Takes jobs through their states; one object serves all jobs.

    What is done is told by the job's folder: the order to the child is written when it has all that it
    needs, and the child's last word when only saving is left. So a job that was broken off anywhere is
    simply run again.
    """

    def __init__(self, parts: FlowParts, clock: Callable[[], float] = time.time) -> None:
        self._parts = parts
        self._board = parts.board
        self._clock = clock

    async def run(self, job_id: str, was_cancelled: Callable[[], bool]) -> None:
        """Take a job to its end, or back to the queue; nothing is raised, the job tells everything.

        Args:
            job_id: A queued job.
            was_cancelled: Tells, when the task is cancelled, whether a user asked for it; otherwise the
                service is stopping, and the job waits for its next start.
        """
        try:
            result = await self._to_the_end(job_id)
            ending: dict[str, object] = {"state": JobState.SUCCEEDED, "result": result}
        except ThanosqlError as failure:
            ending = _failure(job_id, failure)
        except asyncio.CancelledError:
            ending = {"state": JobState.CANCELLED}
        except Exception:  # noqa: BLE001 - the job's owner is gone; its log and its state must tell
            _log.exception("job failed unexpectedly", job=job_id)
            message = f"training failed unexpectedly; the trainer's log has the details under job {job_id}"
            ending = _failure(job_id, error(Reason.INTERNAL, message))
        stopped = is_being_cancelled() and not was_cancelled()
        if stopped and ending["state"] is not JobState.SUCCEEDED:
            await uninterrupted(self._put_back(job_id))
        else:
            await uninterrupted(self._close(job_id, ending))

    async def abandon(self, job_id: str) -> None:
        """End a job that was cancelled while it waited, and forget its rows.

        One that was broken off while its model was saved may have been registered: then it has succeeded.
        """
        job = self._board.get(job_id)
        ending: dict[str, object] = {"state": JobState.CANCELLED}
        if self._parts.saver.finished(self._parts.journal.folder(job_id)):
            model = await self._parts.saver.find(job)
            ending = {"state": JobState.SUCCEEDED, "result": model} if model else ending
        await self._close(job_id, ending)

    async def take_up(self, job_id: str) -> bool:
        """Let a job wait that has not ended, also one that was running when the service died.

        Answers False where it ends instead, since it comes to nothing time and again.
        """
        if self._board.get(job_id).state is JobState.QUEUED:
            return True
        try:
            await self._lost(job_id, error(Reason.WORKER_LOST, "the trainer ended while it ran this job"))
        except ThanosqlError as failure:
            await self._close(job_id, _failure(job_id, failure))
            return False
        await self._board.update(job_id, state=JobState.QUEUED)
        return True

    async def _to_the_end(self, job_id: str) -> Model:
        folder = self._parts.journal.folder(job_id)
        finished = self._parts.saver.finished(folder)
        again = finished is not None
        if finished is None:
            job = self._board.get(job_id)
            begun_s = self._clock() if job.begin_time_s is None else job.begin_time_s
            await self._board.update(job_id, state=JobState.PREPARING, begin_time_s=begun_s)
            patience = self._parts.patience
            await patience.until_done(job_id, lambda: self._prepare(job, folder))
            finished = await patience.until_done(job_id, lambda: self._train(job_id, folder))
            await self._parts.saver.note_finished(folder, finished)
        if is_being_cancelled():  # while its process was ended, which nothing interrupts
            raise asyncio.CancelledError
        await self._board.update(job_id, state=JobState.SAVING)
        return await self._save(job_id, folder, finished, again=again)

    async def _prepare(self, job: Job, folder: Path) -> None:
        if (folder / SPEC_FILE).exists():
            return
        await self._fetch_base(job, folder / BASE_FOLDER)
        options = job.request.options
        rows = self._parts.snapshots.read(job.request.snapshot_id)
        if await keep_rows(rows, folder / ROWS_FILE, options.audio_col, options.text_col) == 0:
            raise error(Reason.NO_USABLE_ROWS, "the query gave no rows to learn from")
        write_spec(folder, WorkerSpec(options=options, settings=self._settings(options)))

    def _settings(self, options: TrainingOptions) -> WorkerSettings:
        """How the process works: the seed of the statement goes before that of the settings."""
        worker = self._parts.worker
        return worker if options.seed is None else replace(worker, seed=options.seed)

    async def _fetch_base(self, job: Job, folder: Path) -> None:
        base = await self._base(job, "while the job waited")
        try:
            await self._parts.blocking.run(fetch_model, self._parts.store, base, folder)
        except ThanosqlError as failure:
            if failure.reason is Reason.FILE_NOT_FOUND:
                await self._base(job, "while the job read its files")
            raise

    async def _base(self, job: Job, when: str) -> Model:
        base = await self._parts.catalog.find(*split_model_name(job.base))
        if base is None:
            message = f"model {job.base!r} was deleted {when}"
            raise error(Reason.MODEL_NOT_FOUND, message, model=job.base)
        return base

    async def _train(self, job_id: str, folder: Path) -> Finished:
        while True:
            try:
                return await self._attempt(job_id, folder)
            except ThanosqlError as failure:
                if failure.reason is not Reason.WORKER_LOST or is_being_cancelled():
                    raise
                await self._lost(job_id, failure)

    async def _attempt(self, job_id: str, folder: Path) -> Finished:
        async with aclosing(self._parts.runner.run(folder)) as messages:
            async for message in messages:
                match message:
                    case Finished():
                        finished = message
                    case Notice():
                        await self._board.notify(job_id, message.message)
                    case _:
                        await self._board.update(job_id, **_changes(message))
        return finished

    async def _lost(self, job_id: str, failure: ThanosqlError) -> None:
        """Count a fault; raises it where the job does not get any further."""
        job = self._board.get(job_id)
        if job.faults >= self._parts.max_resumes:
            tries = job.faults + 1
            message = f"{failure.message}; that was try {tries} in a row that came to no new checkpoint"
            raise error(Reason.WORKER_LOST, message, **failure.metadata)
        since = f"its checkpoint at step {job.checkpoint_step}" if job.checkpoint_step else "the beginning"
        await self._board.notify(
            job_id,
            f"{failure.message}; the job goes on from {since}",
            state=JobState.PREPARING,
            attempt=job.attempt + 1,
            faults=job.faults + 1,
        )

    async def _save(self, job_id: str, folder: Path, finished: Finished, *, again: bool) -> Model:
        tried = again

        async def save() -> Model:
            nonlocal tried
            before, tried = tried, True
            return await self._parts.saver.save(self._board.get(job_id), folder, finished, again=before)

        return await self._parts.patience.until_done(job_id, save)

    async def _put_back(self, job_id: str) -> None:
        message = "the trainer was stopped; the job goes on at its next start"
        await self._board.notify(job_id, message, state=JobState.QUEUED)

    async def _close(self, job_id: str, ending: Mapping[str, object]) -> None:
        await self._parts.resumption.end(job_id, ending)
        await self.forget_rows(job_id)

    async def forget_rows(self, job_id: str) -> None:
        """Delete the rows of an ended job; what cannot be deleted now is noted for the next start."""
        snapshot_id = self._board.get(job_id).request.snapshot_id
        try:
            await self._parts.snapshots.delete(snapshot_id)
        except ThanosqlError as failure:
            _log.warning("snapshot was left", job=job_id, snapshot=snapshot_id, error=str(failure))
            await self._parts.journal.note_rows_left(job_id, left=True)
        else:
            await self._parts.journal.note_rows_left(job_id, left=False)

    async def forget_strays(self, before_s: float) -> None:
        """Delete rows of long ago that no job needs: their caller was killed before it asked for the job."""
        try:
            kept = await self._parts.snapshots.written_before(before_s)
            needed = {job.request.snapshot_id.lower() for job in self._board.all() if not job.state.ended}
            for snapshot_id in kept:
                if snapshot_id not in needed:
                    await self._parts.snapshots.delete(snapshot_id)
                    _log.info("stray rows deleted", snapshot=snapshot_id)
        except ThanosqlError as failure:
            _log.warning("stray rows were left", error=str(failure))


def _changes(message: Message) -> dict[str, object]:
    """The fields of the job that a message changes."""
    match message:
        case RowsChecked():
            return {
                "rows_used": message.rows_used,
                "rows_held_out": message.rows_held_out,
                "rows_left_out": message.rows_left_out,
                "left_out": message.left_out,
            }
        case Progress():
            fields = asdict(message)
            return {name: value for name, value in fields.items() if name != "kind" and value is not None}
        case Kept():
            return {"checkpoint_step": message.step, "faults": 0}
        case Heartbeat():
            return {}
        case _:
            raise AssertionError(f"not a change: {message}")


def _failure(job_id: str, failure: ThanosqlError) -> dict[str, object]:
    _log.warning("job failed", job=job_id, reason=failure.reason.value, error=failure.message)
    return {
        "state": JobState.FAILED,
        "failure_reason": failure.reason.value,
        "failure_message": failure.message,
    }
