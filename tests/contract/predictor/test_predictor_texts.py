"""EmbedText over real gRPC: a real server, a text encoder with random weights, a fake catalog."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest

from services.predictor.app import build
from services.predictor.settings import PredictorSettings
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.predictor_storage import FakeStorage, fake_storage, put_model
from tests.fakes.text_encoders import flattened, write_tiny_encoder
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc, types_pb2
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason
from thanosql_runtime.status import from_rpc_error, from_status
from thanosql_runtime.testing import peer_channel, serving

Request = predictor_pb2.EmbedTextRequest


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A running predictor and what it stands on."""

    stub: "predictor_pb2_grpc.PredictorServiceAsyncStub"
    storage: FakeStorage
    objects: Objects
    home: Path


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    settings = PredictorSettings(preload="", device="cpu", max_loaded_models=1)
    (tmp_path / "workspace").mkdir()
    objects = open_objects(
        ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path / "workspace"))
    )
    storage = fake_storage()
    encoder = put_model(objects.store, flattened(write_tiny_encoder(tmp_path / "encoder")), "TextEncoder")
    encoder.family = types_pb2.MODEL_FAMILY_TEXT_ENCODER
    storage.add(encoder)
    storage.add(put_model(objects.store, write_tiny_checkpoint(tmp_path / "small"), "small"))
    services = [lambda _context: storage, lambda context: build(settings, context, objects)]
    async with serving(services, tmp_path / "home") as address, peer_channel(address) as channel:
        stub = predictor_pb2_grpc.PredictorServiceStub(channel)
        yield Rig(stub=stub, storage=storage, objects=objects, home=tmp_path / "home")


def config(model: str = "TextEncoder") -> predictor_pb2.EmbedTextRequest:
    return Request(config=predictor_pb2.EmbedTextConfig(model=model))


def rows(texts: Sequence[str]) -> list[predictor_pb2.EmbedTextRequest]:
    return [Request(row=predictor_pb2.EmbedTextRow(row_key=key, text=text)) for key, text in enumerate(texts)]


async def embed(
    rig: Rig, requests: Sequence[predictor_pb2.EmbedTextRequest]
) -> tuple[predictor_pb2.EmbedStart, dict[int, predictor_pb2.EmbedResult]]:
    async def sent() -> AsyncIterator[predictor_pb2.EmbedTextRequest]:
        for request in requests:
            yield request

    responses = [response async for response in rig.stub.EmbedText(sent())]
    results = {response.result.row_key: response.result for response in responses[1:]}
    assert len(results) == len(responses) - 1, "every row is answered once"
    return responses[0].start, results


