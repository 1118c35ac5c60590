"""TrainerService over real gRPC: a real server and journal, real child processes that follow a script."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from services.trainer.app import build
from services.trainer.settings import TrainerSettings
from tests.fakes import trainer_worker
from tests.fakes.trainer_storage import TrainerStorage, put_files, trainer_storage
from thanosql.v1 import errors_pb2, parser_pb2, trainer_pb2, trainer_pb2_grpc, types_pb2
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import Build, eventually, peer_channel, serving

if TYPE_CHECKING:
    from thanosql.v1.trainer_pb2_grpc import TrainerServiceAsyncStub as Stub

State = trainer_pb2.TrainingJob.State
Job = trainer_pb2.TrainingJob
COMMAND = (sys.executable, trainer_worker.__file__)
SUCCESS = "rows:7 steps:3 finish"


@dataclass(frozen=True, kw_only=True)
class Trainer:
    stub: "Stub"
    storage: TrainerStorage
    home: Path

    async def create(self, script: str = SUCCESS, **fields: object) -> Job:
        snapshot_id = self.storage.add_rows(f"snap-{len(self.storage.snapshots)}", [script, "HELLO"])
        request = make_request(snapshot_id=snapshot_id, **fields)
        return (await self.stub.CreateTrainingJob(request)).job

    async def watch(self, job_id: str, after: int = 0) -> list[Job]:
        request = trainer_pb2.WatchTrainingJobRequest(job_id=job_id, after_sequence=after)
        return [response.job async for response in self.stub.WatchTrainingJob(request)]

    async def end(self, job_id: str) -> Job:
        await self.watch(job_id)
        return await self.get(job_id)

    async def get(self, job_id: str) -> Job:
        return (await self.stub.GetTrainingJob(trainer_pb2.GetTrainingJobRequest(job_id=job_id))).job

    async def cancel(self, job_id: str) -> Job:
        return (await self.stub.CancelTrainingJob(trainer_pb2.CancelTrainingJobRequest(job_id=job_id))).job

    async def in_training(self, job_id: str) -> int:
        """Wait until the script hangs; answers the process."""
        request = trainer_pb2.WatchTrainingJobRequest(job_id=job_id)
        async for response in self.stub.WatchTrainingJob(request):
            if response.job.state == State.STATE_TRAINING:
                break
        return int((self.home / "jobs" / job_id / "pid").read_text())

    def model_files(self) -> list[Path]:
        return [path for path in (self.home / "objects").rglob("models/mine/*/*") if path.is_file()]


def make_request(**fields: object) -> trainer_pb2.CreateTrainingJobRequest:
    options = parser_pb2.TrainingOptions(
        audio_col="audio_path", text_col="text", epochs=1, batch_size=4, learning_rate=1e-4
    )
    for name in ("overwrite", "epochs", "audio_col", "seed"):
        if name in fields:
            setattr(options, name, fields.pop(name))
    values = {"model": "mine", "base": "Wav2Vec2En", "statement": "BUILD MODEL mine ...", **fields}
    return trainer_pb2.CreateTrainingJobRequest(options=options, **values)  # type: ignore[arg-type]


@asynccontextmanager
async def running(home: Path, storage: TrainerStorage, **settings: float) -> AsyncIterator[Trainer]:
    trainer_settings = TrainerSettings(
        objects=ObjectSettings(uri=str(home / "objects")),
        cancel_grace_s=0.5,
        **settings,  # type: ignore[arg-type]
    )
    builds: list[Build] = [
        lambda _context: storage,
        lambda context: build(trainer_settings, context, COMMAND),
    ]
    async with serving(builds, home) as address, peer_channel(address) as channel:
        stub: Stub = trainer_pb2_grpc.TrainerServiceStub(channel)
        yield Trainer(stub=stub, storage=storage, home=home)


@pytest.fixture
def storage(tmp_path: Path) -> TrainerStorage:
    storage = trainer_storage()
    files = {"config.json": b"{}", "model.safetensors": b"weights"}
    storage.add_model("Wav2Vec2En", put_files(tmp_path / "objects", "models/Wav2Vec2En/1/", files))
    return storage


async def test_the_base_of_a_job_is_held_from_its_creation_to_its_end(trainer: Trainer) -> None:
    trained = await trainer.create("hang")
    waiting = await trainer.create(model="another")
    assert trainer.storage.held == {job.job_id: ("Wav2Vec2En", 1) for job in (trained, waiting)}
    await trainer.cancel(trained.job_id)
    await trainer.end(waiting.job_id)
    await eventually(lambda: trainer.storage.held == {})


@pytest.fixture
async def trainer(tmp_path: Path, storage: TrainerStorage) -> AsyncIterator[Trainer]:
    async with running(tmp_path, storage) as trainer:
        yield trainer


@asynccontextmanager
async def refused() -> AsyncIterator[list[Reason | str]]:
    """Catch a refused call; the list receives its reason and message."""
    seen: list[Reason | str] = []
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        yield seen
    failure = from_rpc_error(raised.value, "trainer")
    seen += [failure.reason, failure.message]


class TestAJobThatGoesWell:
    async def test_ends_with_a_registered_model_whose_files_are_stored(self, trainer: Trainer) -> None:
        job = await trainer.end((await trainer.create()).job_id)

        assert job.state == State.STATE_SUCCEEDED
        assert (job.result.name, job.result.version, job.result.base) == ("mine", 1, "Wav2Vec2En.1")
        assert sorted(file.name for file in job.result.artefacts) == ["config.json", "model.safetensors"]
        stored = {str(path.relative_to(trainer.home / "objects")) for path in trainer.model_files()}
        assert {file.key for file in job.result.artefacts} == stored

    async def test_tells_rows_steps_and_loss_on_the_way(self, trainer: Trainer) -> None:
        job = await trainer.end((await trainer.create()).job_id)

        assert (job.rows_used, job.rows_held_out, job.rows_left_out) == (7, 1, 1)
        assert job.left_out[0].reason == "AUDIO_NOT_FOUND"
        assert (job.step, job.step_total, job.epoch) == (3, 9, 1)
        assert job.loss == pytest.approx(1 / 3)
        assert not job.HasField("wer")

    async def test_records_the_facts_of_its_making(self, trainer: Trainer) -> None:
        built_from = [types_pb2.TableVersion(table="recordings", version=3)]
        job = await trainer.end((await trainer.create(built_from=built_from)).job_id)

        assert list(job.result.built_from) == built_from
        facts = job.result.properties
        assert facts["rows_used"] == "7"
        assert facts["statement"] == "BUILD MODEL mine ..."
        assert facts["seed"] == "42"
        assert '"batch_size": 4' in facts["options"]
        assert job.result.metrics["wer"] == 0.25

    async def test_takes_the_seed_of_the_statement_and_records_it(self, trainer: Trainer) -> None:
        job = await trainer.end((await trainer.create(seed=0)).job_id)

        assert job.result.properties["seed"] == "0"
        order = json.loads((trainer.home / "jobs" / job.job_id / "spec.json").read_text())
        assert order["settings"]["seed"] == 0

    async def test_leaves_nothing_but_its_record_behind(self, trainer: Trainer) -> None:
        job = await trainer.create()
        await trainer.end(job.job_id)
        await eventually(lambda: len(trainer.storage.deleted_snapshots) == 1)

        kept = {path.name for path in (trainer.home / "jobs" / job.job_id).iterdir()}
        assert kept == {"job.json", "spec.json", "worker.log"}

    async def test_is_not_disturbed_by_what_libraries_print(self, trainer: Trainer) -> None:
        job = await trainer.end((await trainer.create("garbage rows:7 garbage finish")).job_id)

        assert job.state == State.STATE_SUCCEEDED


class TestAskingForAJob:
    async def test_the_same_request_id_starts_one_job(self, trainer: Trainer) -> None:
        jobs = await asyncio.gather(*(trainer.create("hang", request_id="once") for _ in range(5)))

        assert len({job.job_id for job in jobs}) == 1
        assert len((await trainer.stub.ListTrainingJobs(trainer_pb2.ListTrainingJobsRequest())).jobs) == 1

    async def test_a_base_that_does_not_exist_is_refused_with_the_nearest(self, trainer: Trainer) -> None:
        async with refused() as why:
            await trainer.create(base="Wav2Vec2Eng")
        assert why[0] is Reason.BASE_MODEL_NOT_FOUND
        assert "did you mean 'Wav2Vec2En'" in str(why[1])

    async def test_a_version_that_does_not_exist_is_refused(self, trainer: Trainer) -> None:
        async with refused() as why:
            await trainer.create(base="Wav2Vec2En.7")
        assert why[0] is Reason.MODEL_NOT_FOUND

    async def test_a_name_that_is_taken_is_refused_before_anything_runs(self, trainer: Trainer) -> None:
        trainer.storage.add_model("mine", kind="MODEL_KIND_TRAINED")
        async with refused() as why:
            await trainer.create()
        assert why[0] is Reason.MODEL_ALREADY_EXISTS
        assert not list((trainer.home / "jobs").glob("*"))

    async def test_a_name_that_is_taken_becomes_the_next_version_with_overwrite(
        self, trainer: Trainer
    ) -> None:
        trainer.storage.add_model("mine", kind="MODEL_KIND_TRAINED")
        job = await trainer.end((await trainer.create(overwrite=True)).job_id)
        assert job.result.version == 2

    async def test_a_base_model_is_never_replaced(self, trainer: Trainer) -> None:
        async with refused() as why:
            await trainer.create(model="Wav2Vec2En", overwrite=True)
        assert why[0] is Reason.MODEL_ALREADY_EXISTS

    async def test_a_name_that_another_job_is_making_is_refused(self, trainer: Trainer) -> None:
        await trainer.create("hang")
        async with refused() as why:
            await trainer.create()
        assert why[0] is Reason.CONFLICT

    @pytest.mark.parametrize("name", ["", "a/b", "../x", "a.1", " a", "a\nb", "x" * 200])
    async def test_a_name_that_no_model_may_have_is_refused(self, trainer: Trainer, name: str) -> None:
        async with refused() as why:
            await trainer.create(model=name)
        assert why[0] is Reason.INVALID_NAME

    @pytest.mark.parametrize("option", [{"epochs": 0}, {"seed": -1}, {"seed": 2**32}])
    async def test_options_out_of_range_are_refused(self, trainer: Trainer, option: dict[str, int]) -> None:
        async with refused() as why:
            await trainer.create(**option)
        assert why[0] is Reason.INVALID_ARGUMENT

    async def test_one_more_than_may_wait_is_refused(self, tmp_path: Path, storage: TrainerStorage) -> None:
        async with running(tmp_path, storage, max_queued_jobs=1) as trainer:
            await trainer.create("hang", model="one")
            await trainer.create("hang", model="two")
            async with refused() as why:
                await trainer.create("hang", model="three")
        assert why[0] is Reason.OVERLOADED


class TestWatching:
    async def test_sequences_rise_and_the_end_is_never_missed(self, trainer: Trainer) -> None:
        jobs = await trainer.watch((await trainer.create("rows:7 steps:50 finish")).job_id)

        sequences = [job.sequence for job in jobs]
        assert sequences == sorted(set(sequences))
        assert jobs[-1].state == State.STATE_SUCCEEDED

    async def test_several_watchers_all_see_the_end(self, trainer: Trainer) -> None:
        job = await trainer.create()
        seen = await asyncio.gather(*(trainer.watch(job.job_id) for _ in range(5)))

        assert {jobs[-1].state for jobs in seen} == {State.STATE_SUCCEEDED}

    async def test_goes_on_from_a_sequence(self, trainer: Trainer) -> None:
        job = await trainer.end((await trainer.create()).job_id)

        assert [seen.sequence for seen in await trainer.watch(job.job_id, job.sequence - 1)] == [job.sequence]
        assert await trainer.watch(job.job_id, job.sequence) == []

    async def test_a_watcher_that_leaves_leaves_the_job_alone(self, trainer: Trainer) -> None:
        job = await trainer.create("hang")
        await trainer.in_training(job.job_id)
        call = trainer.stub.WatchTrainingJob(trainer_pb2.WatchTrainingJobRequest(job_id=job.job_id))
        await call.read()
        call.cancel()

        await trainer.cancel(job.job_id)
        assert (await trainer.end(job.job_id)).state == State.STATE_CANCELLED

    async def test_a_job_that_does_not_exist_is_an_error(self, trainer: Trainer) -> None:
        async with refused() as why:
            await trainer.watch("nobody")
        assert why[0] is Reason.JOB_NOT_FOUND


class TestListing:
    async def test_pages_from_the_newest(self, trainer: Trainer) -> None:
        made = [(await trainer.create("hang", model=f"m{number}")).job_id for number in range(5)]
        listed: list[str] = []
        token = ""
        while True:
            request = trainer_pb2.ListTrainingJobsRequest(page_size=2, page_token=token)
            page = await trainer.stub.ListTrainingJobs(request)
            listed += [job.job_id for job in page.jobs]
            token = page.next_page_token
            if not token:
                break
        assert listed == made[::-1]

    async def test_a_token_of_no_list_is_refused(self, trainer: Trainer) -> None:
        async with refused() as why:
            await trainer.stub.ListTrainingJobs(trainer_pb2.ListTrainingJobsRequest(page_token="x"))
        assert why[0] is Reason.INVALID_ARGUMENT


class TestCancelling:
    async def test_ends_the_process(self, trainer: Trainer) -> None:
        job = await trainer.create("hang")
        pid = await trainer.in_training(job.job_id)
        await trainer.cancel(job.job_id)

        assert (await trainer.end(job.job_id)).state == State.STATE_CANCELLED
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        await eventually(lambda: len(trainer.storage.deleted_snapshots) == 1)

    async def test_kills_a_process_that_does_not_listen(self, trainer: Trainer) -> None:
        job = await trainer.create("deaf")
        pid = await trainer.in_training(job.job_id)
        await trainer.cancel(job.job_id)
        await trainer.cancel(job.job_id)

        assert (await trainer.end(job.job_id)).state == State.STATE_CANCELLED
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    async def test_a_job_that_waits_is_cancelled_at_once_and_the_next_runs(self, trainer: Trainer) -> None:
        first = await trainer.create("hang", model="one")
        waiting = await trainer.create(model="two")
        last = await trainer.create(model="three")

        assert (await trainer.cancel(waiting.job_id)).state == State.STATE_CANCELLED
        assert (await trainer.get(last.job_id)).state == State.STATE_QUEUED
        await trainer.cancel(first.job_id)
        assert (await trainer.end(last.job_id)).state == State.STATE_SUCCEEDED

    async def test_the_rows_of_a_job_that_never_began_are_forgotten(self, trainer: Trainer) -> None:
        await trainer.create("hang", model="one")
        waiting = await trainer.create(model="two")
        await trainer.cancel(waiting.job_id)

        await eventually(lambda: trainer.storage.deleted_snapshots == ["snap-1"])

    @pytest.mark.parametrize("change", range(1, 9))
    async def test_at_any_moment_leaves_either_a_whole_model_or_none(
        self, trainer: Trainer, change: int
    ) -> None:
        job = await trainer.create("rows:7 step:1 step:2 step:3 finish")
        request = trainer_pb2.WatchTrainingJobRequest(job_id=job.job_id)
        states = []
        async for response in trainer.stub.WatchTrainingJob(request):
            states.append(response.job.state)
            if len(states) == change:
                await trainer.cancel(job.job_id)
        assert states[-1] in (State.STATE_CANCELLED, State.STATE_SUCCEEDED)
        succeeded = states[-1] == State.STATE_SUCCEEDED
        assert bool(trainer.model_files()) == ("mine" in trainer.storage.models) == succeeded

    async def test_a_job_that_has_ended_stays_as_it_is(self, trainer: Trainer) -> None:
        job = await trainer.end((await trainer.create()).job_id)
        assert (await trainer.cancel(job.job_id)).state == State.STATE_SUCCEEDED


class TestAJobThatGoesWrong:
    async def test_a_process_that_is_killed_time_and_again_is_a_lost_worker(self, trainer: Trainer) -> None:
        job = await trainer.create("die")

        ended = await trainer.end(job.job_id)
        assert ended.state == State.STATE_FAILED
        assert ended.failure_reason == errors_pb2.ERROR_REASON_WORKER_LOST
        assert "SIGKILL" in ended.failure_message
        await eventually(lambda: len(trainer.storage.deleted_snapshots) == 1)

    async def test_a_silent_process_is_a_lost_worker(self, tmp_path: Path, storage: TrainerStorage) -> None:
        async with running(tmp_path, storage, silence_limit_s=1.0, max_resumes=0) as trainer:
            ended = await trainer.end((await trainer.create("rows:7 silent")).job_id)
        assert ended.failure_reason == errors_pb2.ERROR_REASON_WORKER_LOST

    async def test_a_crash_shows_the_end_of_its_log(self, trainer: Trainer) -> None:
        ended = await trainer.end((await trainer.create("crash:3")).job_id)

        assert ended.failure_reason == errors_pb2.ERROR_REASON_TRAINING_FAILED
        assert "the tensor was on fire" in ended.failure_message

    async def test_an_end_without_a_result_is_a_failure(self, trainer: Trainer) -> None:
        ended = await trainer.end((await trainer.create("rows:7")).job_id)
        assert ended.failure_reason == errors_pb2.ERROR_REASON_TRAINING_FAILED

    async def test_keeps_the_reason_that_the_process_gives(self, trainer: Trainer) -> None:
        ended = await trainer.end((await trainer.create("fail:TRAINING_DIVERGED")).job_id)
        assert ended.failure_reason == errors_pb2.ERROR_REASON_TRAINING_DIVERGED

    async def test_the_next_job_runs_all_the_same(self, trainer: Trainer) -> None:
        await trainer.end((await trainer.create("crash:3")).job_id)
        assert (await trainer.end((await trainer.create()).job_id)).state == State.STATE_SUCCEEDED

    async def test_files_of_a_model_that_is_not_registered_are_removed(self, trainer: Trainer) -> None:
        trainer.storage.refuse_registration = error(Reason.MODEL_ALREADY_EXISTS, "somebody was faster")
        ended = await trainer.end((await trainer.create()).job_id)

        assert ended.failure_reason == errors_pb2.ERROR_REASON_MODEL_ALREADY_EXISTS
        assert trainer.model_files() == []

    @pytest.mark.parametrize(
        "reason", [Reason.DEADLINE_EXCEEDED, Reason.PEER_UNAVAILABLE, Reason.CANCELLED, Reason.INTERNAL]
    )
    async def test_a_registration_whose_answer_is_lost_keeps_its_files(
        self, trainer: Trainer, reason: Reason
    ) -> None:
        trainer.storage.lose_answers = [error(reason, "the answer was lost")]
        ended = await trainer.end((await trainer.create()).job_id)

        assert (ended.state, ended.result.version) == (State.STATE_SUCCEEDED, 1)
        assert len(trainer.model_files()) == 2
        assert len(trainer.storage.models["mine"]) == 1

    async def test_damaged_files_of_the_base_are_found(self, trainer: Trainer) -> None:
        base = trainer.home / "objects" / "models" / "Wav2Vec2En" / "1" / "model.safetensors"
        base.write_bytes(b"Weights")
        ended = await trainer.end((await trainer.create()).job_id)
        assert ended.failure_reason == errors_pb2.ERROR_REASON_CHECKSUM_MISMATCH

    async def test_a_column_that_the_query_lacks_is_named_with_the_nearest(self, trainer: Trainer) -> None:
        ended = await trainer.end((await trainer.create(audio_col="audio_pth")).job_id)

        assert ended.failure_reason == errors_pb2.ERROR_REASON_COLUMN_NOT_FOUND
        assert "did you mean 'audio_path'" in ended.failure_message

    async def test_a_column_without_text_is_refused(self, trainer: Trainer) -> None:
        ended = await trainer.end((await trainer.create(audio_col="id")).job_id)
        assert ended.failure_reason == errors_pb2.ERROR_REASON_INVALID_DATA

    async def test_rows_that_storage_does_not_have_fail_the_job(self, trainer: Trainer) -> None:
        job = (await trainer.stub.CreateTrainingJob(make_request(snapshot_id="gone"))).job
        assert (await trainer.end(job.job_id)).failure_reason == errors_pb2.ERROR_REASON_TABLE_NOT_FOUND


class TestAJobWhoseProcessIsLost:
    async def test_goes_on_in_a_new_process_and_says_so(self, trainer: Trainer) -> None:
        job = await trainer.create("kept:5 first:die rows:7 finish")
        ended = await trainer.end(job.job_id)

        assert (ended.state, ended.attempt, ended.checkpoint_step) == (State.STATE_SUCCEEDED, 2, 5)
        (notice,) = ended.notices
        assert "SIGKILL" in notice.message
        assert notice.message.endswith("the job goes on from its checkpoint at step 5")

    async def test_goes_on_from_the_beginning_without_a_checkpoint(self, trainer: Trainer) -> None:
        ended = await trainer.end((await trainer.create("first:die finish")).job_id)

        assert ended.state == State.STATE_SUCCEEDED
        assert ended.notices[0].message.endswith("the job goes on from the beginning")

    async def test_keeps_what_the_process_said(self, trainer: Trainer) -> None:
        ended = await trainer.end((await trainer.create("notice:careful finish")).job_id)
        assert [notice.message for notice in ended.notices] == ["careful"]

    async def test_does_not_need_storage_to_go_on(self, trainer: Trainer) -> None:
        job = await trainer.create("first:hang rows:7 finish")
        pid = await trainer.in_training(job.job_id)
        trainer.storage.snapshots.clear()
        os.kill(pid, signal.SIGKILL)

        assert (await trainer.end(job.job_id)).state == State.STATE_SUCCEEDED


class TestStorageThatIsAway:
    async def test_is_waited_for_before_the_training(self, trainer: Trainer) -> None:
        trainer.storage.lose_snapshots = [error(Reason.PEER_UNAVAILABLE, "storage is away")]
        ended = await trainer.end((await trainer.create()).job_id)

        assert ended.state == State.STATE_SUCCEEDED
        assert "storage is away" in ended.notices[0].message

    async def test_fails_the_job_when_the_limit_is_over(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        storage.lose_snapshots = [error(Reason.PEER_UNAVAILABLE, "storage is away")]
        async with running(tmp_path, storage, outage_limit_s=0) as trainer:
            ended = await trainer.end((await trainer.create()).job_id)
        assert ended.failure_reason == errors_pb2.ERROR_REASON_PEER_UNAVAILABLE


class TestStoppingAndStarting:
    async def test_a_stop_ends_what_runs_and_all_of_it_goes_on_at_the_next_start(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        async with running(tmp_path, storage) as trainer:
            running_job = await trainer.create("first:hang finish", model="one")
            waiting_job = await trainer.create(model="two")
            pid = await trainer.in_training(running_job.job_id)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        async with running(tmp_path, storage) as trainer:
            resumed = await trainer.end(running_job.job_id)
            assert resumed.state == State.STATE_SUCCEEDED
            assert "the trainer was stopped" in resumed.notices[0].message
            assert (await trainer.end(waiting_job.job_id)).state == State.STATE_SUCCEEDED

    async def test_a_job_that_ran_when_everything_died_goes_on(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        async with running(tmp_path, storage) as trainer:
            job_id = (await trainer.create("kept:5 first:hang finish")).job_id
            await trainer.in_training(job_id)
            died = _as_it_is(tmp_path)
        async with running(died, storage) as trainer:
            ended = await trainer.end(job_id)
        assert (ended.state, ended.attempt) == (State.STATE_SUCCEEDED, 2)
        assert "the trainer ended while it ran this job" in ended.notices[0].message

    async def test_a_job_with_which_everything_dies_time_and_again_is_given_up(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        async with running(tmp_path, storage) as trainer:
            job_id = (await trainer.create("hang")).job_id
            await trainer.in_training(job_id)
            died = _as_it_is(tmp_path)
        async with running(died, storage, max_resumes=0) as trainer:
            ended = await trainer.end(job_id)
        assert ended.failure_reason == errors_pb2.ERROR_REASON_WORKER_LOST

    async def test_a_job_that_was_being_registered_when_everything_died_is_registered_once(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        storage.may_register.clear()
        async with running(tmp_path, storage) as trainer:
            job_id = (await trainer.create()).job_id
            await eventually(lambda: storage.registrations == 1)
            died = _as_it_is(tmp_path)
            storage.may_register.set()
            await trainer.end(job_id)
        async with running(died, storage) as trainer:
            ended = await trainer.end(job_id)
            assert len(trainer.model_files()) == 2
        assert (ended.state, ended.result.version) == (State.STATE_SUCCEEDED, 1)
        assert len(storage.models["mine"]) == 1

    async def test_a_job_that_was_storing_its_files_when_everything_died_stores_them_all(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        storage.may_register.clear()
        async with running(tmp_path, storage) as trainer:
            job_id = (await trainer.create()).job_id
            await eventually(lambda: storage.registrations == 1)
            died = _as_it_is(tmp_path)
            await trainer.cancel(job_id)
            storage.refuse_registration = error(Reason.MODEL_ALREADY_EXISTS, "not this time")
            storage.may_register.set()
            await trainer.end(job_id)
        storage.refuse_registration = None
        one, *_others = (died / "objects").rglob("models/mine/*/*")
        one.unlink()
        async with running(died, storage) as trainer:
            ended = await trainer.end(job_id)
            assert {file.name for file in ended.result.artefacts} == {"config.json", "model.safetensors"}
            assert len(trainer.model_files()) == 2
        assert ended.state == State.STATE_SUCCEEDED

    async def test_rows_that_could_not_be_forgotten_are_at_the_next_start(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        storage.refuse_deletion = error(Reason.STORE_UNAVAILABLE, "away")
        async with running(tmp_path, storage) as trainer:
            assert (await trainer.end((await trainer.create()).job_id)).state == State.STATE_SUCCEEDED
        storage.refuse_deletion = None
        async with running(tmp_path, storage):
            await eventually(lambda: storage.deleted_snapshots == ["snap-0"])
        assert not list((tmp_path / "jobs").rglob("rows_left"))

    async def test_old_rows_that_no_job_needs_are_forgotten_at_a_start(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        async with running(tmp_path, storage) as trainer:
            job_id = (await trainer.create()).job_id
        storage.deleted_snapshots.clear()
        storage.written_s = {"snap-0": 1, "build-stray": 1, "build-fresh": int(time.time())}
        async with running(tmp_path, storage) as trainer:
            assert (await trainer.end(job_id)).state == State.STATE_SUCCEEDED
            await eventually(lambda: len(storage.deleted_snapshots) == 2)
        assert sorted(storage.deleted_snapshots) == ["build-stray", "snap-0"]

    async def test_the_same_request_id_finds_the_job_after_a_start(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        async with running(tmp_path, storage) as trainer:
            job = await trainer.create(request_id="once")
            await trainer.end(job.job_id)
        async with running(tmp_path, storage) as trainer:
            assert (await trainer.create(request_id="once")).job_id == job.job_id


class TestForgettingJobs:
    async def test_ended_jobs_beyond_the_newest_go_with_their_folders(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        async with running(tmp_path, storage, max_kept_jobs=1) as trainer:
            ended = [(await trainer.end((await trainer.create("crash:1")).job_id)).job_id for _ in range(2)]
            waiting = await trainer.create("hang")
            await eventually(lambda: not (tmp_path / "jobs" / ended[0]).exists())
            assert (await trainer.get(ended[1])).job_id == ended[1]
            assert (await trainer.get(waiting.job_id)).job_id == waiting.job_id
            async with refused() as why:
                await trainer.get(ended[0])
        assert why[0] is Reason.JOB_NOT_FOUND

    async def test_a_job_that_was_half_forgotten_goes_at_the_next_start(
        self, tmp_path: Path, storage: TrainerStorage
    ) -> None:
        half = tmp_path / "jobs" / "0123"
        half.mkdir(parents=True)
        (half / "worker.log").touch()
        async with running(tmp_path, storage):
            assert not half.exists()


def _as_it_is(home: Path) -> Path:
    """A copy of the home: what a server leaves that is killed now."""
    died = home.with_name(f"{home.name}-died")
    shutil.copytree(home, died)
    return died
