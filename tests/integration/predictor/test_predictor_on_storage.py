"""The predictor on the real storage service: seeded models, real files, real recordings."""

import csv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from services.predictor.app import build as build_predictor
from services.predictor.settings import PredictorSettings
from services.storage.app import build as build_storage
from services.storage.settings import StorageSettings
from tests.deployment import SHARED_DATA
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.predictor_storage import babble, put_model, wav, write_workspace
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc, storage_pb2, storage_pb2_grpc
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason
from thanosql_runtime.status import from_rpc_error, from_status
from thanosql_runtime.testing import peer_channel, serving

MODEL = "tutorial_audio_recognition"


@dataclass(frozen=True, kw_only=True)
class Predictor:
    stub: "predictor_pb2_grpc.PredictorServiceAsyncStub"
    address: str
    objects: Objects


@asynccontextmanager
async def running(home: Path, workspace: Path) -> AsyncIterator[Predictor]:
    objects = open_objects(ObjectSettings(uri=str(home / "objects"), workspace=str(workspace)))
    storage = StorageSettings(bundled_checkpoint=write_tiny_checkpoint(home / "bundled"))
    predictor = PredictorSettings(device="cpu")
    services = [
        lambda context: build_storage(storage, context, objects),
        lambda context: build_predictor(predictor, context, objects),
    ]
    async with serving(services, home) as address, peer_channel(address) as channel:
        stub = predictor_pb2_grpc.PredictorServiceStub(channel)
        yield Predictor(stub=stub, address=address, objects=objects)


async def transcribe(
    stub: "predictor_pb2_grpc.PredictorServiceAsyncStub", model: str, paths: list[str]
) -> list[predictor_pb2.TranscribeResponse]:
    async def requests() -> AsyncIterator[predictor_pb2.TranscribeRequest]:
        yield predictor_pb2.TranscribeRequest(config=predictor_pb2.TranscribeConfig(model=model))
        for key, path in enumerate(paths):
            row = predictor_pb2.TranscribeRow(row_key=key, audio_path=path)
            yield predictor_pb2.TranscribeRequest(row=row)

    return [response async for response in stub.Transcribe(requests())]


@pytest.mark.parametrize("model", ["tutorial_audio_recognition", "Wav2Vec2En"])
async def test_the_models_of_a_new_workspace_transcribe(tmp_path: Path, model: str) -> None:
    workspace = write_workspace(tmp_path / "workspace", {"a.wav": wav(babble(1.0))})
    async with running(tmp_path, workspace) as predictor:
        first, row = await transcribe(predictor.stub, model, ["a.wav"])
    assert first.model.name == model
    assert row.result.HasField("transcript")


async def test_the_tutorial_model_is_warm_when_the_service_is_ready(tmp_path: Path) -> None:
    async with running(tmp_path, tmp_path) as predictor:
        listed = await predictor.stub.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest())
    assert [model.model for model in listed.models] == ["tutorial_audio_recognition"]
    assert listed.models[0].state == predictor_pb2.LoadedModel.STATE_READY


async def test_hidden_files_are_no_recordings(tmp_path: Path) -> None:
    workspace = write_workspace(tmp_path / "workspace", {".hidden/a.wav": wav(babble(1.0))})
    async with running(tmp_path, workspace) as predictor:
        _, row = await transcribe(predictor.stub, "tutorial_audio_recognition", [".hidden/a.wav"])
    assert from_status(row.result.status).reason is Reason.AUDIO_NOT_FOUND


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED_DATA.exists(), reason="no shared recordings on this machine")
async def test_real_recordings_and_a_long_one_are_answered(tmp_path: Path) -> None:
    with (SHARED_DATA / "librispeech_data" / "librispeech_test.csv").open(encoding="utf-8") as lines:
        paths = [row["audio_path"] for row in csv.DictReader(lines)][:10]
    paths.append("long/26-496.flac")
    async with running(tmp_path, SHARED_DATA) as predictor:
        first, *answers = await transcribe(predictor.stub, "tutorial_audio_recognition", paths)
    assert first.model.version == 1
    assert sorted(answer.result.row_key for answer in answers) == list(range(11))
    assert all(answer.result.HasField("transcript") for answer in answers)
    seconds = {answer.result.row_key: answer.result.transcript.audio_duration.seconds for answer in answers}
    assert seconds[10] > 300


async def test_a_model_in_memory_is_deleted_only_by_force_and_its_statements_end(tmp_path: Path) -> None:
    files = {f"{number}.wav": wav(babble(1.0, seed=number)) for number in range(4)}
    workspace = write_workspace(tmp_path / "workspace", files)
    async with running(tmp_path, workspace) as predictor, peer_channel(predictor.address) as channel:
        storage: storage_pb2_grpc.StorageServiceAsyncStub = storage_pb2_grpc.StorageServiceStub(channel)
        call = predictor.stub.Transcribe()
        await call.write(predictor_pb2.TranscribeRequest(config=predictor_pb2.TranscribeConfig(model=MODEL)))
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await storage.DeleteModel(storage_pb2.DeleteModelRequest(name=MODEL))
        failure = from_rpc_error(caught.value, "storage")
        assert failure.reason is Reason.MODEL_IN_USE
        assert "predictor on" in failure.message
        await storage.DeleteModel(storage_pb2.DeleteModelRequest(name=MODEL, force=True))
        for key, path in enumerate(files):
            row = predictor_pb2.TranscribeRow(row_key=key, audio_path=path)
            await call.write(predictor_pb2.TranscribeRequest(row=row))
        await call.done_writing()
        answers = [await call.read() for _path in files]
        assert all(answer.result.HasField("transcript") for answer in answers)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await transcribe(predictor.stub, MODEL, list(files))
        assert from_rpc_error(caught.value, "predictor").reason is Reason.MODEL_NOT_FOUND


async def test_a_running_statement_does_not_notice_that_another_version_is_active(tmp_path: Path) -> None:
    workspace = write_workspace(tmp_path / "workspace", {"a.wav": wav(babble(1.0))})
    async with running(tmp_path, workspace) as predictor, peer_channel(predictor.address) as channel:
        storage: storage_pb2_grpc.StorageServiceAsyncStub = storage_pb2_grpc.StorageServiceStub(channel)
        second = put_model(predictor.objects.store, write_tiny_checkpoint(tmp_path / "second", seed=1), "b")
        second.name, second.version = MODEL, 0
        await storage.RegisterModel(storage_pb2.RegisterModelRequest(model=second, overwrite=True))
        [first, row] = await transcribe(predictor.stub, MODEL, ["a.wav"])
        call = predictor.stub.Transcribe()
        await call.write(predictor_pb2.TranscribeRequest(config=predictor_pb2.TranscribeConfig(model=MODEL)))
        assert (await call.read()).model.version == first.model.version == 2
        await storage.ActivateModel(storage_pb2.ActivateModelRequest(name=MODEL, version=1))
        path = predictor_pb2.TranscribeRow(row_key=0, audio_path="a.wav")
        await call.write(predictor_pb2.TranscribeRequest(row=path))
        await call.done_writing()
        assert (await call.read()).result == row.result
        [first, _row] = await transcribe(predictor.stub, MODEL, ["a.wav"])
        assert first.model.version == 1
