"""The trainer beside the real storage service: rows, base and catalog are what storage makes of them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pyarrow as pa
import pytest

from services.storage.app import build as build_storage
from services.storage.settings import StorageSettings
from services.trainer.app import build as build_trainer
from services.trainer.settings import TrainerSettings
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.trainer_speech import columns, write_clips
from thanosql.v1 import parser_pb2, storage_pb2, storage_pb2_grpc, trainer_pb2, trainer_pb2_grpc
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.arrow import encode_batches, encode_schema
from thanosql_runtime.errors import Reason
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import Build, eventually, peer_channel, serving

if TYPE_CHECKING:
    from thanosql.v1.storage_pb2_grpc import StorageServiceAsyncStub
    from thanosql.v1.trainer_pb2_grpc import TrainerServiceAsyncStub

State = trainer_pb2.TrainingJob.State
Write = storage_pb2.WriteTableRequest


@dataclass(frozen=True, kw_only=True)
class System:
    storage: "StorageServiceAsyncStub"
    trainer: "TrainerServiceAsyncStub"

    async def build_model(self, table: pa.Table, **fields: object) -> trainer_pb2.TrainingJob:
        """What BUILD MODEL does, to its end."""
        await self.storage.WriteTable(_snapshot("rows", table))
        request = trainer_pb2.CreateTrainingJobRequest(
            snapshot_id="rows",
            options=parser_pb2.TrainingOptions(
                audio_col="audio_path", text_col="text", epochs=1, batch_size=4, learning_rate=1e-3
            ),
            **{"model": "mine", "base": "Wav2Vec2En", **fields},  # type: ignore[arg-type]
        )
        job = (await self.trainer.CreateTrainingJob(request)).job
        watch = trainer_pb2.WatchTrainingJobRequest(job_id=job.job_id)
        async for response in self.trainer.WatchTrainingJob(watch):
            job = response.job
        return job


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    objects = ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path / "files"))
    storage = StorageSettings(bundled_checkpoint=write_tiny_checkpoint(tmp_path / "base"))
    trainer = TrainerSettings(threads=1, objects=objects)
    builds: list[Build] = [
        lambda context: build_storage(storage, context, open_objects(objects)),
        lambda context: build_trainer(trainer, context),
    ]
    async with serving(builds, tmp_path) as address, peer_channel(address) as channel:
        yield System(
            storage=storage_pb2_grpc.StorageServiceStub(channel),
            trainer=trainer_pb2_grpc.TrainerServiceStub(channel),
        )


def _snapshot(snapshot_id: str, table: pa.Table) -> Iterator[Write]:
    yield Write(start=storage_pb2.WriteStart(table=snapshot_id, mode=storage_pb2.WRITE_MODE_SNAPSHOT))
    yield Write(schema=encode_schema(table.schema))
    for batch in table.to_batches():
        for message in encode_batches(batch):
            yield Write(record_batch=message)
    yield Write(commit=storage_pb2.WriteCommit())


def _table(folder: Path, count: int) -> pa.Table:
    paths, texts = columns(write_clips(folder, count))
    return pa.table({"audio_path": paths, "text": texts, "speaker": range(count)})


async def test_a_model_is_built_and_then_built_upon(system: System, tmp_path: Path) -> None:
    first = await system.build_model(_table(tmp_path / "files", 12))
    assert first.state == State.STATE_SUCCEEDED, first.failure_message
    assert (first.result.version, first.result.active) == (1, True)

    second = await system.build_model(_table(tmp_path / "files", 12), base="mine", model="other")
    assert second.state == State.STATE_SUCCEEDED, second.failure_message
    assert second.result.base == "mine.1"
    known = await system.storage.GetModel(storage_pb2.GetModelRequest(name="other"))
    assert known.model == second.result


async def test_the_rows_are_forgotten_in_the_end(system: System, tmp_path: Path) -> None:
    await system.build_model(_table(tmp_path / "files", 4).slice(0, 0))
    await eventually(lambda: not list((tmp_path / "snapshots").rglob("rows*")))


async def test_an_empty_table_is_no_usable_rows(system: System, tmp_path: Path) -> None:
    job = await system.build_model(_table(tmp_path / "files", 4).slice(0, 0))
    assert "no rows" in job.failure_message


async def test_names_are_checked_against_the_real_catalog(system: System, tmp_path: Path) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await system.build_model(_table(tmp_path / "files", 4), base="Wav2Vec2Em")
    failure = from_rpc_error(raised.value, "trainer")
    assert failure.reason is Reason.BASE_MODEL_NOT_FOUND
    assert "Wav2Vec2En" in failure.message
