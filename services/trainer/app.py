"""Puts the trainer together."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import grpc

from services.trainer.core.blocking import Blocking
from services.trainer.core.board import JobBoard
from services.trainer.core.evaluations import Evaluations
from services.trainer.core.flow import FlowParts, JobFlow
from services.trainer.core.holding import BaseHolding
from services.trainer.core.jobs import Jobs, QueueLimits
from services.trainer.core.journal import Journal
from services.trainer.core.patience import Patience
from services.trainer.core.pruning import JobRetention
from services.trainer.core.registering import Registrar
from services.trainer.core.resumption import ResumeRetention, Resumption
from services.trainer.core.runner import WORKER_COMMAND, ProcessRunner
from services.trainer.core.saving import Saver
from services.trainer.core.uploading.uploads import CHECK_COMMAND, TEXTS_ONLY, Checkers, Uploads
from services.trainer.peers import StorageCatalog, StorageSnapshots, storage_stub
from services.trainer.servicer import TrainerServicer
from services.trainer.settings import QUIET_THREADS, TrainerSettings, worker_environment
from thanosql.v1 import trainer_pb2
from thanosql.v1.trainer_pb2_grpc import add_TrainerServiceServicer_to_server
from thanosql_objects.opening import open_objects
from thanosql_runtime.renewing import this_process
from thanosql_runtime.service import Authoriser, Context
from thanosql_runtime.settings import environment

_FILE_THREADS = 2
_HOUR_S = 3600.0
FULL_NAME = trainer_pb2.DESCRIPTOR.services_by_name["TrainerService"].full_name


class TrainerApp:
    """The trainer as `thanosql_runtime.service.Service`."""

    def __init__(
        self,
        jobs: Jobs,
        uploads: Uploads,
        evaluations: Evaluations,
        holding: BaseHolding,
        executors: Sequence[ThreadPoolExecutor],
        stopping: asyncio.Event,
    ) -> None:
        self._jobs = jobs
        self._uploads = uploads
        self._evaluations = evaluations
        self._holding = holding
        self._executors = executors
        self._stopping = stopping
        self._winding_down: asyncio.Task[None] | None = None

    @property
    def full_name(self) -> str:
        """Name in health and reflection."""
        return FULL_NAME

    @property
    def authorise(self) -> Authoriser | None:
        """None: only the other services call."""
        return None

    def mount(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        add_TrainerServiceServicer_to_server(
            TrainerServicer(self._jobs, self._uploads, self._evaluations), server
        )

    async def start(self) -> None:
        """Take up the journal."""
        await asyncio.to_thread(self._uploads.start)
        await asyncio.to_thread(self._evaluations.start)
        await self._jobs.start()
        self._holding.start()
        self._winding_down = asyncio.create_task(self._wind_down_when_told())

    async def stop(self) -> None:
        """End the training processes, in order."""
        if self._winding_down is not None:
            self._winding_down.cancel()
            await asyncio.gather(self._winding_down, return_exceptions=True)
        await self._jobs.stop()
        await self._holding.close()
        for executor in self._executors:
            executor.shutdown(wait=True)

    async def _wind_down_when_told(self) -> None:
        # Callers wait for their jobs: ended early, the jobs let them go before the time to end calls is over.
        await self._stopping.wait()
        await self._jobs.wind_down()


def build(settings: TrainerSettings, context: Context, command: Sequence[str] = WORKER_COMMAND) -> TrainerApp:
    """Build the trainer; nothing is read or started before `start`.

    Args:
        settings: The trainer's.
        context: What the root gives to every service.
        command: Starts the training process; tests give one that answers at once.
    """
    objects = settings.objects_in(context.home)
    stub = storage_stub(context.channels.to("storage"))
    catalog = StorageCatalog(stub, this_process("trainer"))
    journal = Journal(context.home / "jobs")
    board = JobBoard(journal)
    executor = ThreadPoolExecutor(max_workers=_FILE_THREADS, thread_name_prefix="trainer-files")
    runner = ProcessRunner(
        command,
        {**environment(), **worker_environment(objects)},
        silence_limit_s=settings.silence_limit_s,
        cancel_grace_s=settings.cancel_grace_s,
    )
    opened, blocking = open_objects(objects), Blocking(executor)
    store, registrar = opened.store, Registrar(catalog)
    kept = ResumeRetention(
        keep_s=settings.keep_resumable_h * _HOUR_S, most_bytes=settings.max_resumable_bytes
    )
    resumption = Resumption(board, journal, kept)
    parts = FlowParts(
        board=board,
        journal=journal,
        catalog=catalog,
        snapshots=StorageSnapshots(stub),
        store=store,
        runner=runner,
        saver=Saver(store, registrar, blocking),
        resumption=resumption,
        patience=Patience(board, outage_limit_s=settings.outage_limit_s),
        blocking=blocking,
        worker=settings.worker(),
        max_resumes=settings.max_resumes,
    )
    holding = BaseHolding(board, catalog, context.stopping, partial(context.report_health, FULL_NAME, False))
    retention = JobRetention(keep_s=settings.keep_jobs_h * _HOUR_S, most=settings.max_kept_jobs)
    limits = QueueLimits(
        max_running=settings.max_running_jobs, max_queued=settings.max_queued_jobs, retention=retention
    )
    jobs = Jobs(
        board,
        journal,
        JobFlow(parts),
        catalog,
        holding,
        resumption=resumption,
        limits=limits,
    )
    # Of their own: a large checkpoint must not keep jobs from their files.
    upload_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="trainer-uploads")
    uploads = Uploads(
        opened,
        catalog,
        registrar,
        _checkers(settings),
        Blocking(upload_executor),
        folder=context.home / "checking",
        limit_bytes=settings.max_model_bytes,
    )
    evaluations = Evaluations(context.home / "evaluations.jsonl", blocking)
    return TrainerApp(jobs, uploads, evaluations, holding, (executor, upload_executor), context.stopping)


def _checkers(settings: TrainerSettings) -> Checkers:
    def runner(*arguments: str) -> ProcessRunner:
        return ProcessRunner(
            (*CHECK_COMMAND, *arguments),
            {**environment(), **QUIET_THREADS},
            silence_limit_s=settings.silence_limit_s,
            cancel_grace_s=settings.cancel_grace_s,
        )

    return Checkers(whole=runner(), texts=runner(TEXTS_ONLY))
