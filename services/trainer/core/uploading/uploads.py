"""UPLOAD MODEL: a checkpoint of the workspace is copied, checked by running it, stored and registered."""

import asyncio
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from services.trainer.core.artefacts import model_prefix, put_model
from services.trainer.core.blocking import Blocking
from services.trainer.core.messages import Finished
from services.trainer.core.naming import check_model_name
from services.trainer.core.ports import Catalog
from services.trainer.core.registering import Registrar, UnclearRegistrationError
from services.trainer.core.runner import ProcessRunner
from services.trainer.core.spec import MODEL_FOLDER
from services.trainer.core.types import Artefact, Model, ModelKind
from services.trainer.core.uploading.gathering import checkpoint_files, copy_files, texts_of
from thanosql_objects.opening import Objects
from thanosql_objects.ports import ObjectInfo
from thanosql_objects.scratch import ScratchFolder, remove_abandoned
from thanosql_runtime.errors import Reason, ThanosqlError, error

CHECK_COMMAND = (sys.executable, "-P", "-m", "services.trainer.core.uploading.checking")
TEXTS_ONLY = "--texts"

_log = structlog.get_logger("uploads")


@dataclass(frozen=True, kw_only=True)
class UploadRequest:
    """What somebody wants to bring.

    Attributes:
        model: Name of the model to make.
        path: The folder in the workspace.
        overwrite: Whether the name may exist.
        request_id: The same id makes one version; empty for none.
        statement: For the records.
        explain_only: Look at what stands beside the weights, and store nothing.
    """

    model: str
    path: str
    overwrite: bool = False
    request_id: str = ""
    statement: str = ""
    explain_only: bool = False


@dataclass(frozen=True, kw_only=True)
class Checkers:
    """The processes that look at checkpoints: at all of one, and at what stands beside its weights."""

    whole: ProcessRunner
    texts: ProcessRunner


class Uploads:
    """Brings checkpoints, one at a time: each is copied to the disk, and held in memory while it is checked.

    Args:
        objects: The workspace, and the store of models.
        catalog: Knows the models.
        registrar: Makes versions known.
        checkers: Look at checkpoints.
        blocking: Does what blocks.
        folder: For copies.
        limit_bytes: The largest checkpoint.
    """

    def __init__(
        self,
        objects: Objects,
        catalog: Catalog,
        registrar: Registrar,
        checkers: Checkers,
        blocking: Blocking,
        *,
        folder: Path,
        limit_bytes: int,
    ) -> None:
        self._objects = objects
        self._catalog = catalog
        self._registrar = registrar
        self._checkers = checkers
        self._blocking = blocking
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._turn = asyncio.Semaphore(1)

    def start(self) -> None:
        """Remove what a killed process has left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for _removed in remove_abandoned(self._folder):
            pass

    async def upload(self, request: UploadRequest) -> Model:
        """Bring a checkpoint; with `explain_only`, what would become of it, without a version.

        Raises:
            ThanosqlError: INVALID_NAME, MODEL_ALREADY_EXISTS, FILE_NOT_FOUND, PATH_OUTSIDE_WORKSPACE;
                INVALID_CHECKPOINT, with what is wrong with it.
        """
        check_model_name(request.model)
        async with self._turn:
            # Asked for here, so that of two calls with one id the second finds what the first has made.
            return await self._made_before(request) or await self._bring(request)

    async def _made_before(self, request: UploadRequest) -> Model | None:
        if not request.request_id or request.explain_only:
            return None
        return await self._registrar.find(
            request.model, model_prefix(request.model, _stable(request.request_id))
        )

    async def _bring(self, request: UploadRequest) -> Model:
        await self._require_free(request)
        files = await self._blocking.run(
            checkpoint_files, self._objects.workspace, request.path, self._limit_bytes
        )
        with ScratchFolder("upload", self._folder) as scratch:
            properties = await self._checked(request, files, Path(scratch))
            if request.explain_only:
                return _model(request, _unstored(files), properties)
            return await self._store(request, Path(scratch) / MODEL_FOLDER, properties)

    async def _require_free(self, request: UploadRequest) -> None:
        existing = await self._catalog.find(request.model)
        if existing is None or (request.overwrite and existing.kind is not ModelKind.BASE):
            return
        if existing.kind is ModelKind.BASE:
            advice = "it is a base model, whose checkpoint is a setting; choose another name"
        else:
            advice = "add overwrite=True to make a new version of it, or choose another name"
        message = f"model {request.model!r} exists already; {advice}"
        raise error(Reason.MODEL_ALREADY_EXISTS, message, model=request.model)

    async def _checked(
        self, request: UploadRequest, files: tuple[ObjectInfo, ...], scratch: Path
    ) -> Mapping[str, str]:
        runner = self._checkers.texts if request.explain_only else self._checkers.whole
        wanted = texts_of(files) if request.explain_only else files
        properties: Mapping[str, str] = {}
        try:
            await self._blocking.run(copy_files, self._objects.workspace, wanted, scratch / MODEL_FOLDER)
            async for message in runner.run(scratch):
                if isinstance(message, Finished):
                    properties = message.properties
        except ThanosqlError as failure:
            raise _named(failure, request.path) from failure
        return properties

    async def _store(self, request: UploadRequest, folder: Path, properties: Mapping[str, str]) -> Model:
        upload_id = _stable(request.request_id) if request.request_id else uuid.uuid4().hex
        prefix = model_prefix(request.model, upload_id)
        try:
            artefacts = await self._blocking.run(put_model, self._objects.store, folder, prefix)
            return await self._registrar.register(
                _model(request, artefacts, properties),
                prefix=prefix,
                overwrite=request.overwrite,
                request_id=upload_id,
            )
        except UnclearRegistrationError:
            raise  # the files stay: the version may be there
        except BaseException:
            await self._delete(prefix)
            raise

    async def _delete(self, prefix: str) -> None:
        try:
            await self._blocking.run(self._objects.store.delete_prefix, prefix)
        except ThanosqlError as failure:
            _log.warning("files of a refused model were left", prefix=prefix, error=str(failure))


def _stable(request_id: str) -> str:
    """Names one upload, the same when its call is repeated, in letters that a key may have."""
    return uuid.uuid5(uuid.NAMESPACE_OID, request_id).hex


def _model(request: UploadRequest, artefacts: tuple[Artefact, ...], properties: Mapping[str, str]) -> Model:
    statement = {"statement": request.statement} if request.statement else {}
    return Model(
        name=request.model,
        kind=ModelKind.UPLOADED,
        origin=f"uploaded {request.path.rstrip('/')}",
        artefacts=artefacts,
        properties={**properties, **statement},
    )


def _unstored(files: tuple[ObjectInfo, ...]) -> tuple[Artefact, ...]:
    return tuple(
        Artefact(key="", name=Path(info.key).name, sha256="", size_bytes=info.size_bytes) for info in files
    )


def _named(failure: ThanosqlError, path: str) -> ThanosqlError:
    """Say which checkpoint it was, and no word of training."""
    if failure.reason is Reason.WORKER_LOST:
        message = f"the process that ran the checkpoint {path!r} was lost; memory may have run out: try again"
        return error(Reason.WORKER_LOST, message, path=path)
    if failure.reason is Reason.TRAINING_FAILED:
        message = f"the checkpoint {path!r} cannot be run: {failure.message}"
        return error(Reason.INVALID_CHECKPOINT, message, path=path)
    message = failure.message.replace(f"'{MODEL_FOLDER}'", repr(path), 1)
    return error(failure.reason, message, path=path)
