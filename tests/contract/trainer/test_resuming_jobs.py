"""RESUME JOB at the trainer: what ended jobs go on from, what is kept of them, and why some cannot."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.trainer.test_training_jobs import Job, State, Trainer, refused, running
from tests.fakes.trainer_storage import TrainerStorage, put_files, trainer_storage
from thanosql.v1 import errors_pb2, trainer_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.testing import eventually

BROKEN_OFF = "rows:7 keep:3 first:hang steps:3 finish"
RECORD = {"job.json", "spec.json", "worker.log"}


@pytest.fixture
def filled(tmp_path: Path) -> TrainerStorage:
    storage = trainer_storage()
    files = {"config.json": b"{}", "model.safetensors": b"weights"}
    storage.add_model("Wav2Vec2En", put_files(tmp_path / "objects", "models/Wav2Vec2En/1/", files))
    return storage


@pytest.fixture
async def trainer(tmp_path: Path, filled: TrainerStorage) -> AsyncIterator[Trainer]:
    async with running(tmp_path, filled) as made:
        yield made


async def resume(trainer: Trainer, job: Job) -> Job:
    request = trainer_pb2.ResumeTrainingJobRequest(job_id=job.job_id)
    return (await trainer.stub.ResumeTrainingJob(request)).job


async def cancelled(trainer: Trainer, script: str = BROKEN_OFF) -> Job:
    job = await trainer.create(script)
    await trainer.in_training(job.job_id)
    await trainer.cancel(job.job_id)
    return await trainer.end(job.job_id)


def left_of(trainer: Trainer, job: Job) -> set[str]:
    return {path.name for path in (trainer.home / "jobs" / job.job_id).iterdir()}


async def test_a_cancelled_job_goes_on_from_its_checkpoint_to_its_model(trainer: Trainer) -> None:
    job = await cancelled(trainer)
    assert (job.state, job.checkpoint_step) == (State.STATE_CANCELLED, 3)
    offer = (
        f"RESUME JOB '{job.job_id}' lets it go on from its checkpoint at step 3; its files are kept for 72 h"
    )
    assert job.notices[-1].message == offer

    resumed = await resume(trainer, job)
    assert (resumed.state, resumed.attempt, resumed.HasField("end_time")) == (State.STATE_QUEUED, 2, False)
    ended = await trainer.end(job.job_id)
    assert (ended.state, ended.result.name) == (State.STATE_SUCCEEDED, "mine")
    assert "resumed, and goes on from its checkpoint at step 3" in ended.notices[-1].message
    await eventually(lambda: left_of(trainer, job) == RECORD)


async def test_a_job_can_be_resumed_while_it_is_being_cancelled(trainer: Trainer) -> None:
    job = await trainer.create(BROKEN_OFF)
    await trainer.in_training(job.job_id)
    await trainer.cancel(job.job_id)
    assert (await resume(trainer, job)).state == State.STATE_QUEUED
    assert (await trainer.end(job.job_id)).state == State.STATE_SUCCEEDED


async def test_a_lost_job_is_resumed_after_a_restart_without_its_rows_in_storage(
    tmp_path: Path, filled: TrainerStorage
) -> None:
    async with running(tmp_path, filled, max_resumes=0) as trainer:
        job = await trainer.end((await trainer.create("rows:7 keep:3 first:die finish")).job_id)
        assert job.failure_reason == errors_pb2.ERROR_REASON_WORKER_LOST
        await eventually(lambda: len(filled.deleted_snapshots) == 1)
    async with running(tmp_path, filled) as trainer:
        resumed = await resume(trainer, job)
        assert (resumed.failure_reason, resumed.failure_message) == (0, "")
        assert (await trainer.end(job.job_id)).state == State.STATE_SUCCEEDED


async def test_a_model_that_could_not_be_registered_is_saved_without_training_again(trainer: Trainer) -> None:
    trainer.storage.refuse_registration = error(Reason.MODEL_ALREADY_EXISTS, "somebody was faster")
    job = await trainer.end((await trainer.create("rows:7 finish")).job_id)
    assert "go on from the saving of its model" in job.notices[-1].message
    trainer.storage.refuse_registration = None
    (trainer.home / "jobs" / job.job_id / "rows.arrow").unlink()
    await resume(trainer, job)
    assert (await trainer.end(job.job_id)).state == State.STATE_SUCCEEDED
    assert len(trainer.model_files()) == 2


async def test_explaining_checks_that_a_job_can_go_on_and_changes_nothing(trainer: Trainer) -> None:
    job = await cancelled(trainer)
    request = trainer_pb2.ResumeTrainingJobRequest(job_id=job.job_id, explain_only=True)
    assert (await trainer.stub.ResumeTrainingJob(request)).job == job
    assert await trainer.get(job.job_id) == job


async def test_a_resumed_job_holds_its_base_again(trainer: Trainer) -> None:
    job = await cancelled(trainer, "rows:7 keep:3 hang")
    await eventually(lambda: trainer.storage.held == {})
    await resume(trainer, job)
    assert trainer.storage.held == {job.job_id: ("Wav2Vec2En", 1)}


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("rows:7 finish", "it has succeeded, and made mine.1"),
        ("rows:7 keep:3 fail:TRAINING_DIVERGED", "it would fail again: as the test asked"),
        ("rows:7 crash:3", "nothing of its training is left"),
    ],
)
async def test_a_job_that_cannot_go_on_says_why_and_keeps_no_files(
    trainer: Trainer, script: str, why: str
) -> None:
    job = await trainer.end((await trainer.create(script)).job_id)
    async with refused() as seen:
        await resume(trainer, job)
    assert seen[0] is Reason.INVALID_ARGUMENT
    assert why in str(seen[1])
    await eventually(lambda: left_of(trainer, job) == RECORD)


async def test_a_job_that_waits_stays_as_it_is(trainer: Trainer) -> None:
    running_job = await trainer.create("hang")
    waiting = await trainer.create(model="another")
    assert (await resume(trainer, waiting)).sequence == waiting.sequence
    await trainer.cancel(running_job.job_id)
    await trainer.end(waiting.job_id)


async def test_a_job_that_does_not_exist_is_an_error(trainer: Trainer) -> None:
    async with refused() as seen:
        await resume(trainer, Job(job_id="nobody"))
    assert seen[0] is Reason.JOB_NOT_FOUND


async def test_a_name_that_was_taken_meanwhile_is_refused_before_training(trainer: Trainer) -> None:
    job = await cancelled(trainer)
    await trainer.end((await trainer.create()).job_id)
    async with refused() as seen:
        await resume(trainer, job)
    assert seen[0] is Reason.MODEL_ALREADY_EXISTS


async def test_files_go_when_they_were_kept_long_enough(tmp_path: Path, filled: TrainerStorage) -> None:
    async with running(tmp_path, filled, keep_resumable_h=0.0) as trainer:
        job = await cancelled(trainer)
        await eventually(lambda: left_of(trainer, job) == RECORD)


async def test_more_than_may_be_kept_is_not(tmp_path: Path, filled: TrainerStorage) -> None:
    async with running(tmp_path, filled, max_resumable_bytes=1) as trainer:
        job = await cancelled(trainer)
        assert "1 may be kept" in job.notices[-1].message
        await eventually(lambda: left_of(trainer, job) == RECORD)


async def test_the_oldest_go_where_there_are_too_many(tmp_path: Path, filled: TrainerStorage) -> None:
    async with running(tmp_path, filled) as trainer:
        older = await cancelled(trainer)
        newer = await cancelled(trainer)
        size = sum(p.stat().st_size for p in (tmp_path / "jobs" / newer.job_id).rglob("*") if p.is_file())
    async with running(tmp_path, filled, max_resumable_bytes=size) as trainer:
        await eventually(lambda: left_of(trainer, older) == RECORD)
        assert "checkpoints" in left_of(trainer, newer)
