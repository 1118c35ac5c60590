"""Channels between the services: the peers' token on every call, retries for what may be repeated."""

import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

import grpc

from thanosql_runtime.errors import Reason, error

PEER_TOKEN_KEY = "x-thanosql-peer"  # noqa: S105 - the name of a metadata key
MAX_MESSAGE_BYTES = 8 << 20
# A call may say nothing for minutes; pings keep its connection known to be alive.
KEEPALIVE_MS = 30_000

# Reads, and writes that carry a request id; a broken connection is tried again under the hood.
_REPEATABLE = {
    "thanosql.v1.ParserService": ("Parse",),
    "thanosql.v1.StorageService": (
        "GetTable",
        "ListTables",
        "GetModel",
        "ListModels",
        "ListModelVersions",
        "RegisterModel",
        "ListFiles",
        "ListLeftovers",
        "GetFileUpload",
        "SignFileUrl",
        "DeleteSnapshot",
        "ListSnapshots",
    ),
    "thanosql.v1.TrainerService": ("CreateTrainingJob", "GetTrainingJob", "ListTrainingJobs"),
    "thanosql.v1.PredictorService": ("ListLoadedModels", "GetStatistics"),
}

_RETRY_POLICY = {
    "maxAttempts": 4,
    "initialBackoff": "0.1s",
    "maxBackoff": "2s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def message_options() -> list[tuple[str, int]]:
    """Limits that servers and channels share."""
    return [
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ]


def open_channel(address: str, peer_token: str) -> grpc.aio.Channel:
    """A channel to the services at `address` that presents the peers' token."""
    names = [{"service": s, "method": m} for s, methods in _REPEATABLE.items() for m in methods]
    config = {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [{"name": names, "retryPolicy": _RETRY_POLICY}],
    }
    options: list[tuple[str, Any]] = [
        *message_options(),
        ("grpc.service_config", json.dumps(config)),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.enable_retries", 1),
    ]
    return grpc.aio.insecure_channel(address, options=options, interceptors=_peer_interceptors(peer_token))


class PeerChannels:
    """One channel a service, opened on first use; satisfies `thanosql_runtime.service.Channels`."""

    def __init__(self, address_of: Callable[[str], str], peer_token: str) -> None:
        self._address_of = address_of
        self._peer_token = peer_token
        self._open: dict[str, grpc.aio.Channel] = {}

    def to(self, service: str) -> grpc.aio.Channel:
        """The channel to `service`."""
        if service not in self._open:
            self._open[service] = open_channel(self._address_of(service), self._peer_token)
        return self._open[service]

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._open.values():
            await channel.close()
        self._open.clear()


def check_peer_token(expected: str) -> Callable[[Mapping[str, str]], None]:
    """An authoriser that lets through calls with the peers' token alone.

    Raises:
        ValueError: The token is empty.
    """
    if not expected:
        raise ValueError("an empty peers' token would let everybody in")
    secret = expected.encode()

    def authorise(metadata: Mapping[str, str]) -> None:
        # As bytes: compare_digest takes no text outside ASCII, and callers send what they like.
        if not hmac.compare_digest(metadata.get(PEER_TOKEN_KEY, "").encode(), secret):
            raise error(
                Reason.PERMISSION_DENIED,
                "only the other services may call this one; use GatewayService",
            )

    return authorise


class _WithPeerToken:
    def __init__(self, token: str) -> None:
        self._token = token

    async def _forward(self, continuation: Any, details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        metadata.add(PEER_TOKEN_KEY, self._token)
        return await continuation(details._replace(metadata=metadata), request)


class _UnaryUnary(_WithPeerToken, grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._forward(continuation, client_call_details, request)


class _UnaryStream(_WithPeerToken, grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        return await self._forward(continuation, client_call_details, request)


class _StreamUnary(_WithPeerToken, grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._forward(continuation, client_call_details, request_iterator)


class _StreamStream(_WithPeerToken, grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        return await self._forward(continuation, client_call_details, request_iterator)


def _peer_interceptors(token: str) -> list[grpc.aio.ClientInterceptor]:
    return [_UnaryUnary(token), _UnaryStream(token), _StreamUnary(token), _StreamStream(token)]
