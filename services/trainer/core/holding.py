"""Tells the catalog from which models jobs train, so that none is deleted unnoticed."""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from services.trainer.core.board import JobBoard
from services.trainer.core.naming import split_model_name
from services.trainer.core.ports import HeldModel, HoldsCatalog
from services.trainer.core.types import Job
from thanosql_runtime.errors import ThanosqlError
from thanosql_runtime.renewing import Renewal

_log = structlog.get_logger("holding")


class BaseHolding:
    """The versions behind the jobs that have not ended.

    Args:
        board: Knows the jobs.
        catalog: Who is told.
        stopping: Set once the server begins to stop.
        report_death: Called when the telling ends by a bug.
    """

    def __init__(
        self,
        board: JobBoard,
        catalog: HoldsCatalog,
        stopping: asyncio.Event,
        report_death: Callable[[], None],
    ) -> None:
        self._board = board
        self._renewal = Renewal(self._standing, catalog.hold, stopping, report_death)

    def start(self) -> None:
        """Begin to tell."""
        self._renewal.start()

    async def close(self) -> None:
        """Stop telling."""
        await self._renewal.close()

    async def take(self) -> None:
        """Tell of a new job; where that fails it is told soon, and the job does not depend on it."""
        try:
            await self._renewal.now()
        except ThanosqlError as problem:
            _log.warning("not_held", error=problem.message)

    def give_up(self) -> None:
        """Tell soon that a job has ended."""
        self._renewal.soon()

    def _standing(self, _stops: bool) -> Sequence[HeldModel]:
        # Jobs go on at the next start: what they hold runs out only if that does not come soon.
        return [_held(job) for job in self._board.all() if not job.state.ended]


def _held(job: Job) -> HeldModel:
    name, version = split_model_name(job.base)
    return HeldModel(name=name, version=version, job_id=job.job_id, since_s=job.create_time_s)
