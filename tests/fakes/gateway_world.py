"""A gateway on a real port with a real parser, and fakes for everything that holds data."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.gateway.app import build as build_gateway
from services.gateway.settings import GatewaySettings
from services.parser.app import build as build_parser
from services.parser.settings import ParserSettings
from tests.fakes.gateway_client import Client
from tests.fakes.gateway_predictor import FakePredictor
from tests.fakes.gateway_storage import FakeStorage
from tests.fakes.gateway_trainer import FakeTrainer
from thanosql_runtime.service import Context, Service
from thanosql_runtime.testing import Build, serving

NOBODY = "127.0.0.1:1"


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that a test of the gateway touches."""

    address: str
    token: str
    client: Client
    storage: FakeStorage
    trainer: FakeTrainer
    predictor: FakePredictor
    announced: list[str]
    stopping: asyncio.Event
    """Set, it tells the gateway that its server begins to stop."""


@asynccontextmanager
async def gateway_world(
    home: Path, absent: Sequence[str] = (), apart: bool = False, **settings: Any
) -> AsyncIterator[World]:
    """Serve the gateway and all behind it on one port.

    Args:
        home: Directory of the server's state.
        absent: Peers that do not answer.
        apart: Every service gets a server and a port of its own.
        settings: Fields of `GatewaySettings`.
    """
    storage, trainer, predictor = FakeStorage(), FakeTrainer(), FakePredictor()
    announced: list[str] = []
    chosen = GatewaySettings(**{"progress_interval_s": 0.0, **settings})
    builds: dict[str, Build] = {
        "parser": lambda context: build_parser(ParserSettings(), context),
        "storage": lambda _context: storage,
        "trainer": lambda _context: trainer,
        "predictor": lambda _context: predictor,
    }
    async with AsyncExitStack() as stack:
        peers = dict.fromkeys(absent, NOBODY)
        if apart:
            for name in list(builds):
                peers[name] = await stack.enter_async_context(serving([builds.pop(name)], home))
        contexts: list[Context] = []

        def gateway(context: Context) -> Service:
            contexts.append(context)
            return build_gateway(chosen, context)

        together = [*builds.values(), gateway]
        server = serving(together, home, peers=peers, announce=announced.append)
        address = await stack.enter_async_context(server)
        client = Client(address, token_in(announced))
        stack.push_async_callback(client.close)
        yield World(
            address=address,
            token=token_in(announced),
            client=client,
            storage=storage,
            trainer=trainer,
            predictor=predictor,
            announced=announced,
            stopping=contexts[0].stopping,
        )


def token_in(lines: list[str]) -> str:
    """The token that was told, or nothing."""
    found = re.search(r"thanosql_[\w-]{43}", "\n".join(lines))
    return found.group() if found else ""
