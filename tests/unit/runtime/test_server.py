from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.fakes.runtime_shapes import METHODS, NAME, ShapesService, call
from thanosql_runtime.errors import Reason
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import eventually, peer_channel, serving


@pytest.fixture
async def shapes(tmp_path: Path) -> AsyncIterator[tuple[ShapesService, grpc.aio.Channel]]:
    service = ShapesService()
    async with serving([lambda _context: service], tmp_path) as address, peer_channel(address) as channel:
        yield service, channel


@pytest.mark.parametrize("method", METHODS)
async def test_every_shape_answers(shapes: tuple[Any, grpc.aio.Channel], method: str) -> None:
    assert await call(shapes[1], method, "hello")


@pytest.mark.parametrize("method", METHODS)
async def test_every_shape_turns_an_error_into_a_status(
    shapes: tuple[Any, grpc.aio.Channel], method: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(shapes[1], method, "known")
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    failure = from_rpc_error(raised.value, "shapes")
    assert failure.reason is Reason.TABLE_NOT_FOUND
    assert failure.metadata == {"table": "t"}


@pytest.mark.parametrize("method", METHODS)
async def test_every_shape_hides_what_an_unexpected_error_says(
    shapes: tuple[Any, grpc.aio.Channel], method: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(shapes[1], method, "unknown")
    failure = from_rpc_error(raised.value, "shapes")
    assert failure.reason is Reason.INTERNAL
    assert "secret" not in failure.message
    assert failure.metadata["incident"] in failure.message


@pytest.mark.parametrize("method", METHODS)
async def test_overload_says_when_to_come_back(shapes: tuple[Any, grpc.aio.Channel], method: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(shapes[1], method, "overloaded")
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert from_rpc_error(raised.value, "shapes").retry_delay_s == 1.5


@pytest.mark.parametrize("method", METHODS)
async def test_every_shape_refuses_a_caller_without_the_peers_token(tmp_path: Path, method: str) -> None:
    async with (
        serving([lambda _context: ShapesService()], tmp_path) as address,
        grpc.aio.insecure_channel(address) as stranger,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(stranger, method, "hello")
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_client_that_leaves_closes_the_stream_in_the_server(
    shapes: tuple[ShapesService, grpc.aio.Channel],
) -> None:
    service, channel = shapes
    stub: Any = channel.unary_stream(
        f"/{NAME}/UnaryStream", request_serializer=lambda _text: b"\n\x07endless"
    )
    answers = stub("endless")
    await answers.read()
    answers.cancel()
    await eventually(lambda: service.closed_streams == 1)


async def test_health_and_reflection_need_no_token(tmp_path: Path) -> None:
    async with (
        serving([lambda _context: ShapesService()], tmp_path) as address,
        grpc.aio.insecure_channel(address) as stranger,
    ):
        health: Any = health_pb2_grpc.HealthStub(stranger)
        for service in ("", NAME):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        mirror: Any = reflection_pb2_grpc.ServerReflectionStub(stranger)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = [answer async for answer in mirror.ServerReflectionInfo(iter([request]))]
        names = {service.name for service in answers[0].list_services_response.service}
    assert {NAME, "grpc.health.v1.Health"} <= names


async def test_two_servers_in_one_process_do_not_meet(tmp_path: Path) -> None:
    first, second = ShapesService(), ShapesService()
    async with serving([lambda _context: first], tmp_path / "1") as one:
        async with serving([lambda _context: second], tmp_path / "2") as two:
            assert one != two
            async with peer_channel(one) as channel:
                assert await call(channel, "UnaryUnary", "hello") == ["hello"]
        assert (first.stopped, second.stopped) == (0, 1)
    assert (first.started, first.stopped) == (1, 1)
