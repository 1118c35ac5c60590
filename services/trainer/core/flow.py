"""The course of one job, from its rows to a registered model."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import structlog

from services.trainer.core.artefacts import fetch_model, model_prefix, put_model
from services.trainer.core.board import JobBoard
from services.trainer.core.journal import Journal
from services.trainer.core.messages import Finished, Heartbeat, Message, Progress, RowsChecked
from services.trainer.core.naming import split_model_name
from services.trainer.core.ports import Catalog, Snapshots
from services.trainer.core.registering import Registrar, UnclearRegistrationError
from services.trainer.core.runner import ProcessRunner
from services.trainer.core.snapshot import keep_rows
from services.trainer.core.spec import (
    BASE_FOLDER,
    LOG_FILE,
    MODEL_FOLDER,
    ROWS_FILE,
    SPEC_FILE,
    WorkerSettings,
    WorkerSpec,
    write_spec,
)
from services.trainer.core.types import Artefact, Job, JobState, Model, ModelKind
from services.trainer.core.uninterrupted import uninterrupted
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

_KEPT_FILES = frozenset({LOG_FILE, SPEC_FILE})
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_log = structlog.get_logger("job")


@dataclass(frozen=True, kw_only=True)
class FlowParts:
    """What the course of a job needs.

    Attributes:
        board: Where the job stands.
        journal: Knows the job's folder.
        catalog: Knows the models.
        registrar: Makes new ones known.
        snapshots: Keeps the rows.
        store: Keeps the models' files.
        runner: Runs the training process.
        executor: Takes what blocks.
        worker: How the training process works.
    """

    board: JobBoard
    journal: Journal
    catalog: Catalog
    registrar: Registrar
    snapshots: Snapshots
    store: ObjectStore
    runner: ProcessRunner
    executor: Executor
    worker: WorkerSettings


class JobFlow:
    """Takes jobs through their states; one object serves all jobs."""

    def __init__(self, parts: FlowParts) -> None:
        self._parts = parts
        self._board = parts.board

    async def run(self, job_id: str, was_cancelled: Callable[[], bool]) -> None:
        """Take a job to its end; nothing is raised, the job tells everything.

        Args:
            job_id: A queued job.
            was_cancelled: Tells, when the task is cancelled, whether a user asked for it; otherwise the
                service is stopping.
        """
        try:
            result = await self._to_the_end(job_id)
            ending: dict[str, object] = {"state": JobState.SUCCEEDED, "result": result}
        except ThanosqlError as failure:
            ending = _failure(job_id, failure)
        except asyncio.CancelledError:
            ending = {"state": JobState.CANCELLED} if was_cancelled() else _failure(job_id, _stopped())
        except Exception:  # noqa: BLE001 - the job's owner is gone; its log and its state must tell
            _log.exception("job failed unexpectedly", job=job_id)
            message = f"training failed unexpectedly; the trainer's log has the details under job {job_id}"
            ending = _failure(job_id, error(Reason.INTERNAL, message))
        await uninterrupted(self._close(job_id, ending))

    async def abandon(self, job_id: str) -> None:
        """End a job that was cancelled before it began, and forget its rows."""
        await self._close(job_id, {"state": JobState.CANCELLED})

    async def recover(self, job_id: str) -> None:
        """End a job whose process was lost with the service, unless its model was registered before."""
        job = self._board.get(job_id)
        prefix = model_prefix(job.request.model, job_id)
        try:
            saving = job.state is JobState.SAVING
            model = await self._parts.registrar.find(job.request.model, prefix) if saving else None
            if model is not None:
                await self._close(job_id, {"state": JobState.SUCCEEDED, "result": model})
                return
            await self._blocking(self._parts.store.delete_prefix, prefix)
        except ThanosqlError as failure:
            _log.warning("files of a lost job were left", job=job_id, prefix=prefix, error=str(failure))
        message = "the trainer ended while it ran this job; run the statement again"
        await self._close(job_id, _failure(job_id, error(Reason.WORKER_LOST, message)))

    async def _to_the_end(self, job_id: str) -> Model:
        begun_s = time.monotonic()
        job = await self._board.update(job_id, state=JobState.PREPARING)
        folder = self._parts.journal.folder(job_id)
        await self._prepare(job, folder)
        finished = await self._train(job_id, folder)
        await self._board.update(job_id, state=JobState.SAVING)
        prefix = model_prefix(job.request.model, job_id)
        try:
            artefacts = await self._blocking(put_model, self._parts.store, folder / MODEL_FOLDER, prefix)
            model = self._model(job, artefacts, finished, time.monotonic() - begun_s)
            return await self._parts.registrar.register(
                model, prefix=prefix, overwrite=job.request.options.overwrite, request_id=job_id
            )
        except UnclearRegistrationError:
            _log.error("files of a job were left: its model may be registered", job=job_id, prefix=prefix)
            raise
        except BaseException:
            await self._delete_files(prefix)
            raise

    async def _prepare(self, job: Job, folder: Path) -> None:
        await self._fetch_base(job, folder / BASE_FOLDER)
        options = job.request.options
        rows = self._parts.snapshots.read(job.request.snapshot_id)
        if await keep_rows(rows, folder / ROWS_FILE, options.audio_col, options.text_col) == 0:
            raise error(Reason.NO_USABLE_ROWS, "the query gave no rows to learn from")
        write_spec(folder, WorkerSpec(options=options, settings=self._parts.worker))

    async def _fetch_base(self, job: Job, folder: Path) -> None:
        base = await self._base(job, "while the job waited")
        try:
            await self._blocking(fetch_model, self._parts.store, base, folder)
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
        async with aclosing(self._parts.runner.run(folder)) as messages:
            async for message in messages:
                if isinstance(message, Finished):
                    finished = message
                else:
                    await self._board.update(job_id, **_changes(message))
        return finished

    def _model(self, job: Job, artefacts: tuple[Artefact, ...], finished: Finished, seconds: float) -> Model:
        options = job.request.options
        properties = {
            "options": json.dumps(asdict(options)),
            "seed": str(self._parts.worker.seed),
            "base": job.base,
            "job": job.job_id,
            "seconds": f"{seconds:.1f}",
            "statement": job.request.statement,
        }
        return Model(
            name=job.request.model,
            kind=ModelKind.TRAINED,
            base=job.base,
            artefacts=artefacts,
            metrics=finished.metrics,
            properties={**finished.properties, **properties},
            built_from=job.request.built_from,
        )

    async def _close(self, job_id: str, ending: Mapping[str, object]) -> None:
        await self._board.update(job_id, **ending)
        await self._parts.journal.clear(job_id, keep=_KEPT_FILES)
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

    async def _delete_files(self, prefix: str) -> None:
        try:
            await self._blocking(self._parts.store.delete_prefix, prefix)
        except ThanosqlError as failure:
            _log.warning("files of a failed job were left", prefix=prefix, error=str(failure))

    async def _blocking(
        self,
        function: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **kwargs: _Parameters.kwargs,
    ) -> _Result:
        """Run on the executor; a cancelled caller still waits, so that nothing happens behind its back."""
        future = asyncio.get_running_loop().run_in_executor(
            self._parts.executor, lambda: function(*args, **kwargs)
        )
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            raise


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


def _stopped() -> ThanosqlError:
    return error(Reason.WORKER_LOST, "the trainer was stopped while it ran this job; run the statement again")
