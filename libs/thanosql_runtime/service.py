"""What a service is to the composition root, and what the root gives to a service."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import grpc

Authoriser = Callable[[Mapping[str, str]], None]
"""Gets a call's metadata; raises `ThanosqlError` when the call is not allowed."""


class Channels(Protocol):
    """Channels to the other services, opened on first use and closed by the root."""

    def to(self, service: str) -> grpc.aio.Channel:
        """The channel to `parser`, `storage`, `trainer` or `predictor`."""
        ...


@dataclass(frozen=True, kw_only=True)
class Context:
    """What every service is built with.

    Attributes:
        home: Directory of the server's state; each service keeps to its own part of it.
        channels: Ways to the other services.
        report_health: Tells health of a service: `report_health(name, serving)`.
        announce: Prints one line for the person who started the server.
        stopping: Set once the server begins to stop, while calls in flight may still end.
    """

    home: Path
    channels: Channels
    report_health: Callable[[str, bool], None]
    announce: Callable[[str], None]
    stopping: asyncio.Event


class Service(Protocol):
    """One of the five. `services.<name>.app.build(settings, context)` returns it."""

    @property
    def full_name(self) -> str:
        """Name in health and reflection, such as `thanosql.v1.ParserService`."""
        ...

    @property
    def authorise(self) -> Authoriser | None:
        """Decides about calls from users; None where only the other services may call."""
        ...

    def mount(self, server: grpc.aio.Server) -> None:
        """Add the servicer to a server that has not started."""
        ...

    async def start(self) -> None:
        """Make ready. The server already listens; health is told SERVING when this returns."""
        ...

    async def stop(self) -> None:
        """Release everything. No call is in flight any more."""
        ...
