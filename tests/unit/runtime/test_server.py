import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.fakes.runtime_shapes import METHODS, NAME, ShapesService, call
from thanosql_runtime.channel import PEER_TOKEN_KEY, check_peer_token
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import PEER_TOKEN, eventually, peer_channel, serving


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


@pytest.mark.parametrize("method", METHODS)
async def test_a_malformed_request_is_an_invalid_argument(
    shapes: tuple[Any, grpc.aio.Channel], method: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call(shapes[1], method, "hello", serialise=lambda _request: b"\xff\xff\xff")
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert from_rpc_error(raised.value, "shapes").reason is Reason.INVALID_ARGUMENT


@pytest.mark.parametrize("method", METHODS)
async def test_a_malformed_request_of_a_stranger_is_refused_unread(tmp_path: Path, method: str) -> None:
    async with (
        serving([lambda _context: ShapesService()], tmp_path) as address,
        grpc.aio.insecure_channel(address) as stranger,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await call(stranger, method, "hello", serialise=lambda _request: b"\xff\xff\xff")
    assert raised.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_method_that_does_not_exist_is_unimplemented(
    shapes: tuple[Any, grpc.aio.Channel],
) -> None:
    for path in (f"/{NAME}/Nothing", "/nobody/Nothing", "nothing"):
        stub: Any = shapes[1].unary_unary(path)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await stub(b"")
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_silent_call_is_not_cut_for_its_pings(tmp_path: Path) -> None:
    service = ShapesService()
    pinging = [("grpc.keepalive_time_ms", 1_100), ("grpc.http2.max_pings_without_data", 0)]
    metadata = ((PEER_TOKEN_KEY, PEER_TOKEN),)
    async with (
        serving([lambda _context: service], tmp_path) as address,
        grpc.aio.insecure_channel(address, options=pinging) as channel,
    ):
        stub: Any = channel.unary_stream(f"/{NAME}/UnaryStream", request_serializer=lambda text: text)
        answers = stub(b"\n\x06silent", metadata=metadata)
        await answers.read()
        reading = asyncio.ensure_future(answers.read())
        done, _ = await asyncio.wait([reading], timeout=7)
        assert not done
        service.go_on.set()
        assert await reading
        assert await answers.read() is grpc.aio.EOF
        assert await answers.code() is grpc.StatusCode.OK


def test_an_empty_peers_token_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        check_peer_token("")


def test_a_peers_token_that_is_no_ascii_is_wrong_and_no_crash() -> None:
    with pytest.raises(ThanosqlError) as raised:
        check_peer_token("secret")({PEER_TOKEN_KEY: "gehéim"})
    assert raised.value.reason is Reason.PERMISSION_DENIED
