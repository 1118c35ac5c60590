"""The predictor over real gRPC: a real server, real models with random weights, a fake catalog."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.predictor.app import build
from services.predictor.settings import PredictorSettings
from tests.deployment import ROOT, SHARED_DATA
from tests.fakes.language_models import arpa_of
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.predictor_storage import FakeStorage, babble, fake_storage, put_model, wav, write_workspace
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc, types_pb2
from thanosql_audio.decoding import decode
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason
from thanosql_runtime.status import from_rpc_error, from_status
from thanosql_runtime.testing import peer_channel, serving

Request = predictor_pb2.TranscribeRequest


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A running predictor and what it stands on."""

    stub: "predictor_pb2_grpc.PredictorServiceAsyncStub"
    channel: grpc.aio.Channel
    storage: FakeStorage
    objects: Objects
    folder: Path

    def add_model(self, name: str, version: int = 1, *, seed: int = 0) -> None:
        checkpoint = write_tiny_checkpoint(self.folder / f"{name}-{version}-{seed}", seed=seed)
        self.storage.add(put_model(self.objects.store, checkpoint, name, version))

    def put(self, files: dict[str, bytes]) -> None:
        write_workspace(self.folder / "workspace", files)


# Torch in float32: with random weights, rounding decides between labels.
SPEECH = ROOT / "examples/tutorial_data/librispeech_data/audio/test_001.flac"
SETTINGS = {"preload": "", "device": "cpu", "engine": "torch", "precision": "float32", "max_loaded_models": 2}


@pytest.fixture
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    settings = PredictorSettings.model_validate(SETTINGS | getattr(request, "param", {}))
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    objects = open_objects(ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(workspace)))
    storage = fake_storage()
    checkpoint = write_tiny_checkpoint(tmp_path / "checkpoint")
    storage.add(put_model(objects.store, checkpoint, "small"))
    services = [lambda _context: storage, lambda context: build(settings, context, objects)]
    async with serving(services, tmp_path / "home") as address, peer_channel(address) as channel:
        yield Rig(
            stub=predictor_pb2_grpc.PredictorServiceStub(channel),
            channel=channel,
            storage=storage,
            objects=objects,
            folder=tmp_path,
        )


def config(model: str = "small", version: int = 0) -> predictor_pb2.TranscribeRequest:
    return Request(config=predictor_pb2.TranscribeConfig(model=model, version=version))


def searching(**options: Any) -> predictor_pb2.TranscribeRequest:
    beam = types_pb2.BeamSearch(**({"lm_weight": 0.5, "beam_width": 16} | options))
    return Request(config=predictor_pb2.TranscribeConfig(model="small", beam_search=beam))


def rows(paths: Iterable[str]) -> list[predictor_pb2.TranscribeRequest]:
    return [
        Request(row=predictor_pb2.TranscribeRow(row_key=key, audio_path=path))
        for key, path in enumerate(paths)
    ]


async def transcribe(
    rig: Rig, requests: Sequence[predictor_pb2.TranscribeRequest]
) -> tuple[predictor_pb2.TranscribeResponse, dict[int, predictor_pb2.TranscribeResult]]:
    async def sent() -> AsyncIterator[predictor_pb2.TranscribeRequest]:
        for request in requests:
            yield request

    responses = [response async for response in rig.stub.Transcribe(sent())]
    results = {response.result.row_key: response.result for response in responses[1:]}
    assert len(results) == len(responses) - 1, "every row is answered once"
    return responses[0], results


async def finish(call: Any) -> None:  # Any: calls of every shape
    if hasattr(call, "__aiter__"):
        async for _ in call:
            pass
    else:
        await call


async def failure_of(call: Any) -> Reason:  # Any: calls of every shape
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await finish(call)
    return from_rpc_error(caught.value, "predictor").reason


async def health_of(rig: Rig, model: str) -> str:
    health: Any = health_pb2_grpc.HealthStub(rig.channel)  # Any: its stubs lack the methods
    request = health_pb2.HealthCheckRequest(service=f"thanosql.v1.PredictorService/{model}")
    status: str = health_pb2.HealthCheckResponse.ServingStatus.Name((await health.Check(request)).status)
    return status


