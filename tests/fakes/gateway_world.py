"""A gateway on a real port with a real parser, and fakes for everything that holds data."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
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
from thanosql_runtime.testing import serving

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


@asynccontextmanager
async def gateway_world(home: Path, absent: Sequence[str] = (), **settings: Any) -> AsyncIterator[World]:
    """Serve the gateway; `settings` are of `GatewaySettings`, `absent` peers do not answer."""
    storage, trainer, predictor = FakeStorage(), FakeTrainer(), FakePredictor()
    announced: list[str] = []
    chosen = GatewaySettings(**{"progress_interval_s": 0.0, **settings})
    builds = [
        lambda context: build_parser(ParserSettings(), context),
        lambda _context: storage,
        lambda _context: trainer,
        lambda _context: predictor,
        lambda context: build_gateway(chosen, context),
    ]
    async with serving(
        builds, home, peers=dict.fromkeys(absent, NOBODY), announce=announced.append
    ) as address:
        token = token_in(announced)
        client = Client(address, token)
        try:
            yield World(
                address=address,
                token=token,
                client=client,
                storage=storage,
                trainer=trainer,
                predictor=predictor,
                announced=announced,
            )
        finally:
            await client.close()


def token_in(lines: list[str]) -> str:
    """The token that was told, or nothing."""
    found = re.search(r"thanosql_[\w-]{43}", "\n".join(lines))
    return found.group() if found else ""
