"""Transcripts that are kept, over the real storage: by version, past a restart, gone with their model."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.predictor.app import build as build_predictor
from services.predictor.settings import PredictorSettings
from services.storage.app import build as build_storage
from services.storage.settings import StorageSettings
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.predictor_storage import babble, put_model, wav, write_workspace
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc, storage_pb2, storage_pb2_grpc, types_pb2
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.testing import peer_channel, serving

Config = predictor_pb2.TranscribeConfig
FILES = {f"{number}.wav": wav(babble(0.5, seed=number)) for number in range(3)}


@dataclass(frozen=True, kw_only=True)
class Services:
    predictor: "predictor_pb2_grpc.PredictorServiceAsyncStub"
    storage: "storage_pb2_grpc.StorageServiceAsyncStub"
    objects: Objects

    async def register(self, folder: Path, version: int) -> None:
        model = put_model(self.objects.store, write_tiny_checkpoint(folder, seed=version), "mine", version)
        model.version = 0
        model.kind = types_pb2.MODEL_KIND_TRAINED
        await self.storage.RegisterModel(storage_pb2.RegisterModelRequest(model=model, overwrite=True))

    async def reused(self, config: Config) -> int:
        """How many of the recordings were not computed."""

        async def requests() -> AsyncIterator[predictor_pb2.TranscribeRequest]:
            yield predictor_pb2.TranscribeRequest(config=config)
            for key, path in enumerate(FILES):
                row = predictor_pb2.TranscribeRow(row_key=key, audio_path=path)
                yield predictor_pb2.TranscribeRequest(row=row)

        _, *answers = [response async for response in self.predictor.Transcribe(requests())]
        assert all(answer.result.HasField("transcript") for answer in answers)
        return sum(answer.result.reused for answer in answers)

    async def tallies(self) -> list[tuple[str, int, int]]:
        listed = await self.storage.ListTranscripts(storage_pb2.ListTranscriptsRequest())
        return [(item.model, item.version, item.transcripts) for item in listed.tallies]


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Services]:
    workspace = write_workspace(folder / "workspace", FILES)
    objects = open_objects(ObjectSettings(uri=str(folder / "objects"), workspace=str(workspace)))
    storage = StorageSettings(bundled_checkpoint=write_tiny_checkpoint(folder / "bundled"), **settings)
    predictor = PredictorSettings(device="cpu", engine="torch", preload="")
    services = [
        lambda context: build_storage(storage, context, objects),
        lambda context: build_predictor(predictor, context, objects),
    ]
    async with serving(services, folder / "home") as address, peer_channel(address) as channel:
        yield Services(
            predictor=predictor_pb2_grpc.PredictorServiceStub(channel),
            storage=storage_pb2_grpc.StorageServiceStub(channel),
            objects=objects,
        )


async def test_a_new_version_computes_anew_and_the_old_one_still_does_not(tmp_path: Path) -> None:
    async with running(tmp_path) as services:
        await services.register(tmp_path / "first", 1)
        assert await services.reused(Config(model="mine", reuse=True)) == 0
        assert await services.reused(Config(model="mine", reuse=True)) == 3
        await services.register(tmp_path / "second", 2)
        assert await services.reused(Config(model="mine", reuse=True)) == 0
        assert await services.reused(Config(model="mine", version=1, reuse=True)) == 3
        assert await services.reused(Config(model="mine", version=2, reuse=False)) == 0
        assert await services.reused(Config(model="Wav2Vec2En", reuse=True)) == 0


async def test_they_are_there_after_a_restart_and_go_with_their_model(tmp_path: Path) -> None:
    async with running(tmp_path) as services:
        await services.register(tmp_path / "first", 1)
        await services.reused(Config(model="mine", reuse=True))
        await services.reused(Config(model="Wav2Vec2En", reuse=True))
    async with running(tmp_path) as services:
        assert await services.reused(Config(model="mine", reuse=True)) == 3
        assert await services.tallies() == [("Wav2Vec2En", 1, 3), ("mine", 1, 3)]
        refusal = storage_pb2.DeleteModelRequest(name="mine", force=True, explain_only=True)
        await services.storage.DeleteModel(refusal)
        assert len(await services.tallies()) == 2
        await services.storage.DeleteModel(storage_pb2.DeleteModelRequest(name="mine", force=True))
        assert await services.tallies() == [("Wav2Vec2En", 1, 3)]


async def test_nothing_is_kept_where_a_setting_says_so(tmp_path: Path) -> None:
    async with running(tmp_path, transcript_bytes=0) as services:
        for _ in range(2):
            assert await services.reused(Config(model="Wav2Vec2En", reuse=True)) == 0
        assert await services.tallies() == []
