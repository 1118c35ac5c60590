"""Where the server is, how to prove who we are, and the channel between."""

import json
import os

import grpc

from thanosql.tokens import checked_token, read_token

DEFAULT_ADDRESS = "127.0.0.1:50051"
_MAX_MESSAGE_BYTES = 16 << 20
_SERVICE = "thanosql.v1.GatewayService"

# Reads alone: running a statement or writing a file twice is not the same as once.
_REPEATABLE = (
    "Explain",
    "GetJob",
    "ListJobs",
    "WatchJob",
    "DownloadFile",
    "GetUpload",
    "ListWorkspaceFiles",
    "GetFileUrl",
    "GetServerInfo",
)

_RETRY_POLICY = {
    "maxAttempts": 3,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def configured_address() -> str | None:
    """The address that the environment names, if any."""
    return os.environ.get("THANOSQL_ADDRESS") or None


def resolve_address(address: str | None) -> str:
    """The address given, or that of the environment, or the default."""
    return address or configured_address() or DEFAULT_ADDRESS


def resolve_token(token: str | None, address: str) -> str:
    """The token given, or that of the environment, or the one kept for the address, or an empty one.

    Raises:
        AuthenticationError: It is not a token at all, or the kept ones cannot be read.
    """
    return checked_token(token or environment_token() or read_token(address))


def environment_token() -> str:
    """The token that the environment holds; empty without one."""
    return os.environ.get("THANOSQL_API_TOKEN", "")


def channel_options() -> list[tuple[str, str | int]]:
    """Reads are tried again when the connection breaks; a dead one is found while a call waits.

    Servers refuse clients that ping too often, or while they call nothing.
    """
    names = [{"service": _SERVICE, "method": method} for method in _REPEATABLE]
    config = {"methodConfig": [{"name": names, "retryPolicy": _RETRY_POLICY}]}
    return [
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 1),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.primary_user_agent", "thanosql"),
    ]


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to a server."""
    return grpc.aio.insecure_channel(address, options=channel_options())