def reason_of(status: status_pb2.Status) -> Reason:
    return from_status(status).reason


async def test_the_model_comes_first_and_every_row_is_answered(rig: Rig) -> None:
    rig.put({f"audio/{key}.wav": wav(babble(0.5 + key / 10, seed=key)) for key in range(12)})
    first, results = await transcribe(rig, [config(), *rows(f"audio/{key}.wav" for key in range(12))])
    assert (first.model.name, first.model.version, first.model.metrics["wer"]) == ("small", 1, 0.5)
    assert sorted(results) == list(range(12))
    for key, result in results.items():
        assert result.WhichOneof("outcome") == "transcript"
        seconds = result.transcript.audio_duration.ToMicroseconds() / 1e6
        assert seconds == pytest.approx(0.5 + key / 10, abs=1e-3)
    assert any(result.transcript.text for result in results.values())


async def test_the_text_does_not_depend_on_the_company(rig: Rig) -> None:
    rig.put({f"{key}.wav": wav(babble(0.4 + 0.3 * key, seed=key)) for key in range(8)})
    _, together = await transcribe(rig, [config(), *rows(f"{key}.wav" for key in range(8))])
    for key in range(8):
        _, alone = await transcribe(rig, [config(), *rows([f"{key}.wav"])])
        assert alone[0].transcript.text == together[key].transcript.text


async def test_rate_channels_and_container_do_not_matter(rig: Rig) -> None:
    mono = babble(1.0)
    stereo = np.repeat(mono, 2, axis=1)
    rig.put({"mono.wav": wav(mono), "stereo.wav": wav(stereo), "mono.flac": wav(mono, container="FLAC")})
    _, results = await transcribe(rig, [config(), *rows(["mono.wav", "stereo.wav", "mono.flac"])])
    assert len({result.transcript.text for result in results.values()}) == 1


async def test_bad_rows_come_back_with_a_reason_and_good_ones_with_text(rig: Rig) -> None:
    good = wav(babble(0.5))
    rig.put({"good.wav": good, "text.wav": b"these are words", "zero.wav": b"", "header.wav": good[:44]})
    (rig.folder / "secret.wav").write_bytes(good)
    (rig.folder / "workspace" / "link.wav").symlink_to(rig.folder / "secret.wav")
    expected = {
        "good.wav": None,
        "nowhere.wav": Reason.AUDIO_NOT_FOUND,
        "": Reason.AUDIO_NOT_FOUND,
        "text.wav": Reason.AUDIO_UNREADABLE,
        "zero.wav": Reason.AUDIO_UNREADABLE,
        "header.wav": Reason.AUDIO_EMPTY,
        "../secret.wav": Reason.PATH_OUTSIDE_WORKSPACE,
        str(rig.folder / "secret.wav"): Reason.PATH_OUTSIDE_WORKSPACE,
        "link.wav": Reason.PATH_OUTSIDE_WORKSPACE,
    }
    _, results = await transcribe(rig, [config(), *rows(expected)])
    for key, reason in enumerate(expected.values()):
        if reason is None:
            assert results[key].HasField("transcript")
        else:
            assert reason_of(results[key].status) is reason
            assert results[key].status.message


@pytest.mark.parametrize("duration_s", [0.021, 0.05, 0.1])
async def test_a_clip_shorter_than_a_frame_of_the_model_is_computed(rig: Rig, duration_s: float) -> None:
    rig.put({"clip.wav": wav(babble(duration_s))})
    _, results = await transcribe(rig, [config(), *rows(["clip.wav"])])
    assert results[0].HasField("transcript")
    (counted,) = (await rig.stub.GetStatistics(predictor_pb2.GetStatisticsRequest())).models
    assert counted.batches == 1


async def test_silence_and_a_clip_of_five_milliseconds_give_empty_text(rig: Rig) -> None:
    silence = np.zeros(48_000, dtype=np.float32)
    rig.put({"silence.wav": wav(silence), "offset.wav": wav(silence + 0.25), "clip.wav": wav(babble(0.005))})
    _, results = await transcribe(rig, [config(), *rows(["silence.wav", "offset.wav", "clip.wav"])])
    assert [results[key].transcript.text for key in range(3)] == ["", "", ""]


