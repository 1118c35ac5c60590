"""Which jobs are forgotten."""

from dataclasses import replace

import pytest

from services.trainer.core.pruning import JobRetention, outlived
from services.trainer.core.types import Job, JobRequest, JobState, TrainingOptions

OPTIONS = TrainingOptions(audio_col="a", text_col="t", epochs=1, batch_size=1, learning_rate=1e-3)
REQUEST = JobRequest(request_id="", model="m", base="b", options=OPTIONS, snapshot_id="s")
JOB = Job(job_id="", request=REQUEST, base="b.1", create_time_s=1.0, heartbeat_time_s=1.0)


def ended(job_id: str, end_s: float) -> Job:
    return replace(JOB, job_id=job_id, state=JobState.FAILED, end_time_s=end_s)


def test_those_that_ended_long_ago_are() -> None:
    jobs = [ended("old", 10.0), ended("new", 95.0)]
    assert outlived(jobs, JobRetention(keep_s=50.0, most=9), now_s=100.0) == ["old"]


def test_the_oldest_of_too_many_are() -> None:
    jobs = [ended("b", 92.0), ended("a", 91.0), ended("c", 93.0)]
    assert outlived(jobs, JobRetention(keep_s=50.0, most=1), now_s=100.0) == ["b", "a"]


@pytest.mark.parametrize("state", [state for state in JobState if not state.ended])
def test_one_that_may_go_on_never_is(state: JobState) -> None:
    jobs = [replace(JOB, job_id="j", state=state), ended("new", 99.0)]
    assert outlived(jobs, JobRetention(keep_s=1.0, most=1), now_s=1e9) == ["new"]