async def refusal(rig: Rig, requests: Sequence[predictor_pb2.EmbedTextRequest]) -> tuple[Reason, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await embed(rig, requests)
    failure = from_rpc_error(caught.value, "predictor")
    return failure.reason, failure.message


async def test_every_text_has_a_vector_of_the_length_that_was_told(rig: Rig) -> None:
    texts = [f"the bell rings {'where the door opens ' * (key % 9)}" for key in range(200)]
    start, results = await embed(rig, [config(), *rows(texts)])
    assert (start.model.name, start.dimension) == ("TextEncoder", 24)
    assert start.model.family == types_pb2.MODEL_FAMILY_TEXT_ENCODER
    vectors = np.array([list(results[key].embedding.values) for key in range(200)])
    assert vectors.shape == (200, 24)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    for key in range(9):
        np.testing.assert_allclose(vectors[key], vectors[key + 9], atol=2e-6)


async def test_texts_share_batches_and_are_counted(rig: Rig) -> None:
    await embed(rig, [config(), *rows(["a door", "", *["the bell rings"] * 100])])
    (counted,) = (await rig.stub.GetStatistics(predictor_pb2.GetStatisticsRequest())).models
    assert (counted.model, counted.rows_succeeded, counted.rows_failed) == ("TextEncoder", 101, 1)
    assert 101 / 16 <= counted.batches < 101
    assert counted.audio_s == 0
    assert min(counted.compute_s, counted.decode_s) > 0


async def test_an_empty_text_has_a_reason_instead(rig: Rig) -> None:
    _, results = await embed(rig, [config(), *rows(["", "a door"])])
    assert from_status(results[0].status).reason is Reason.TEXT_EMPTY
    assert results[1].WhichOneof("outcome") == "embedding"


async def test_a_model_of_the_other_family_is_refused_with_what_to_use(rig: Rig) -> None:
    reason, message = await refusal(rig, [config("small"), *rows(["a door"])])
    assert reason is Reason.INVALID_CHECKPOINT
    assert "small.1 is a recogniser, which hears recordings and reads no texts" in message
    assert "THANOSQL_STORAGE__TEXT_ENCODER" in message
    transcribing = predictor_pb2.TranscribeRequest(config=predictor_pb2.TranscribeConfig(model="TextEncoder"))
    embedding = predictor_pb2.EmbedRequest(config=predictor_pb2.EmbedConfig(model="TextEncoder"))
    recognising = predictor_pb2.RecognizeRequest(model="TextEncoder", audio=b"RIFF")
    for call in (
        rig.stub.Transcribe(iter([transcribing])),
        rig.stub.Embed(iter([embedding])),
        rig.stub.Recognize(recognising),
    ):
        with pytest.raises(grpc.aio.AioRpcError, match="reads texts and hears no recordings"):
            await (anext(aiter(call)) if hasattr(call, "__aiter__") else call)


async def test_it_is_held_loaded_listed_and_given_up_like_any_model(rig: Rig) -> None:
    loaded = await rig.stub.LoadModel(predictor_pb2.LoadModelRequest(model="TextEncoder"))
    assert (loaded.model.engine, loaded.model.size_bytes > 1000) == ("torch cpu float32", True)
    assert rig.storage.held == [("TextEncoder", 1)]
    await rig.stub.LoadModel(predictor_pb2.LoadModelRequest(model="small"))
    listed = await rig.stub.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest())
    assert [model.model for model in listed.models] == ["small"]


async def test_two_callers_at_once_get_what_each_gets_alone(rig: Rig) -> None:
    both = ["the library opens", "a good morning"]
    alone = [(await embed(rig, [config(), *rows([text])]))[1][0] for text in both]
    together = await asyncio.gather(*(embed(rig, [config(), *rows([text] * 40)]) for text in both))
    for one, (_, many) in zip(alone, together, strict=True):
        for result in many.values():
            np.testing.assert_allclose(result.embedding.values, one.embedding.values, atol=2e-6)


async def test_the_first_message_must_be_the_configuration(rig: Rig) -> None:
    assert (await refusal(rig, rows(["a door"])))[0] is Reason.INVALID_ARGUMENT
    assert (await refusal(rig, [config(), config()]))[0] is Reason.INVALID_ARGUMENT


async def test_files_that_are_no_encoder_are_told(rig: Rig) -> None:
    broken = put_model(rig.objects.store, write_tiny_checkpoint(rig.home / "broken"), "broken")
    broken.family = types_pb2.MODEL_FAMILY_TEXT_ENCODER
    rig.storage.add(broken)
    reason, message = await refusal(rig, [config("broken"), *rows(["a door"])])
    assert reason is Reason.INVALID_CHECKPOINT
    assert "it holds wav2vec2; encoders of texts are" in message


async def test_an_encoder_that_cannot_compute_is_told_at_loading(rig: Rig) -> None:
    folder = flattened(write_tiny_encoder(rig.home / "odd"))
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"num_attention_heads": -2}))
    odd = put_model(rig.objects.store, folder, "odd")
    odd.family = types_pb2.MODEL_FAMILY_TEXT_ENCODER
    rig.storage.add(odd)
    reason, message = await refusal(rig, [config("odd"), *rows(["a door"])])
    assert reason is Reason.INVALID_CHECKPOINT
    assert "the model odd.1 cannot compute" in message