@pytest.mark.parametrize("rig", [{"window_s": 2.0, "overlap_s": 0.5}], indirect=True)
async def test_a_long_recording_is_heard_by_utterances_and_noise_not_at_all(rig: Rig) -> None:
    said = decode(SPEECH.read_bytes()).samples[:, None]
    rig.put({"said.wav": wav(said), "noise.wav": wav(babble(30.0))})
    _, results = await transcribe(rig, [config(), *rows(["said.wav", "noise.wav"])])
    assert results[0].transcript.text
    assert results[1].transcript.text == ""
    statistics = await rig.stub.GetStatistics(predictor_pb2.GetStatisticsRequest())
    assert statistics.models[0].batches >= len(said) / 32_000


async def test_a_path_under_uploads_is_read_from_the_object_store(rig: Rig) -> None:
    rig.objects.store.write("uploads/mine.wav", [wav(babble(0.5))])
    _, results = await transcribe(rig, [config(), *rows(["uploads/mine.wav"])])
    assert results[0].HasField("transcript")


async def test_no_rows_is_a_stream_with_the_model_alone(rig: Rig) -> None:
    first, results = await transcribe(rig, [config()])
    assert first.model.name == "small"
    assert results == {}


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        ([], Reason.INVALID_ARGUMENT),
        (rows(["a.wav"]), Reason.INVALID_ARGUMENT),
        ([config(), config()], Reason.INVALID_ARGUMENT),
        ([config(), Request()], Reason.INVALID_ARGUMENT),
        ([config("")], Reason.INVALID_ARGUMENT),
        ([config("small", -1)], Reason.INVALID_ARGUMENT),
        ([config("smal")], Reason.MODEL_NOT_FOUND),
        ([config("small", 9)], Reason.MODEL_NOT_FOUND),
    ],
)
async def test_a_stream_that_cannot_be_right_fails_as_a_whole(
    rig: Rig, requests: list[predictor_pb2.TranscribeRequest], reason: Reason
) -> None:
    assert await failure_of(rig.stub.Transcribe(iter(requests))) is reason


@pytest.mark.parametrize("rig", [{"engine": "openvino"}], indirect=True)
async def test_two_statements_may_compute_one_model_in_two_precisions(rig: Rig) -> None:
    rig.put({"a.wav": wav(babble(1.0))})
    for precision in (types_pb2.PRECISION_FLOAT32, types_pb2.PRECISION_INT8, types_pb2.PRECISION_UNSPECIFIED):
        request = config()
        request.config.precision = precision
        first, results = await transcribe(rig, [request, *rows(["a.wav"])])
        assert first.engine.startswith("openvino cpu")
        assert results[0].HasField("transcript")
    page = await rig.stub.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest(page_size=1))
    rest = await rig.stub.ListLoadedModels(
        predictor_pb2.ListLoadedModelsRequest(page_token=page.next_page_token)
    )
    listed = [(model.model, model.precision) for model in (*page.models, *rest.models)]
    assert listed == [("small", types_pb2.PRECISION_FLOAT32), ("small", types_pb2.PRECISION_INT8)]


async def test_who_cannot_be_served_in_a_precision_is_told_in_the_first_answer(rig: Rig) -> None:
    request = config()
    request.config.precision = types_pb2.PRECISION_INT8
    first, _ = await transcribe(rig, [request])
    assert first.engine == "torch cpu float32"
    assert first.notice == "float32 serves in place of int8, for which OpenVINO is needed"


async def test_a_precision_that_is_not_known_is_refused(rig: Rig) -> None:
    request = config()
    request.config.precision = types_pb2.Precision.ValueType(99)
    assert await failure_of(rig.stub.Transcribe(iter([request]))) is Reason.INVALID_ARGUMENT


async def test_a_damaged_artefact_fails_the_stream_and_the_list_says_why(rig: Rig) -> None:
    rig.add_model("damaged")
    rig.objects.store.write("models/damaged/1/model.safetensors", [b"other bytes"])
    assert await failure_of(rig.stub.Transcribe(iter([config("damaged")]))) is Reason.CHECKSUM_MISMATCH
    listed = await rig.stub.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest())
    assert [(model.model, model.state) for model in listed.models] == [
        ("damaged", predictor_pb2.LoadedModel.STATE_FAILED)
    ]
    assert "file 'model.safetensors' of model 'damaged' version 1 is damaged" in listed.models[0].message


