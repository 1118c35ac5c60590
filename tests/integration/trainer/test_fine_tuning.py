"""Real fine-tuning: a tiny model learns tones, in the real training process, through the real service."""

import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from services.trainer.app import build
from services.trainer.settings import TrainerSettings
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.trainer_speech import columns, write_clip, write_clips
from tests.fakes.trainer_storage import TrainerStorage, put_files, trainer_storage
from thanosql.v1 import errors_pb2, parser_pb2, trainer_pb2, trainer_pb2_grpc
from thanosql_ctc.calibration import read_calibration
from thanosql_ctc.checkpoint import load_checkpoint
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.testing import Build, peer_channel, serving

State = trainer_pb2.TrainingJob.State
Job = trainer_pb2.TrainingJob


class Trainer:
    """The service with a tiny base model."""

    def __init__(self, channel: grpc.aio.Channel, storage: TrainerStorage) -> None:
        self.stub = trainer_pb2_grpc.TrainerServiceStub(channel)
        self.storage = storage

    async def create(
        self, rows: Sequence[tuple[str, str]], *, epochs: int = 1, learning_rate: float = 1e-3
    ) -> str:
        paths, texts = columns(rows)
        request = trainer_pb2.CreateTrainingJobRequest(
            model="mine",
            base="Wav2Vec2En",
            snapshot_id=self.storage.add_rows("rows", texts, paths),
            options=parser_pb2.TrainingOptions(
                audio_col="audio_path",
                text_col="text",
                epochs=epochs,
                batch_size=4,
                learning_rate=learning_rate,
            ),
        )
        return str((await self.stub.CreateTrainingJob(request)).job.job_id)

    async def watch(self, job_id: str) -> AsyncIterator[Job]:
        async for response in self.stub.WatchTrainingJob(trainer_pb2.WatchTrainingJobRequest(job_id=job_id)):
            yield response.job

    async def end(self, job_id: str) -> list[Job]:
        return [job async for job in self.watch(job_id)]


@asynccontextmanager
async def running(home: Path, storage: TrainerStorage) -> AsyncIterator[Trainer]:
    settings = TrainerSettings(
        threads=1, objects=ObjectSettings(uri=str(home / "objects"), workspace=str(home / "files"))
    )
    builds: list[Build] = [lambda _context: storage, lambda context: build(settings, context)]
    async with serving(builds, home) as address, peer_channel(address) as channel:
        yield Trainer(channel, storage)


@pytest.fixture
async def trainer(tmp_path: Path) -> AsyncIterator[Trainer]:
    storage = trainer_storage()
    folder = write_tiny_checkpoint(tmp_path / "base")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    storage.add_model("Wav2Vec2En", put_files(tmp_path / "objects", "models/Wav2Vec2En/1/", files))
    async with running(tmp_path, storage) as trainer:
        yield trainer


async def test_a_model_learns_and_its_version_can_be_loaded(trainer: Trainer, tmp_path: Path) -> None:
    rows = [*write_clips(tmp_path / "files", 24), ("gone.wav", "ABC"), ("clips/0.wav", "42")]
    jobs = await trainer.end(await trainer.create(rows, epochs=6, learning_rate=3e-3))
    job = jobs[-1]

    assert job.state == State.STATE_SUCCEEDED, job.failure_message
    assert (job.rows_used, job.rows_held_out, job.rows_left_out) == (22, 2, 2)
    assert [row.reason for row in job.left_out] == ["AUDIO_NOT_FOUND", "TEXT_OUTSIDE_VOCABULARY"]
    assert (job.step, job.step_total, job.epoch) == (36, 36, 6)
    losses = [seen.loss for seen in jobs if seen.HasField("loss")]
    assert losses[-1] < losses[0] / 2
    assert {State.STATE_PREPARING, State.STATE_TRAINING, State.STATE_EVALUATING, State.STATE_SAVING} <= {
        seen.state for seen in jobs
    }
    assert job.result.metrics["wer_before"] == job.wer_before
    assert set(job.result.metrics) == {"loss", "wer", "cer", "wer_before"}

    model = tmp_path / "objects" / "models" / "mine" / job.job_id
    assert {file.name for file in job.result.artefacts} == {path.name for path in model.iterdir()}
    assert load_checkpoint(model).model.config.mask_time_length == 2
    log = json.loads((model / "metrics.json").read_text())
    assert len(log["epochs"]) == 6
    named = read_calibration(model)
    assert len(named) == 22
    first = (tmp_path / "files" / named[0].audio_path).read_bytes()
    assert hashlib.sha256(first).hexdigest() == named[0].sha256


