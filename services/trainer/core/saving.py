"""From the files of a training to a registered version: all or nothing, however often it is begun."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import structlog

from services.trainer.core.artefacts import model_prefix, put_model
from services.trainer.core.blocking import Blocking
from services.trainer.core.messages import Finished, MessageCodec
from services.trainer.core.registering import Registrar, UnclearRegistrationError
from services.trainer.core.spec import FINISHED_FILE, MODEL_FOLDER, read_spec
from services.trainer.core.types import Artefact, Job, Model, ModelKind
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import ThanosqlError
from thanosql_runtime.whole_files import write_whole

_log = structlog.get_logger("saving")


class Saver:
    """Stores and registers what a job has made.

    Every step may be done again: files are written under the same keys with the same bytes, and one job's
    id registers one version. So a save that was broken off is begun anew, and files are removed only
    where nobody can have registered them.

    Args:
        store: Keeps the models' files.
        registrar: Makes new versions known.
        blocking: Does what blocks.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        store: ObjectStore,
        registrar: Registrar,
        blocking: Blocking,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._registrar = registrar
        self._blocking = blocking
        self._clock = clock
        self._codec = MessageCodec()

    def finished(self, folder: Path) -> Finished | None:
        """What the training told at its end; None where it has not ended."""
        try:
            message = self._codec.decode((folder / FINISHED_FILE).read_bytes())
        except FileNotFoundError:
            return None
        return message if isinstance(message, Finished) else None

    async def note_finished(self, folder: Path, finished: Finished) -> None:
        """Write down that the training has ended: from here on only saving is left.

        Without room for that the job goes on; after a fault its training ends once more, from its last
        checkpoint.
        """
        try:
            await self._blocking.run(write_whole, folder / FINISHED_FILE, self._codec.encode(finished))
        except OSError as failure:
            _log.warning("the end of a training was not noted", folder=str(folder), error=str(failure))

    async def find(self, job: Job) -> Model | None:
        """The version that a job has made, where it was registered and somebody can tell."""
        try:
            return await self._registrar.find(job.request.model, model_prefix(job.request.model, job.job_id))
        except ThanosqlError as failure:
            _log.warning("files of a job were left", job=job.job_id, error=str(failure))
            return None

    async def save(self, job: Job, folder: Path, finished: Finished, *, again: bool) -> Model:
        """Store the files, and register the version.

        Args:
            job: The one that made them.
            folder: Its own.
            finished: What the training told at its end.
            again: Whether an earlier try may have registered the version.

        Raises:
            UnclearRegistrationError: Nobody could tell whether it was registered; the files stay.
            ThanosqlError: It was not registered, and there are no files of it.
        """
        prefix = model_prefix(job.request.model, job.job_id)
        found = await self._registrar.find(job.request.model, prefix) if again else None
        if found is not None:
            return found
        try:
            artefacts = await self._blocking.run(put_model, self._store, folder / MODEL_FOLDER, prefix)
        except BaseException:
            if not again:
                await self._delete(prefix)
            raise
        spec = await self._blocking.run(read_spec, folder)
        model = self._model(job, artefacts, finished, seed=spec.settings.seed)
        return await self._register(model, job, prefix, again=again)

    async def _register(self, model: Model, job: Job, prefix: str, *, again: bool) -> Model:
        overwrite = job.request.options.overwrite
        try:
            return await self._registrar.register(
                model, prefix=prefix, overwrite=overwrite, request_id=job.job_id
            )
        except UnclearRegistrationError:
            _log.error("files of a job were left: its model may be registered", job=job.job_id, prefix=prefix)
            raise
        except ThanosqlError:
            await self._delete(prefix)
            raise
        except BaseException:  # cancelled before the catalog was asked
            if not again:
                await self._delete(prefix)
            raise

    async def _delete(self, prefix: str) -> None:
        try:
            await self._blocking.run(self._store.delete_prefix, prefix)
        except ThanosqlError as failure:
            _log.warning("files of a failed job were left", prefix=prefix, error=str(failure))

    def _model(self, job: Job, artefacts: tuple[Artefact, ...], finished: Finished, *, seed: int) -> Model:
        begun_s = job.create_time_s if job.begin_time_s is None else job.begin_time_s
        properties = {
            "options": json.dumps(asdict(job.request.options)),
            "seed": str(seed),
            "base": job.base,
            "job": job.job_id,
            "seconds": f"{self._clock() - begun_s:.1f}",
            "attempts": str(job.attempt),
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