async def test_a_checkpoint_that_is_none_fails_the_stream(rig: Rig) -> None:
    folder = write_workspace(rig.folder / "none", {"pytorch_model.bin": b"pickle", "config.json": b"{}"})
    rig.storage.add(put_model(rig.objects.store, folder, "none"))
    assert await failure_of(rig.stub.Transcribe(iter([config("none")]))) is Reason.INVALID_CHECKPOINT


async def test_a_model_that_was_made_again_under_its_name_is_the_new_one(rig: Rig) -> None:
    rig.put({"a.wav": wav(babble(2.0))})
    rig.add_model("again", seed=1)
    _, before = await transcribe(rig, [config("again"), *rows(["a.wav"])])
    rig.add_model("again", seed=2)
    _, after = await transcribe(rig, [config("again"), *rows(["a.wav"])])
    assert before[0].transcript.text != after[0].transcript.text


async def test_a_client_that_leaves_takes_its_rows_along(rig: Rig) -> None:
    rig.put({"long.wav": wav(babble(25.0))})

    async def endless() -> AsyncIterator[predictor_pb2.TranscribeRequest]:
        yield config()
        for row in rows(["long.wav"] * 200):
            yield row

    call = rig.stub.Transcribe(endless())
    responses = aiter(call)
    await anext(responses)
    await anext(responses)
    call.cancel()
    # Unloading waits until nothing holds the model: returning at all shows that the stream let go of it.
    unloaded = await rig.stub.UnloadModel(predictor_pb2.UnloadModelRequest(model="small"), timeout=20)
    assert unloaded.versions_unloaded == 1
    (counted,) = (await rig.stub.GetStatistics(predictor_pb2.GetStatisticsRequest())).models
    assert counted.rows_cancelled > 0
    assert counted.rows_succeeded + counted.rows_cancelled < 50


async def test_recognize_answers_bytes(rig: Rig) -> None:
    rig.put({"a.wav": wav(babble(1.0))})
    _, results = await transcribe(rig, [config(), *rows(["a.wav"])])
    request = predictor_pb2.RecognizeRequest(model="small", audio=wav(babble(1.0)))
    answer = await rig.stub.Recognize(request, timeout=30)
    assert answer.transcript == results[0].transcript
    assert answer.model.version == 1


async def test_words_confidence_and_readings_are_told_when_asked_for(rig: Rig) -> None:
    detail = types_pb2.TranscriptDetail(word_times=True, confidence=True, n_best=3)
    audio = wav(babble(2.0))
    request = predictor_pb2.RecognizeRequest(model="small", audio=audio, detail=detail)
    recognised = (await rig.stub.Recognize(request, timeout=30)).transcript
    rig.put({"a.wav": audio})
    asked = Request(config=predictor_pb2.TranscribeConfig(model="small", detail=detail))
    _, results = await transcribe(rig, [asked, *rows(["a.wav"])])
    assert results[0].transcript == recognised
    assert len(recognised.alternatives) == 3
    assert recognised.alternatives[0].text == recognised.text
    assert recognised.alternatives[0].words == recognised.words
    assert " ".join(word.text for word in recognised.words) == recognised.text
    assert 0.0 < recognised.confidence < 1.0
    edges = [
        edge.ToMicroseconds() for word in recognised.words for edge in (word.start_offset, word.end_offset)
    ]
    assert edges == sorted(edges)
    assert edges[-1] <= 2_000_000


async def test_a_beam_search_tells_words_and_readings_too(rig: Rig) -> None:
    detail = types_pb2.TranscriptDetail(word_times=True, confidence=True, n_best=3)
    search = types_pb2.BeamSearch(beam_width=8, hotwords=[types_pb2.Hotword(phrase="A", weight=1.0)])
    request = predictor_pb2.RecognizeRequest(
        model="small", audio=wav(babble(1.0)), detail=detail, beam_search=search
    )
    heard = (await rig.stub.Recognize(request, timeout=30)).transcript
    assert len(heard.alternatives) == 3
    assert heard.alternatives[0].text == heard.text == " ".join(word.text for word in heard.words)
    assert all(0.0 < one.confidence < 1.0 for one in heard.alternatives)


