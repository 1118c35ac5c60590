"""The gateway over the real parser and the real storage; trainer and predictor are fakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.gateway.app import build as build_gateway
from services.gateway.settings import GatewaySettings
from services.parser.app import build as build_parser
from services.parser.settings import ParserSettings
from services.storage.app import build as build_storage
from services.storage.settings import StorageSettings
from tests.fakes.gateway_client import Client
from tests.fakes.gateway_predictor import FakePredictor
from tests.fakes.gateway_trainer import FakeTrainer
from tests.fakes.gateway_world import token_in
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.testing import serving


@asynccontextmanager
async def gateway_on_storage(
    folder: Path, workspace: Path, predictor: FakePredictor | None = None, **settings: Any
) -> AsyncIterator[Client]:
    """Serve them on a free port, with their state in the folder, and give a client of the gateway.

    Args:
        folder: Where their state is.
        workspace: The user's files.
        predictor: What hears them.
        settings: Fields of `StorageSettings`.
    """
    heard = predictor or FakePredictor()
    objects = open_objects(ObjectSettings(uri=str(folder / "objects"), workspace=str(workspace)))
    storage = StorageSettings(bundled_checkpoint=folder / "no-checkpoint", **settings)
    announced: list[str] = []
    builds = [
        lambda context: build_parser(ParserSettings(), context),
        lambda context: build_storage(storage, context, objects),
        lambda _context: FakeTrainer(),
        lambda _context: heard,
        lambda context: build_gateway(GatewaySettings(), context),
    ]
    async with serving(builds, folder / "home", announce=announced.append) as address:
        client = Client(address, token_in(announced))
        yield client
        await client.close()
