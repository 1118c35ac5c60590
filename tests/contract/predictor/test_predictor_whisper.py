"""Whisper over real gRPC: a tiny checkpoint beside a recogniser, and what each of them cannot be asked."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from services.predictor.app import build
from services.predictor.settings import PredictorSettings
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.predictor_storage import babble, fake_storage, put_model, wav, write_workspace
from tests.fakes.whisper_checkpoints import write_tiny_whisper
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc, types_pb2
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.status import peer_errors
from thanosql_runtime.testing import Build, peer_channel, serving

SETTINGS = {"preload": "", "device": "cpu", "engine": "torch", "precision": "float32"}


class Predictor:
    """The service, asked for a model and some recordings."""

    def __init__(self, stub: "predictor_pb2_grpc.PredictorServiceAsyncStub") -> None:
        self.stub = stub

    async def transcribe(
        self, model: str, paths: Sequence[str], **wishes: Any
    ) -> list[predictor_pb2.TranscribeResponse]:
        async def sent() -> AsyncIterator[predictor_pb2.TranscribeRequest]:
            config = predictor_pb2.TranscribeConfig(model=model, **wishes)
            yield predictor_pb2.TranscribeRequest(config=config)
            for key, path in enumerate(paths):
                row = predictor_pb2.TranscribeRow(row_key=key, audio_path=path)
                yield predictor_pb2.TranscribeRequest(row=row)

        with peer_errors("predictor"):
            return [response async for response in self.stub.Transcribe(sent())]

    async def texts(self, paths: Sequence[str], **wishes: Any) -> dict[int, str]:
        responses = await self.transcribe("Whisper", paths, **wishes)
        results = [response.result for response in responses[1:]]
        assert all(result.HasField("transcript") for result in results)
        return {result.row_key: result.transcript.text for result in results}

    async def refusal(self, model: str, **wishes: Any) -> ThanosqlError:
        with pytest.raises(ThanosqlError) as caught:
            await self.transcribe(model, ["0.wav"], **wishes)
        return caught.value


@pytest.fixture
async def predictor(tmp_path: Path) -> AsyncIterator[Predictor]:
    write_workspace(
        tmp_path / "workspace", {f"{key}.wav": wav(babble(1.0 + key, seed=key)) for key in range(3)}
    )
    objects = open_objects(
        ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path / "workspace"))
    )
    storage = fake_storage()
    whisper = put_model(objects.store, write_tiny_whisper(tmp_path / "whisper"), "Whisper")
    whisper.family = types_pb2.MODEL_FAMILY_WHISPER
    storage.add(whisper)
    storage.add(put_model(objects.store, write_tiny_checkpoint(tmp_path / "small"), "small"))
    settings = PredictorSettings.model_validate(SETTINGS)
    builds: list[Build] = [lambda _context: storage, lambda context: build(settings, context, objects)]
    async with serving(builds, tmp_path / "home") as address, peer_channel(address) as channel:
        yield Predictor(predictor_pb2_grpc.PredictorServiceStub(channel))


async def test_recordings_become_texts_the_same_alone_and_together(predictor: Predictor) -> None:
    first, *answers = await predictor.transcribe("Whisper", ["0.wav", "1.wav", "2.wav"])
    assert first.model.family == types_pb2.MODEL_FAMILY_WHISPER
    assert first.engine == "torch cpu float32"
    assert sorted(answer.result.row_key for answer in answers) == [0, 1, 2]
    together = await predictor.texts(["0.wav", "1.wav", "2.wav"], language="ko")
    assert all(together.values())
    for key in range(3):
        assert await predictor.texts([f"{key}.wav"], language="ko") == {0: together[key]}


async def test_language_and_task_change_what_is_written(predictor: Predictor) -> None:
    korean = await predictor.texts(["0.wav"], language="ko")
    assert await predictor.texts(["0.wav"], language="Korean") == korean
    assert await predictor.texts(["0.wav"], language="de") != korean
    assert await predictor.texts(["0.wav"], language="ko", translate=True) != korean


async def test_one_recording_sent_as_bytes_is_heard_too(predictor: Predictor) -> None:
    request = predictor_pb2.RecognizeRequest(model="Whisper", audio=wav(babble(1.0, seed=0)))
    answer = await predictor.stub.Recognize(request)
    assert {0: answer.transcript.text} == await predictor.texts(["0.wav"])


@pytest.mark.parametrize(
    ("model", "wishes", "words"),
    [
        ("Whisper", {"language": "koreann"}, "did you mean 'korean'"),
        ("Whisper", {"precision": types_pb2.PRECISION_INT8}, "leave precision out"),
        ("Whisper", {"beam_search": types_pb2.BeamSearch()}, "leave those options out"),
        ("Whisper", {"detail": types_pb2.TranscriptDetail(n_best=2)}, "tells the text alone"),
        ("small", {"language": "ko"}, "takes no language; that is for Whisper models"),
        ("small", {"translate": True}, "takes no task; that is for Whisper models"),
    ],
)
async def test_what_a_model_cannot_be_told_is_refused(
    predictor: Predictor, model: str, wishes: dict[str, Any], words: str
) -> None:
    failure = await predictor.refusal(model, **wishes)
    assert failure.reason is Reason.INVALID_OPTION_VALUE
    assert words in failure.message


async def test_it_embeds_nothing_and_hears_nothing_live(predictor: Predictor) -> None:
    async def embed() -> AsyncIterator[predictor_pb2.EmbedRequest]:
        yield predictor_pb2.EmbedRequest(config=predictor_pb2.EmbedConfig(model="Whisper"))

    async def live() -> AsyncIterator[predictor_pb2.StreamingRecognizeRequest]:
        config = predictor_pb2.StreamingConfig(model="Whisper", sample_rate_hz=16_000)
        yield predictor_pb2.StreamingRecognizeRequest(config=config)

    for call in (predictor.stub.Embed(embed()), predictor.stub.StreamingRecognize(live())):
        with pytest.raises(ThanosqlError, match="is for PREDICT and EVALUATE") as caught, peer_errors("it"):
            async for _response in call:
                pass
        assert caught.value.reason is Reason.INVALID_CHECKPOINT