async def test_nothing_is_told_that_nobody_asked_for(rig: Rig) -> None:
    audio = wav(babble(1.0))
    plain = await rig.stub.Recognize(predictor_pb2.RecognizeRequest(model="small", audio=audio), timeout=30)
    assert not plain.transcript.words
    assert not plain.transcript.alternatives
    assert not plain.transcript.HasField("confidence")
    detail = types_pb2.TranscriptDetail(word_times=True)
    asked = predictor_pb2.RecognizeRequest(model="small", audio=audio, detail=detail)
    timed = await rig.stub.Recognize(asked, timeout=30)
    assert timed.transcript.text == plain.transcript.text
    assert not any(word.HasField("confidence") for word in timed.transcript.words)


async def test_silence_has_no_words_and_no_confidence(rig: Rig) -> None:
    detail = types_pb2.TranscriptDetail(word_times=True, confidence=True, n_best=2)
    silence = wav(np.zeros((16_000, 1), dtype=np.float32))
    request = predictor_pb2.RecognizeRequest(model="small", audio=silence, detail=detail)
    heard = (await rig.stub.Recognize(request, timeout=30)).transcript
    assert (heard.text, list(heard.words), heard.HasField("confidence")) == ("", [], False)


@pytest.mark.parametrize("n_best", [-1, 11])
async def test_more_readings_than_there_may_be_are_refused(rig: Rig, n_best: int) -> None:
    detail = types_pb2.TranscriptDetail(n_best=n_best)
    request = predictor_pb2.RecognizeRequest(model="small", audio=wav(babble(1.0)), detail=detail)
    assert await failure_of(rig.stub.Recognize(request)) is Reason.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (b"", Reason.AUDIO_UNREADABLE),
        (b"words", Reason.AUDIO_UNREADABLE),
        (bytes((3 << 20) + 1), Reason.INVALID_ARGUMENT),
    ],
)
async def test_recognize_refuses_what_it_cannot_hear(rig: Rig, audio: bytes, reason: Reason) -> None:
    request = predictor_pb2.RecognizeRequest(model="small", audio=audio)
    assert await failure_of(rig.stub.Recognize(request)) is reason


async def test_models_are_loaded_listed_and_unloaded(rig: Rig) -> None:
    rig.add_model("other", 2)
    for name in ("small", "other"):
        loaded = await rig.stub.LoadModel(predictor_pb2.LoadModelRequest(model=name))
        assert loaded.model.state == predictor_pb2.LoadedModel.STATE_READY
        assert loaded.model.engine == "torch cpu float32"
        assert loaded.model.size_bytes > 10_000
    page = await rig.stub.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest(page_size=1))
    rest = await rig.stub.ListLoadedModels(
        predictor_pb2.ListLoadedModelsRequest(page_token=page.next_page_token)
    )
    assert [(m.model, m.version) for m in (*page.models, *rest.models)] == [("other", 2), ("small", 1)]
    assert rest.next_page_token == ""
    gone = await rig.stub.UnloadModel(predictor_pb2.UnloadModelRequest(model="other"))
    again = await rig.stub.UnloadModel(predictor_pb2.UnloadModelRequest(model="other"))
    assert (gone.versions_unloaded, again.versions_unloaded) == (1, 0)


async def load(rig: Rig) -> predictor_pb2.LoadedModel:
    return (await rig.stub.LoadModel(predictor_pb2.LoadModelRequest(model="small"))).model


@pytest.mark.parametrize("rig", [{"engine": "openvino"}], indirect=True)
async def test_openvino_transcribes_and_torch_embeds_when_asked(rig: Rig) -> None:
    rig.put({f"{key}.wav": wav(babble(0.5 + key / 10, seed=key)) for key in range(6)})
    before = await load(rig)
    assert (before.engine, before.message) == ("openvino cpu float32", "")
    _, heard = await transcribe(rig, [config(), *rows(f"{key}.wav" for key in range(6))])
    assert all(result.HasField("transcript") for result in heard.values())
    _, embedded = await embed(rig, ["0.wav"])
    assert len(embedded[0].embedding.values) == 32
    assert (await load(rig)).size_bytes > before.size_bytes


