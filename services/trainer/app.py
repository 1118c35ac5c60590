"""Puts the trainer together."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc

from services.trainer.core.board import JobBoard
from services.trainer.core.flow import FlowParts, JobFlow
from services.trainer.core.jobs import Jobs
from services.trainer.core.journal import Journal
from services.trainer.core.runner import WORKER_COMMAND, ProcessRunner
from services.trainer.peers import StorageCatalog, StorageSnapshots, storage_stub
from services.trainer.servicer import TrainerServicer
from services.trainer.settings import TrainerSettings, worker_environment
from thanosql.v1 import trainer_pb2
from thanosql.v1.trainer_pb2_grpc import add_TrainerServiceServicer_to_server
from thanosql_objects.opening import open_objects
from thanosql_runtime.service import Authoriser, Context
from thanosql_runtime.settings import environment

_FILE_THREADS = 2


class TrainerApp:
    """The trainer as `thanosql_runtime.service.Service`."""

    def __init__(self, jobs: Jobs, executor: ThreadPoolExecutor) -> None:
        self._jobs = jobs
        self._executor = executor

    @property
    def full_name(self) -> str:
        """Name in health and reflection."""
        return trainer_pb2.DESCRIPTOR.services_by_name["TrainerService"].full_name

    @property
    def authorise(self) -> Authoriser | None:
        """None: only the other services call."""
        return None

    def mount(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        add_TrainerServiceServicer_to_server(TrainerServicer(self._jobs), server)

    async def start(self) -> None:
        """Take up the journal."""
        await self._jobs.start()

    async def stop(self) -> None:
        """End the training processes, in order."""
        await self._jobs.stop()
        self._executor.shutdown(wait=True)


def build(settings: TrainerSettings, context: Context, command: Sequence[str] = WORKER_COMMAND) -> TrainerApp:
    """Build the trainer; nothing is read or started before `start`.

    Args:
        settings: The trainer's.
        context: What the root gives to every service.
        command: Starts the training process; tests give one that answers at once.
    """
    objects = settings.objects_in(context.home)
    stub = storage_stub(context.channels.to("storage"))
    catalog = StorageCatalog(stub)
    journal = Journal(context.home / "jobs")
    board = JobBoard(journal)
    executor = ThreadPoolExecutor(max_workers=_FILE_THREADS, thread_name_prefix="trainer-files")
    runner = ProcessRunner(
        command,
        {**environment(), **worker_environment(objects)},
        silence_limit_s=settings.silence_limit_s,
        cancel_grace_s=settings.cancel_grace_s,
    )
    parts = FlowParts(
        board=board,
        journal=journal,
        catalog=catalog,
        snapshots=StorageSnapshots(stub),
        store=open_objects(objects).store,
        runner=runner,
        executor=executor,
        worker=settings.worker(),
    )
    jobs = Jobs(
        board,
        journal,
        JobFlow(parts),
        catalog,
        max_running=settings.max_running_jobs,
        max_queued=settings.max_queued_jobs,
    )
    return TrainerApp(jobs, executor)
