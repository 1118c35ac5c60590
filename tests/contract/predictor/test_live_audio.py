"""Live audio over real gRPC: a real server, a real model with random weights, real speech."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from services.predictor.app import build
from services.predictor.settings import PredictorSettings
from tests.deployment import ROOT
from tests.fakes.live_speech import chunks_of, silence
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.predictor_storage import fake_storage, put_model, wav
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc, types_pb2
from thanosql_audio.decoding import decode
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.server import Server
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import peer_channel, serving

Request = predictor_pb2.StreamingRecognizeRequest
Response = predictor_pb2.StreamingRecognizeResponse
RECORDINGS = ROOT / "examples/tutorial_data/librispeech_data/audio"


@dataclass(frozen=True, kw_only=True)
class Rig:
    """A running predictor."""

    stub: "predictor_pb2_grpc.PredictorServiceAsyncStub"
    servers: list[Server]


@pytest.fixture
async def rig(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Rig]:
    settings = PredictorSettings.model_validate(
        {"preload": "", "engine": "torch", "precision": "float32"} | getattr(request, "param", {})
    )
    (tmp_path / "workspace").mkdir()
    objects = open_objects(
        ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path / "workspace"))
    )
    storage, servers = fake_storage(), list[Server]()
    storage.add(put_model(objects.store, write_tiny_checkpoint(tmp_path / "checkpoint"), "small"))
    monkeypatch.setattr(Server, "bind", _noting(servers, Server.bind))
    services = [lambda _context: storage, lambda context: build(settings, context, objects)]
    async with serving(services, tmp_path / "home") as address, peer_channel(address) as channel:
        yield Rig(stub=predictor_pb2_grpc.PredictorServiceStub(channel), servers=servers)


def _noting(servers: list[Server], bind: Any) -> Any:  # Any: a method
    def noted(server: Server) -> Any:
        servers.append(server)
        return bind(server)

    return noted


def talk(name: str = "test_001", *, seconds: float = 60.0, rate_hz: int = 16_000) -> bytes:
    samples = decode((RECORDINGS / f"{name}.flac").read_bytes(), sample_rate_hz=rate_hz).samples
    return np.round(samples[: round(seconds * rate_hz)] * 32_767).astype("<i2").tobytes()


def quiet(seconds: float = 1.0) -> bytes:
    return np.zeros(len(silence(seconds)), dtype="<i2").tobytes()


def config(model: str = "small", **more: Any) -> predictor_pb2.StreamingRecognizeRequest:
    more = {"sample_rate_hz": 16_000} | more
    return Request(config=predictor_pb2.StreamingConfig(model=model, **more))


def one_utterance() -> predictor_pb2.StreamingRecognizeRequest:
    """With interim results; nothing in a short recording is a silence that ends an utterance."""
    return config(interim_results=True, endpoint_silence={"seconds": 5})


def messages(audio: bytes, size: int = 3200) -> list[predictor_pb2.StreamingRecognizeRequest]:
    return [Request(audio=audio[begin : begin + size]) for begin in range(0, len(audio), size)]


async def open_ended(
    requests: Iterable[predictor_pb2.StreamingRecognizeRequest],
) -> AsyncIterator[predictor_pb2.StreamingRecognizeRequest]:
    """Requests without an end, as from somebody who has fallen silent."""
    for request in requests:
        yield request
    await asyncio.Event().wait()


async def finals(
    rig: Rig, requests: Sequence[predictor_pb2.StreamingRecognizeRequest]
) -> list[predictor_pb2.StreamingResult]:
    responses = [response async for response in rig.stub.StreamingRecognize(iter(requests))]
    assert responses[0].model.name == "small"
    return [result for response in responses for result in response.results if result.is_final]


async def failure_of(call: Any, heard: list[str] | None = None) -> ThanosqlError:
    try:
        async for response in call:
            if heard is not None:
                heard += [result.text for result in response.results if result.is_final]
    except grpc.aio.AioRpcError as failure:
        return from_rpc_error(failure, "predictor")
    raise AssertionError("the stream ended well")


async def test_the_model_comes_first_and_every_utterance_gives_a_final_result(rig: Rig) -> None:
    audio = talk() + quiet() + talk("test_002") + quiet()
    heard = await finals(rig, [config(), *messages(audio)])
    assert len(heard) >= 2
    assert all(result.text and result.stability == 1.0 for result in heard)
    offsets = [offset.ToMilliseconds() for r in heard for offset in (r.start_offset, r.end_offset)]
    assert offsets == sorted(offsets)
    assert offsets[-1] <= len(audio) / 32


async def test_final_results_tell_their_words_when_asked_for(rig: Rig) -> None:
    audio = quiet() + talk() + quiet()
    plain = await finals(rig, [config(), *messages(audio)])
    told = await finals(rig, [config(word_times=True, confidence=True), *messages(audio)])
    assert [result.text for result in told] == [result.text for result in plain]
    assert [" ".join(word.text for word in result.words) for result in told] == [r.text for r in plain]
    assert all(0.0 < word.confidence < 1.0 for result in told for word in result.words)
    assert all(0.0 < result.confidence < 1.0 for result in told)
    assert not any(result.words or result.HasField("confidence") for result in plain)
    edges = [e.ToMilliseconds() for r in told for w in r.words for e in (w.start_offset, w.end_offset)]
    assert edges == sorted(edges)
    assert edges[-1] <= len(audio) / 32


@pytest.mark.parametrize("sizes", [[640] * 5000, [1] * 50 + [32_000] * 20, [64 << 10] * 9, [333] * 5000])
async def test_the_final_results_do_not_depend_on_the_messages(rig: Rig, sizes: list[int]) -> None:
    audio = talk(seconds=8.0) + quiet()
    whole = await finals(rig, [config(), *messages(audio)])
    cut = [Request(audio=chunk) for chunk in chunks_of(audio, sizes) if len(chunk) <= 64 << 10]
    assert sum(len(request.audio) for request in cut) == len(audio)
    assert await finals(rig, [config(interim_results=True), *cut]) == whole


async def test_interim_results_come_before_the_final_one_and_their_settled_words_only_grow(rig: Rig) -> None:
    settled, kinds = "", list[bool]()

    async def until_three_have_come() -> AsyncIterator[predictor_pb2.StreamingRecognizeRequest]:
        yield config(interim_results=True)
        for request in itertools.cycle(messages(talk(seconds=6.0), 1600)):
            if kinds.count(False) >= 3:
                break
            yield request

    async for response in rig.stub.StreamingRecognize(until_three_have_come()):
        kinds += [result.is_final for result in response.results[:1]]
        stable = " ".join(result.text for result in response.results if 0.5 <= result.stability < 1.0)
        if response.results and response.results[0].is_final:
            settled = ""
        elif response.results:
            assert stable.startswith(settled)
            settled = stable
    assert kinds[-1] is True


async def test_a_wish_for_an_end_is_answered_at_once(rig: Rig) -> None:
    requests = [config(), *messages(talk(seconds=3.0)), Request(finalize=predictor_pb2.FinalizeUtterance())]
    call = rig.stub.StreamingRecognize(open_ended(requests))
    responses = aiter(call)
    await anext(responses)
    final = (await asyncio.wait_for(anext(responses), 20)).results[0]
    assert final.is_final
    assert final.text
    call.cancel()


async def test_silence_gives_no_results(rig: Rig) -> None:
    assert await finals(rig, [config(interim_results=True), *messages(quiet(5.0))]) == []
    assert await finals(rig, [config()]) == []


@pytest.mark.parametrize("rate_hz", [8_000, 44_100])
async def test_another_rate_is_heard_as_well(rig: Rig, rate_hz: int) -> None:
    heard = await finals(rig, [config(sample_rate_hz=rate_hz), *messages(talk(seconds=4.0, rate_hz=rate_hz))])
    assert heard[-1].end_offset.ToMilliseconds() <= 4_050
    assert any(result.text for result in heard)


@pytest.mark.parametrize(
    ("requests", "reason", "word"),
    [
        ([], Reason.INVALID_ARGUMENT, "first message"),
        ([Request(audio=b"12")], Reason.INVALID_ARGUMENT, "first message"),
        ([config(), config()], Reason.INVALID_ARGUMENT, "after the first"),
        ([config(), Request()], Reason.INVALID_ARGUMENT, "after the first"),
        ([config(), Request(audio=bytes((64 << 10) + 1))], Reason.INVALID_ARGUMENT, "65536 at most"),
        ([config(sample_rate_hz=0)], Reason.INVALID_ARGUMENT, "sample_rate_hz"),
        ([config(sample_rate_hz=200_000)], Reason.INVALID_ARGUMENT, "sample_rate_hz"),
        ([config(endpoint_silence={"seconds": 9})], Reason.INVALID_ARGUMENT, "endpoint_silence"),
        ([config(max_utterance={"seconds": 1})], Reason.INVALID_ARGUMENT, "max_utterance"),
        ([config("")], Reason.INVALID_ARGUMENT, "names no model"),
        ([config("smal")], Reason.MODEL_NOT_FOUND, "smal"),
    ],
)
async def test_a_stream_that_cannot_be_right_is_refused_with_a_reason(
    rig: Rig, requests: list[predictor_pb2.StreamingRecognizeRequest], reason: Reason, word: str
) -> None:
    failure = await failure_of(rig.stub.StreamingRecognize(open_ended(requests) if requests else iter(())))
    assert failure.reason is reason
    assert word in failure.message


async def test_silence_of_the_callers_own_choice_ends_utterances(rig: Rig) -> None:
    audio = talk(seconds=3.0) + quiet(0.8) + talk("test_002", seconds=3.0) + quiet(0.8)
    requests = messages(audio)
    short = await finals(rig, [config(endpoint_silence={"nanos": 400_000_000}), *requests])
    long = await finals(rig, [config(endpoint_silence={"seconds": 3}), *requests])
    assert len(long) == 1
    assert len(short) > 1


@pytest.mark.parametrize("rig", [{"max_live_streams": 1}], indirect=True)
async def test_one_stream_too_many_is_refused_before_its_audio_is_read(rig: Rig) -> None:
    call = rig.stub.StreamingRecognize(open_ended([config()]))
    await anext(aiter(call))
    refusal = await failure_of(rig.stub.StreamingRecognize(open_ended([config()])))
    assert refusal.reason is Reason.OVERLOADED
    assert refusal.retry_delay_s
    call.cancel()
    await rig.stub.UnloadModel(predictor_pb2.UnloadModelRequest(model="small"), timeout=20)
    assert await finals(rig, [config()]) == []


@pytest.mark.parametrize("rig", [{"max_live_streams": 1}], indirect=True)
async def test_a_stream_without_a_first_message_counts_and_ends_with_the_server(rig: Rig) -> None:
    calls = [rig.stub.StreamingRecognize(open_ended([])) for _ in range(2)]
    failures = [asyncio.ensure_future(failure_of(call)) for call in calls]
    refused, waiting = await asyncio.wait(failures, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    rig.servers[0].stopping.set()
    ended, _ = await asyncio.wait(waiting, timeout=20)
    reasons = [failure.result().reason for failure in (*refused, *ended)]
    assert reasons == [Reason.OVERLOADED, Reason.PEER_UNAVAILABLE]


@pytest.mark.parametrize("rig", [{"live_idle_s": 0.2}], indirect=True)
async def test_a_stream_without_a_first_message_ends_after_a_time(rig: Rig) -> None:
    failure = await failure_of(rig.stub.StreamingRecognize(open_ended([])))
    assert failure.reason is Reason.DEADLINE_EXCEEDED


@pytest.mark.parametrize("rig", [{"live_idle_s": 2.0}], indirect=True)
async def test_a_stream_that_falls_silent_ends_with_what_was_heard_and_a_reason(rig: Rig) -> None:
    heard: list[str] = []
    requests = [config(), *messages(talk(seconds=3.0))]
    failure = await failure_of(rig.stub.StreamingRecognize(open_ended(requests)), heard)
    assert failure.reason is Reason.DEADLINE_EXCEEDED
    assert "no audio came for 2 s" in failure.message
    assert len(heard) >= 1


async def test_unloading_the_model_ends_its_streams_with_what_was_heard(rig: Rig) -> None:
    heard: list[str] = []
    call = rig.stub.StreamingRecognize(open_ended([one_utterance(), *messages(talk(seconds=3.0))]))
    responses = aiter(call)
    for _ in range(2):  # the model, then a first interim result: there is something to be heard
        await anext(responses)
    ending = asyncio.ensure_future(failure_of(call, heard))
    unloaded = await rig.stub.UnloadModel(predictor_pb2.UnloadModelRequest(model="small"), timeout=20)
    failure = await ending
    assert unloaded.versions_unloaded == 1
    assert (failure.reason, len(heard)) == (Reason.CANCELLED, 1)


async def test_a_server_that_stops_ends_its_streams_with_what_was_heard(rig: Rig) -> None:
    heard: list[str] = []
    call = rig.stub.StreamingRecognize(open_ended([one_utterance(), *messages(talk(seconds=3.0))]))
    responses = aiter(call)
    for _ in range(2):
        await anext(responses)
    rig.servers[0].stopping.set()
    failure = await failure_of(call, heard)
    assert (failure.reason, len(heard)) == (Reason.PEER_UNAVAILABLE, 1)


async def test_a_caller_who_vanishes_frees_everything(rig: Rig) -> None:
    for _ in range(3):
        requests = [config(interim_results=True), *messages(talk())]
        call = rig.stub.StreamingRecognize(open_ended(requests))
        responses = aiter(call)
        for _ in range(2):
            await anext(responses)
        call.cancel()
    # Unloading waits until nothing holds the model: returning at all shows that the streams let go of it.
    unloaded = await rig.stub.UnloadModel(predictor_pb2.UnloadModelRequest(model="small"), timeout=20)
    assert unloaded.versions_unloaded == 1


async def test_a_caller_faster_than_speech_gets_everything(rig: Rig) -> None:
    audio = (talk() + quiet()) * 4
    heard = await finals(rig, [config(), *messages(audio, 64 << 10)])
    once = await finals(rig, [config(), *messages(audio[: len(audio) // 4])])
    assert len(heard) == 4 * len(once)
    counted = (await rig.stub.GetStatistics(predictor_pb2.GetStatisticsRequest())).models[0]
    assert counted.utterances == len([result for result in (*heard, *once) if result.text])


async def test_streams_side_by_side_do_not_disturb_each_other(rig: Rig) -> None:
    requests = [config(interim_results=True), *messages(talk(seconds=5.0) + quiet())]
    alone = await finals(rig, requests)
    together = await asyncio.gather(*(finals(rig, requests) for _ in range(5)))
    assert together == [alone] * 5


@pytest.mark.parametrize(
    "rig", [{"precision": "float32"}, {"engine": "auto", "precision": "auto"}], indirect=True
)
async def test_a_long_recording_read_at_once_has_the_text_of_its_dictation(rig: Rig) -> None:
    # Eight without a pause, which are longer than an utterance may be, then some with one.
    names = [path.stem for path in sorted(RECORDINGS.glob("test_*.flac"))[:12]]
    parts = [talk(name) + quiet(1.0 * (number > 8)) for number, name in enumerate(names, start=1)]
    audio = b"".join(parts)
    assert len(audio) > 32_000 * 30
    request = predictor_pb2.RecognizeRequest(model="small", audio=wav(np.frombuffer(audio, dtype="<i2")))
    heard = await finals(rig, [config(), *messages(audio, 7_777)])
    assert len(heard) > 3
    for detail in (
        types_pb2.TranscriptDetail(),
        types_pb2.TranscriptDetail(word_times=True, confidence=True),
    ):
        request.detail.CopyFrom(detail)
        answer = await rig.stub.Recognize(request)
        assert answer.transcript.text == " ".join(result.text for result in heard)