@pytest.mark.parametrize("rig", [{"engine": "openvino"}], indirect=True)
async def test_where_openvino_is_missing_torch_serves_and_says_so(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    rig.put({"a.wav": wav(babble(0.5))})
    loaded = await load(rig)
    assert loaded.state == predictor_pb2.LoadedModel.STATE_READY
    assert loaded.engine == "torch cpu float32"
    assert "torch serves in place of OpenVINO: the package openvino cannot be imported" in loaded.message
    _, heard = await transcribe(rig, [config(), *rows(["a.wav"])])
    assert heard[0].HasField("transcript")


async def test_the_least_recently_used_model_is_given_up(rig: Rig) -> None:
    for name in ("second", "third"):
        rig.add_model(name)
    for name in ("small", "second", "small", "third"):
        await rig.stub.LoadModel(predictor_pb2.LoadModelRequest(model=name))
    listed = await rig.stub.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest())
    assert [model.model for model in listed.models] == ["small", "third"]


async def test_statistics_count_rows_and_seconds(rig: Rig) -> None:
    rig.put({"a.wav": wav(babble(1.5)), "bad.wav": b"no"})
    await transcribe(rig, [config(), *rows(["a.wav", "bad.wav", "a.wav"])])
    (counted,) = (await rig.stub.GetStatistics(predictor_pb2.GetStatisticsRequest(model="small"))).models
    assert (counted.rows_succeeded, counted.rows_failed, counted.batches) == (2, 1, 2)
    assert counted.audio_s == pytest.approx(3.0)
    assert counted.decode_s > 0
    assert counted.compute_s > 0
    none = await rig.stub.GetStatistics(predictor_pb2.GetStatisticsRequest(model="other"))
    assert list(none.models) == []


@pytest.mark.parametrize(
    "rig",
    [
        {
            "max_streams": 1,
            "rows_in_flight": 1,
            "windows_in_flight": 1,
            "max_calls": 1,
            "max_live_streams": 1,
            "max_queue_size": 4,
        }
    ],
    indirect=True,
)
async def test_one_stream_too_many_is_refused_with_a_time_to_come_back(rig: Rig) -> None:
    closing = asyncio.Event()

    async def open_ended() -> AsyncIterator[predictor_pb2.TranscribeRequest]:
        yield config()
        await closing.wait()

    responses = aiter(rig.stub.Transcribe(open_ended()))
    await anext(responses)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await transcribe(rig, [config()])
    refusal = from_rpc_error(caught.value, "predictor")
    assert refusal.reason is Reason.OVERLOADED
    assert refusal.retry_delay_s
    closing.set()
    assert [response async for response in responses] == []
    await transcribe(rig, [config()])


async def test_health_knows_each_model(rig: Rig) -> None:
    await rig.stub.LoadModel(predictor_pb2.LoadModelRequest(model="small"))
    assert await health_of(rig, "small") == "SERVING"
    await rig.stub.UnloadModel(predictor_pb2.UnloadModelRequest(model="small"))
    assert await health_of(rig, "small") == "NOT_SERVING"


@pytest.mark.parametrize("rig", [{"preload": "small"}], indirect=True)
async def test_the_preloaded_model_is_ready_before_the_service_is(rig: Rig) -> None:
    listed = await rig.stub.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest())
    assert [(model.model, model.state) for model in listed.models] == [
        ("small", predictor_pb2.LoadedModel.STATE_READY)
    ]


@pytest.mark.parametrize("rig", [{"preload": "gone"}], indirect=True)
async def test_a_preloaded_model_that_is_gone_stops_nothing(rig: Rig) -> None:
    _, results = await transcribe(rig, [config(), *rows(["nowhere.wav"])])
    assert reason_of(results[0].status) is Reason.AUDIO_NOT_FOUND


async def test_first_requests_at_once_load_the_model_once(rig: Rig) -> None:
    rig.put({"a.wav": wav(babble(0.5))})
    answers = await asyncio.gather(*(transcribe(rig, [config(), *rows(["a.wav"])]) for _ in range(6)))
    assert len({results[0].transcript.text for _, results in answers}) == 1
    listed = await rig.stub.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest())
    assert len(listed.models) == 1


