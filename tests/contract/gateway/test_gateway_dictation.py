"""Live audio through the gateway to the predictor and back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest

from tests.fakes.gateway_world import World, gateway_world
from thanosql.v1 import gateway_pb2, predictor_pb2
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import eventually

Request = gateway_pb2.DictateRequest
CONFIG = Request(
    config=predictor_pb2.StreamingConfig(model="tutorial_audio_recognition", sample_rate_hz=16_000)
)
END = Request(finalize=predictor_pb2.FinalizeUtterance())


@pytest.fixture(params=[False, True], ids=["together", "apart"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with gateway_world(tmp_path, apart=request.param) as made:
        yield made


async def answers(world: World, requests: Sequence[gateway_pb2.DictateRequest]) -> list[str]:
    call = world.client.stub.Dictate(iter(requests), metadata=world.client.metadata)
    responses = [response async for response in call]
    assert responses[0].model.name == "tutorial_audio_recognition"
    return [result.text for response in responses for result in response.results]


async def failure_of(
    world: World, requests: Sequence[gateway_pb2.DictateRequest], *, token: bool = True
) -> ThanosqlError:
    metadata = world.client.metadata if token else ()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in world.client.stub.Dictate(iter(requests), metadata=metadata):
            pass
    return from_rpc_error(caught.value, "gateway")


async def test_audio_goes_through_and_what_is_heard_comes_back(world: World) -> None:
    requests = [CONFIG, Request(audio=b"abcd"), Request(audio=b"ab"), END]
    assert await answers(world, requests) == ["4 bytes", "2 bytes", "the end"]


async def test_what_is_heard_comes_while_the_caller_still_speaks(world: World) -> None:
    spoken: asyncio.Queue[gateway_pb2.DictateRequest] = asyncio.Queue()

    async def speaking() -> AsyncIterator[gateway_pb2.DictateRequest]:
        while True:
            yield await spoken.get()

    call = world.client.stub.Dictate(speaking(), metadata=world.client.metadata)
    responses = aiter(call)
    for request in (CONFIG, Request(audio=b"ab"), END):
        spoken.put_nowait(request)
        assert await asyncio.wait_for(anext(responses), 20)
    call.cancel()
    await eventually(lambda: world.predictor.open_streams == 0)


async def test_a_gateway_that_stops_lets_the_predictor_finish(world: World) -> None:
    async def speaking() -> AsyncIterator[gateway_pb2.DictateRequest]:
        yield CONFIG
        yield Request(audio=b"ab")
        await asyncio.Event().wait()

    responses = aiter(world.client.stub.Dictate(speaking(), metadata=world.client.metadata))
    for _ in range(2):
        await anext(responses)
    world.stopping.set()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(anext(responses), 20)
    assert from_rpc_error(caught.value, "gateway").reason is Reason.PEER_UNAVAILABLE
    assert world.predictor.open_streams == 0


async def test_nobody_dictates_without_the_token(world: World) -> None:
    assert (await failure_of(world, [CONFIG], token=False)).reason is Reason.INVALID_TOKEN
    assert world.predictor.open_streams == 0


async def test_failures_of_the_predictor_keep_their_reason(world: World) -> None:
    wrong = Request(config=predictor_pb2.StreamingConfig(model="nobody"))
    assert (await failure_of(world, [wrong])).reason is Reason.MODEL_NOT_FOUND
    world.predictor.fail_stream_after = 4
    assert (await failure_of(world, [CONFIG, Request(audio=b"abcd")])).reason is Reason.STORE_UNAVAILABLE


async def test_a_message_without_a_part_is_refused(world: World) -> None:
    assert (await failure_of(world, [CONFIG, Request()])).reason is Reason.INVALID_ARGUMENT


async def test_a_predictor_that_does_not_answer_is_named(tmp_path: Path) -> None:
    async with gateway_world(tmp_path, absent=["predictor"]) as world:
        failure = await failure_of(world, [CONFIG])
    assert failure.reason is Reason.PEER_UNAVAILABLE
    assert "predictor" in failure.message