async def test_few_rows_are_learned_from_without_a_word_error_rate(trainer: Trainer, tmp_path: Path) -> None:
    job = (await trainer.end(await trainer.create(write_clips(tmp_path / "files", 3))))[-1]

    assert job.state == State.STATE_SUCCEEDED, job.failure_message
    assert (job.rows_used, job.rows_held_out) == (3, 0)
    assert not job.HasField("wer")
    assert set(job.result.metrics) == {"loss"}


async def test_no_usable_row_ends_the_job_with_the_counts(trainer: Trainer, tmp_path: Path) -> None:
    write_clip(tmp_path / "files" / "short.wav", "A", letter_s=0.005)
    rows = [("gone.wav", "ABC"), ("short.wav", "ABC"), ("short.wav", "")]
    job = (await trainer.end(await trainer.create(rows)))[-1]

    assert job.failure_reason == errors_pb2.ERROR_REASON_NO_USABLE_ROWS
    assert "1 AUDIO_NOT_FOUND, 1 AUDIO_TOO_SHORT, 1 TEXT_EMPTY" in job.failure_message
    assert (job.rows_left_out, len(job.left_out)) == (3, 3)


async def test_a_learning_rate_out_of_reason_diverges(trainer: Trainer, tmp_path: Path) -> None:
    rows = write_clips(tmp_path / "files", 24)
    job = (await trainer.end(await trainer.create(rows, learning_rate=1e30)))[-1]

    assert job.state == State.STATE_FAILED
    assert job.failure_reason == errors_pb2.ERROR_REASON_TRAINING_DIVERGED


async def test_a_job_is_cancelled_while_it_learns(trainer: Trainer, tmp_path: Path) -> None:
    job_id = await trainer.create(write_clips(tmp_path / "files", 24), epochs=10_000)
    async for job in trainer.watch(job_id):
        if job.state == State.STATE_TRAINING and job.step > 0:
            await trainer.stub.CancelTrainingJob(trainer_pb2.CancelTrainingJobRequest(job_id=job_id))
    assert job.state == State.STATE_CANCELLED
    assert not (tmp_path / "objects" / "models" / "mine").exists()


async def test_a_killed_training_process_is_replaced_by_one_that_goes_on(
    trainer: Trainer, tmp_path: Path
) -> None:
    job_id = await trainer.create(write_clips(tmp_path / "files", 24), epochs=10_000)
    async for job in trainer.watch(job_id):
        if job.attempt == 1 and job.checkpoint_step > 0:
            for pid in _training_processes(job_id):
                os.kill(pid, signal.SIGKILL)
        if job.attempt == 2 and job.state == State.STATE_TRAINING and job.checkpoint_step > 0:
            await trainer.stub.CancelTrainingJob(trainer_pb2.CancelTrainingJobRequest(job_id=job_id))
    assert job.state == State.STATE_CANCELLED
    lost, resumed, offered = (notice.message for notice in job.notices)
    assert "SIGKILL" in lost
    assert resumed.startswith("training goes on from step")
    assert offered.startswith(f"RESUME JOB '{job_id}' lets it go on from its checkpoint")


def _training_processes(job_id: str) -> list[int]:
    lines = {path: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")}
    return [int(path.parent.name) for path, line in lines.items() if job_id.encode() in line]