async def test_two_predictors_in_one_process_do_not_meet(tmp_path: Path, rig: Rig) -> None:
    objects = open_objects(ObjectSettings(uri=str(tmp_path / "none"), workspace=str(tmp_path)))
    settings = PredictorSettings.model_validate(SETTINGS)
    services = [lambda _context: fake_storage(), lambda context: build(settings, context, objects)]
    async with serving(services, tmp_path / "second") as address, peer_channel(address) as channel:
        second = predictor_pb2_grpc.PredictorServiceStub(channel)
        await rig.stub.LoadModel(predictor_pb2.LoadModelRequest(model="small"))
        assert not (await second.ListLoadedModels(predictor_pb2.ListLoadedModelsRequest())).models


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED_DATA.exists(), reason="no shared recordings on this machine")
async def test_every_file_of_the_formats_is_answered(rig: Rig) -> None:
    files = sorted((SHARED_DATA / "formats").iterdir())
    rig.put({file.name: file.read_bytes() for file in files})
    _, results = await transcribe(rig, [config(), *rows(file.name for file in files)])
    reasons = {reason_of(result.status) for result in results.values() if result.HasField("status")}
    assert len(results) == len(files)
    assert reasons == {Reason.AUDIO_UNREADABLE, Reason.AUDIO_EMPTY}


EmbedRequest = predictor_pb2.EmbedRequest


async def embed(
    rig: Rig, paths: Iterable[str], model: str = "small"
) -> tuple[predictor_pb2.EmbedStart, dict[int, predictor_pb2.EmbedResult]]:
    async def sent() -> AsyncIterator[predictor_pb2.EmbedRequest]:
        yield EmbedRequest(config=predictor_pb2.EmbedConfig(model=model))
        for key, path in enumerate(paths):
            yield EmbedRequest(row=predictor_pb2.EmbedRow(row_key=key, audio_path=path))

    responses = [response async for response in rig.stub.Embed(sent())]
    return responses[0].start, {response.result.row_key: response.result for response in responses[1:]}


async def test_every_row_is_embedded_once_after_the_model_and_the_dimension(rig: Rig) -> None:
    rig.put({f"{key}.wav": wav(babble(0.5 + key / 10, seed=key)) for key in range(6)})
    start, results = await embed(rig, [f"{key}.wav" for key in range(6)])
    assert (start.model.name, start.model.version, start.dimension) == ("small", 1, 32)
    assert sorted(results) == list(range(6))
    for key, result in results.items():
        values = np.array(result.embedding.values)
        assert len(values) == 32
        assert np.linalg.norm(values) == pytest.approx(1.0, abs=1e-6)
        assert result.embedding.audio_duration.ToMicroseconds() / 1e6 == pytest.approx(
            0.5 + key / 10, abs=1e-3
        )
        _, alone = await embed(rig, [f"{key}.wav"])
        assert values == pytest.approx(np.array(alone[0].embedding.values), abs=1e-6)
    (counted,) = (await rig.stub.GetStatistics(predictor_pb2.GetStatisticsRequest())).models
    assert counted.rows_succeeded == 12


async def test_rows_that_cannot_be_embedded_have_a_reason(rig: Rig) -> None:
    silence = np.zeros(48_000, dtype=np.float32)
    rig.put({"silence.wav": wav(silence), "click.wav": wav(babble(0.005)), "text.wav": b"these are words"})
    expected = {
        "silence.wav": Reason.AUDIO_EMPTY,
        "click.wav": Reason.AUDIO_TOO_SHORT,
        "text.wav": Reason.AUDIO_UNREADABLE,
        "nowhere.wav": Reason.AUDIO_NOT_FOUND,
        "../secret.wav": Reason.PATH_OUTSIDE_WORKSPACE,
    }
    _, results = await embed(rig, expected)
    assert [reason_of(results[key].status) for key in range(len(expected))] == list(expected.values())


async def test_texts_and_embeddings_of_one_model_do_not_disturb_each_other(rig: Rig) -> None:
    rig.put({f"{key}.wav": wav(babble(0.6, seed=key)) for key in range(4)})
    paths = [f"{key}.wav" for key in range(4)]
    (_, heard), (_, embedded) = await asyncio.gather(
        transcribe(rig, [config(), *rows(paths)]), embed(rig, paths)
    )
    _, alone = await transcribe(rig, [config(), *rows(paths)])
    assert [heard[key].transcript.text for key in range(4)] == [
        alone[key].transcript.text for key in range(4)
    ]
    assert all(embedded[key].HasField("embedding") for key in range(4))


