"""Training where everything is in a bucket: base, recordings and the model that comes of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.trainer.app import build
from services.trainer.settings import TrainerSettings
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.trainer_speech import columns, write_clips
from tests.fakes.trainer_storage import put_files, trainer_storage
from tests.s3_servers import s3_server
from thanosql.v1 import parser_pb2, trainer_pb2, trainer_pb2_grpc
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.testing import Build, peer_channel, serving


@pytest.fixture
def objects() -> Iterator[ObjectSettings]:
    with s3_server() as endpoint:
        yield ObjectSettings(
            uri="s3://thanosql",
            endpoint=endpoint,
            access_key="user",
            secret_key=SecretStr("password"),
            secure=False,
        )


async def test_a_model_is_trained_from_a_bucket_into_it(tmp_path: Path, objects: ObjectSettings) -> None:
    store = open_objects(objects).store
    store.check()
    rows = write_clips(tmp_path, 12)
    for path, _text in rows:
        store.upload_from(f"workspace/{path}", tmp_path / path)
    base = write_tiny_checkpoint(tmp_path / "base")
    storage = trainer_storage()
    files = {path.name: path.read_bytes() for path in base.iterdir()}
    storage.add_model("Wav2Vec2En", put_files(store, "models/Wav2Vec2En/1/", files))
    paths, texts = columns(rows)
    request = trainer_pb2.CreateTrainingJobRequest(
        model="mine",
        base="Wav2Vec2En",
        snapshot_id=storage.add_rows("rows", texts, paths),
        options=parser_pb2.TrainingOptions(
            audio_col="audio_path", text_col="text", epochs=1, batch_size=4, learning_rate=1e-3
        ),
    )
    settings = TrainerSettings(threads=1, objects=objects)
    builds: list[Build] = [lambda _context: storage, lambda context: build(settings, context)]
    async with serving(builds, tmp_path / "home") as address, peer_channel(address) as channel:
        stub = trainer_pb2_grpc.TrainerServiceStub(channel)
        job = (await stub.CreateTrainingJob(request)).job
        async for response in stub.WatchTrainingJob(trainer_pb2.WatchTrainingJobRequest(job_id=job.job_id)):
            job = response.job

    assert job.state == trainer_pb2.TrainingJob.STATE_SUCCEEDED, job.failure_message
    assert (job.rows_used, job.rows_left_out) == (11, 0)
    assert {info.key for info in store.list("models/mine/").objects} == {
        file.key for file in job.result.artefacts
    }
