"""A job that is cancelled before its first step ends as any other, and is not run at the next start."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from services.trainer.core.board import JobBoard
from services.trainer.core.holding import BaseHolding
from services.trainer.core.jobs import Jobs, QueueLimits
from services.trainer.core.journal import Journal
from services.trainer.core.ports import HeldModel
from services.trainer.core.pruning import JobRetention
from services.trainer.core.resumption import ResumeRetention, Resumption
from services.trainer.core.types import Job, JobRequest, JobState, Model, ModelKind, TrainingOptions

OPTIONS = TrainingOptions(
    audio_col="a", text_col="t", epochs=1, batch_size=1, learning_rate=1e-3, overwrite=False
)
REQUEST = JobRequest(
    request_id="", model="mine", base="base", options=OPTIONS, snapshot_id="rows", statement=""
)
WAITING = Job(job_id="job", request=REQUEST, base="base.1", create_time_s=1.0, heartbeat_time_s=1.0)


class FakeFlow:
    """Never ends a job by itself."""

    def __init__(self, board: JobBoard) -> None:
        self._board = board
        self.begun: list[str] = []

    async def run(self, job_id: str, was_cancelled: Callable[[], bool]) -> None:
        self.begun.append(job_id)
        await asyncio.Event().wait()

    async def take_up(self, _job_id: str) -> bool:
        return True

    async def forget_strays(self, before_s: float) -> None:
        """There are none."""

    async def abandon(self, job_id: str) -> None:
        await self._board.update(job_id, state=JobState.CANCELLED)


class FakeCatalog:
    """Knows one base."""

    async def find(self, name: str, version: int = 0) -> Model | None:
        return Model(name="base", kind=ModelKind.BASE) if name == "base" else None

    async def versions(self, name: str) -> list[Model]:
        return []

    async def names(self) -> list[str]:
        return ["base"]

    async def hold(self, models: Sequence[HeldModel]) -> float:
        return 60.0

    async def register(self, model: Model, *, overwrite: bool, request_id: str) -> Model:
        raise AssertionError("nothing is trained here")


async def start_with_a_waiting_job(folder: Path) -> tuple[Jobs, FakeFlow]:
    """Its task is made, and has not run when this returns."""
    journal = Journal(folder)
    await journal.write(WAITING)
    board = JobBoard(journal)
    flow = FakeFlow(board)
    catalog = FakeCatalog()
    holding = BaseHolding(board, catalog, asyncio.Event(), lambda: None)
    retention = JobRetention(keep_s=1e12, most=100)
    limits = QueueLimits(max_running=1, max_queued=2, retention=retention)
    kept = ResumeRetention(keep_s=0, most_bytes=0)
    resumption = Resumption(board, journal, kept)
    jobs = Jobs(
        board,
        journal,
        flow,  # type: ignore[arg-type]
        catalog,  # type: ignore[arg-type]
        holding,
        resumption=resumption,
        limits=limits,
    )
    await jobs.start()
    return jobs, flow


async def last_of(jobs: Jobs, job_id: str) -> Job:
    async for job in jobs.watch(job_id, 0):
        last = job
    return last


@pytest.mark.parametrize("stops", [False, True])
async def test_before_its_first_step(tmp_path: Path, stops: bool) -> None:
    jobs, flow = await start_with_a_waiting_job(tmp_path)
    assert flow.begun == []

    await jobs.cancel("job")
    if stops:
        await jobs.wind_down()
    assert (await asyncio.wait_for(last_of(jobs, "job"), 30)).state is JobState.CANCELLED
    assert flow.begun == []
    await jobs.stop()
    assert [job.state for job in Journal(tmp_path).read_all()] == [JobState.CANCELLED]


async def test_a_job_that_a_stop_meets_before_its_first_step_waits_for_the_next_start(tmp_path: Path) -> None:
    jobs, flow = await start_with_a_waiting_job(tmp_path)
    await jobs.stop()

    assert flow.begun == []
    assert [job.state for job in Journal(tmp_path).read_all()] == [JobState.QUEUED]