async def test_no_rows_to_embed_give_the_start_alone(rig: Rig) -> None:
    start, results = await embed(rig, [])
    assert (start.dimension, results) == (32, {})
    request = EmbedRequest(config=predictor_pb2.EmbedConfig(model="smal"))
    assert await failure_of(rig.stub.Embed(iter([request]))) is Reason.MODEL_NOT_FOUND


async def test_hotwords_change_what_is_heard(rig: Rig) -> None:
    rig.put({"a.wav": wav(babble(2.0))})
    _, plain = await transcribe(rig, [searching(), *rows(["a.wav"])])
    hotword = types_pb2.Hotword(phrase="q", weight=100)
    _, boosted = await transcribe(rig, [searching(hotwords=[hotword]), *rows(["a.wav"])])
    assert "Q" in boosted[0].transcript.text.split()
    assert plain[0].transcript.text != boosted[0].transcript.text


async def test_a_language_model_of_the_workspace_is_used(rig: Rig) -> None:
    arpa = arpa_of(["Q Q Q Q Q Q Q", "Q Q"], 2).encode()
    rig.put({"a.wav": wav(babble(2.0)), "lm/q.arpa": arpa})
    config = searching(language_model="lm/q.arpa", lm_weight=20.0, word_score=100.0)
    _, heard = await transcribe(rig, [config, *rows(["a.wav"])])
    assert "Q" in heard[0].transcript.text.split()


async def test_silence_and_bad_rows_are_searched_as_they_are_heard(rig: Rig) -> None:
    rig.put({"silence.wav": wav(np.zeros((16_000, 1), dtype=np.float32)), "bad.wav": b"no audio"})
    _, results = await transcribe(rig, [searching(), *rows(["silence.wav", "bad.wav"])])
    assert results[0].transcript.text == ""
    assert reason_of(results[1].status) is Reason.AUDIO_UNREADABLE


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"language_model": "lm/none.arpa"}, Reason.FILE_NOT_FOUND),
        ({"language_model": "a.wav"}, Reason.UNSUPPORTED_FORMAT),
        ({"language_model": "../a.arpa"}, Reason.PATH_OUTSIDE_WORKSPACE),
        ({"beam_width": 0}, Reason.INVALID_ARGUMENT),
        ({"hotwords": [types_pb2.Hotword(phrase="환불", weight=1)]}, Reason.TEXT_OUTSIDE_VOCABULARY),
    ],
)
async def test_a_search_that_cannot_be_is_refused_before_any_row(
    rig: Rig, options: dict[str, Any], reason: Reason
) -> None:
    rig.put({"a.wav": wav(babble(1.0))})
    assert await failure_of(transcribe(rig, [searching(**options), *rows(["a.wav"])])) is reason


async def test_a_short_recording_is_searched_too(rig: Rig) -> None:
    beam = types_pb2.BeamSearch(beam_width=8, hotwords=[types_pb2.Hotword(phrase="q", weight=100)])
    request = predictor_pb2.RecognizeRequest(model="small", audio=wav(babble(1.0)), beam_search=beam)
    answer = await rig.stub.Recognize(request)
    assert "Q" in answer.transcript.text.split()


async def test_a_language_model_that_changed_is_another_manner_of_hearing(rig: Rig) -> None:
    """What is kept of a recording was made with the words of then."""
    rig.put({"a.wav": wav(babble(2.0))})
    config = searching(language_model="lm/a.arpa", lm_weight=20.0, word_score=100.0)
    config.config.reuse = True
    heard = []
    for word in ("Q", "Q", "Z"):
        rig.put({"lm/a.arpa": arpa_of([f"{word} {word} {word} {word}", word], 2).encode()})
        _, results = await transcribe(rig, [config, *rows(["a.wav"])])
        heard.append(results[0].transcript.text)
    assert heard[0] == heard[1]
    assert "Z" in heard[2].split()
    assert "Z" not in heard[0].split()
