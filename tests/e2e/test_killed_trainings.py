"""kill -9 of all that a training stands on: its weights are those of a run that nobody disturbed."""

import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import grpc
import pyarrow as pa
import pytest
from safetensors.torch import load_file

from tests.deployment import Program
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.trainer_speech import columns, write_clips
from thanosql.v1 import parser_pb2, storage_pb2, storage_pb2_grpc, trainer_pb2, trainer_pb2_grpc
from thanosql_runtime.arrow import encode_batches, encode_schema
from thanosql_runtime.testing import PEER_TOKEN, peer_channel

State = trainer_pb2.TrainingJob.State
Job = trainer_pb2.TrainingJob
Write = storage_pb2.WriteTableRequest


class Machine:
    """Storage and trainer as programs of their own, each started again on its own port."""

    def __init__(self, home: Path, at_last: ExitStack, environment: Mapping[str, str]) -> None:
        self._home = home
        self._at_last = at_last
        self._environment = {**environment, "THANOSQL_SERVER__PEER_TOKEN": PEER_TOKEN}
        self._programs: dict[str, Program] = {}
        self._addresses: dict[str, str] = {}

    def start(self, name: str) -> str:
        peers = {f"THANOSQL_PEERS__{peer.upper()}": address for peer, address in self._addresses.items()}
        same = {"THANOSQL_SERVER__ADDRESS": self._addresses[name]} if name in self._addresses else {}
        program = Program(name, self._home, {**self._environment, **peers, **same})
        self._at_last.callback(program.process.kill)
        self._addresses[name] = program.wait_for("listening on")
        program.wait_for("ready")
        self._programs[name] = program
        return self._addresses[name]

    def kill(self, name: str) -> None:
        self._programs[name].process.kill()
        self._programs[name].process.wait(timeout=60)


def _kill_workers(job_id: str) -> None:
    lines = {path: path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()}
    for path in (path for path, line in lines.items() if job_id.encode() in line):
        os.kill(int(path.parent.name), signal.SIGKILL)


def _snapshot(name: str, table: pa.Table) -> Iterator[Write]:
    yield Write(start=storage_pb2.WriteStart(table=name, mode=storage_pb2.WRITE_MODE_SNAPSHOT))
    yield Write(schema=encode_schema(table.schema))
    for batch in table.to_batches():
        for message in encode_batches(batch):
            yield Write(record_batch=message)
    yield Write(commit=storage_pb2.WriteCommit())


async def _create(trainer: grpc.aio.Channel, storage: grpc.aio.Channel, model: str, table: pa.Table) -> str:
    await storage_pb2_grpc.StorageServiceStub(storage).WriteTable(_snapshot(model, table))
    request = trainer_pb2.CreateTrainingJobRequest(
        model=model,
        base="Wav2Vec2En",
        snapshot_id=model,
        options=parser_pb2.TrainingOptions(
            audio_col="audio_path", text_col="text", epochs=12, batch_size=4, learning_rate=1e-3
        ),
    )
    response = await trainer_pb2_grpc.TrainerServiceStub(trainer).CreateTrainingJob(request)
    return str(response.job.job_id)


async def _watch(trainer: grpc.aio.Channel, job_id: str) -> AsyncIterator[Job]:
    request = trainer_pb2.WatchTrainingJobRequest(job_id=job_id)
    stub = trainer_pb2_grpc.TrainerServiceStub(trainer)
    async for response in stub.WatchTrainingJob(request, wait_for_ready=True):
        yield response.job


async def _until_further(trainer: grpc.aio.Channel, job_id: str, attempt: int, step: int) -> int:
    """Wait for a checkpoint of that attempt after that step; answers its step."""
    async for job in _watch(trainer, job_id):
        assert job.state != State.STATE_FAILED, job.failure_message
        if job.attempt == attempt and job.checkpoint_step > step:
            return int(job.checkpoint_step)
    raise AssertionError(f"the job ended before it could be disturbed: {job}")


async def _end(trainer: grpc.aio.Channel, job_id: str) -> Job:
    async for job in _watch(trainer, job_id):
        last = job
    assert last.state == State.STATE_SUCCEEDED, last.failure_message
    return last


@pytest.mark.timeout(900)
async def test_a_training_survives_the_death_of_its_process_of_storage_and_of_the_trainer(
    tmp_path: Path,
) -> None:
    environment = {
        "THANOSQL_OBJECTS__URI": str(tmp_path / "objects"),
        "THANOSQL_OBJECTS__WORKSPACE": str(tmp_path / "files"),
        "THANOSQL_STORAGE__BUNDLED_CHECKPOINT": str(write_tiny_checkpoint(tmp_path / "base")),
        "THANOSQL_TRAINER__THREADS": "1",
        "THANOSQL_TRAINER__STORE_HALF": "false",
        "THANOSQL_TRAINER__CHECKPOINT_INTERVAL_S": "0.001",
    }
    paths, texts = columns(write_clips(tmp_path / "files", 24))
    table = pa.table({"audio_path": paths, "text": texts})
    with ExitStack() as at_last:
        machine = Machine(tmp_path / "home", at_last, environment)
        addresses = machine.start("storage"), machine.start("trainer")
        async with peer_channel(addresses[0]) as storage, peer_channel(addresses[1]) as trainer:
            calm = await _create(trainer, storage, "calm", table)
            await _end(trainer, calm)

            wild = await _create(trainer, storage, "wild", table)
            step = await _until_further(trainer, wild, 1, 0)
            _kill_workers(wild)
            step = await _until_further(trainer, wild, 2, step)
            machine.kill("storage")
            step = await _until_further(trainer, wild, 2, step)
            machine.kill("trainer")
            machine.start("storage")
            machine.start("trainer")
            job = await _end(trainer, wild)

    assert job.attempt == 3
    assert len(job.notices) == 4, job.notices
    folders = [tmp_path / "objects" / "models" / name for name in (f"calm/{calm}", f"wild/{wild}")]
    undisturbed, disturbed = (load_file(folder / "model.safetensors") for folder in folders)
    differences = [float((undisturbed[name] - disturbed[name]).abs().max()) for name in undisturbed]
    assert max(differences) <= 1e-6
