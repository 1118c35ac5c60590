"""Where the server is, how to prove who we are, and the channel between."""

import json
import os
from pathlib import Path

import grpc
import platformdirs

from thanosql.errors import AuthenticationError

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
    "ListWorkspaceFiles",
    "GetServerInfo",
)

_RETRY_POLICY = {
    "maxAttempts": 3,
    "initialBackoff": "0.1s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}


def token_path() -> Path:
    """The file that keeps the token of this user."""
    return platformdirs.user_config_path("thanosql") / "token"


def configured_address() -> str | None:
    """The address that the environment names, if any."""
    return os.environ.get("THANOSQL_ADDRESS") or None


def resolve_address(address: str | None) -> str:
    """The address given, or that of the environment, or the default."""
    return address or configured_address() or DEFAULT_ADDRESS


def resolve_token(token: str | None) -> str:
    """The token given, or that of the environment, or the one kept in a file, or an empty one.

    Raises:
        AuthenticationError: It is not a token at all.
    """
    found = (token or os.environ.get("THANOSQL_API_TOKEN") or read_token()).strip()
    if not (found.isascii() and found.isprintable()):
        message = "the token holds characters that no token has; copy it again from the server's first start"
        raise AuthenticationError(reason="INVALID_TOKEN", message=message)
    return found


def read_token() -> str:
    """The token kept in the file; empty when there is none."""
    try:
        return token_path().read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def keep_token(token: str) -> Path:
    """Keep a token in a file that only this user may read; answers where."""
    path = token_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(token + "\n")
    fresh.replace(path)
    return path


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel that tries reads again when the connection breaks."""
    names = [{"service": _SERVICE, "method": method} for method in _REPEATABLE]
    config = {"methodConfig": [{"name": names, "retryPolicy": _RETRY_POLICY}]}
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 1),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.primary_user_agent", "thanosql"),
    ]
    return grpc.aio.insecure_channel(address, options=options)
