"""A job whose trainer cannot be reached any more: the error says that the job goes on, and how to find it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from services.gateway.core import watching
from services.gateway.core.events import Event, Notice
from services.gateway.core.plans import Plan
from services.gateway.core.ports import Peers
from services.gateway.core.records import JobNotice, TrainingJob
from services.gateway.core.run import Limits, Run
from services.gateway.core.watching import RECONNECTS, watch_job
from thanosql_runtime.errors import Reason, ThanosqlError, error

JOB = TrainingJob(job_id="j1", sequence=1, state="TRAINING", model="m", base="b")


class LostTrainer:
    """Every watch breaks with the reason."""

    def __init__(self, reason: Reason) -> None:
        self._reason = reason
        self.watched = 0

    async def watch(self, job_id: str, after_sequence: int) -> AsyncIterator[TrainingJob]:
        self.watched += 1
        yield JOB
        raise error(self._reason, "the connection broke", peer="trainer")

    async def get(self, job_id: str) -> TrainingJob:
        raise error(self._reason, "the connection broke")


def run_with(trainer: LostTrainer) -> Run:
    nobody = cast(Any, None)  # the other services are not asked
    peers = Peers(
        parser=nobody,
        tables=nobody,
        catalog=nobody,
        files=nobody,
        trainer=cast(Any, trainer),
        transcripts=nobody,
        predictor=nobody,
    )

    async def emit(event: Event) -> None:
        assert event

    return Run(
        peers=peers,
        limits=Limits(),
        emit=emit,
        open_nested=nobody,
        text="",
        plan=cast(Plan, nobody),
        request_key="",
    )


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "RECONNECT_DELAY_S", 0.0)


@pytest.mark.parametrize(
    ("reason", "watches"), [(Reason.PEER_UNAVAILABLE, RECONNECTS + 1), (Reason.INTERNAL, 1)]
)
async def test_giving_up_names_the_job_and_says_that_it_goes_on(reason: Reason, watches: int) -> None:
    trainer = LostTrainer(reason)
    with pytest.raises(ThanosqlError, match="the job itself goes on: SHOW JOB 'j1'") as caught:
        await watch_job(run_with(trainer), JOB)
    assert caught.value.reason is reason
    assert caught.value.metadata == {"peer": "trainer", "job": "j1"}
    assert trainer.watched == watches


async def test_a_job_that_is_gone_does_not_go_on() -> None:
    with pytest.raises(ThanosqlError) as caught:
        await watch_job(run_with(LostTrainer(Reason.JOB_NOT_FOUND)), JOB)
    assert "goes on" not in caught.value.message


class ResumedTrainer(LostTrainer):
    """The job tells one thing after another; the second watch begins with all of it."""

    async def watch(self, job_id: str, after_sequence: int) -> AsyncIterator[TrainingJob]:
        self.watched += 1
        said = [
            JobNotice(time=datetime(2026, 11, 23, second=second, tzinfo=UTC), message=f"notice {second}")
            for second in range(1, 4)
        ]
        if self.watched == 1:
            yield replace(JOB, notices=said[:1])
            yield replace(JOB, notices=said[:2])
            raise error(Reason.PEER_UNAVAILABLE, "the connection broke")
        yield replace(JOB, notices=said)
        yield replace(JOB, notices=said, state="SUCCEEDED")


async def test_what_befalls_the_job_is_told_once() -> None:
    told: list[str] = []
    run = run_with(ResumedTrainer(Reason.PEER_UNAVAILABLE))

    async def emit(event: Event) -> None:
        if isinstance(event, Notice):
            told.append(event.message)

    await watch_job(replace(run, emit=emit), JOB)
    assert told == ["notice 1", "notice 2", "notice 3"]
