"""The gateway, put together."""

import asyncio
from importlib.metadata import PackageNotFoundError, version

import grpc

from services.gateway.core.admission import Admission
from services.gateway.core.execution import Executor
from services.gateway.core.run import Limits
from services.gateway.core.tokens import TokenKeeper
from services.gateway.peers import connect
from services.gateway.servicer import GatewayServicer
from services.gateway.settings import GatewaySettings
from thanosql.v1 import gateway_pb2, gateway_pb2_grpc
from thanosql_runtime.service import Authoriser, Context, Service

FULL_NAME = gateway_pb2.DESCRIPTOR.services_by_name["GatewayService"].full_name


class GatewayApp:
    """The gateway as the composition root sees it."""

    def __init__(self, servicer: GatewayServicer, tokens: TokenKeeper) -> None:
        self._servicer = servicer
        self._tokens = tokens

    @property
    def full_name(self) -> str:
        """Name in health and reflection."""
        return FULL_NAME

    @property
    def authorise(self) -> Authoriser | None:
        """Users show the token."""
        return self._tokens.authorise

    def mount(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        gateway_pb2_grpc.add_GatewayServiceServicer_to_server(self._servicer, server)

    async def start(self) -> None:
        """Read the token's hash, or make the first token."""
        await asyncio.to_thread(self._tokens.start)

    async def stop(self) -> None:
        """Nothing is held open between calls."""


def build(settings: GatewaySettings, context: Context) -> Service:
    """The gateway, ready to be mounted."""
    tokens = TokenKeeper(context.home / "gateway" / "token.json", context.announce)
    links = connect(context.channels, settings.peer_timeout_s, context.stopping)
    limits = Limits(
        window_batches=settings.window_batches,
        media_files=settings.media_files,
        progress_interval_s=settings.progress_interval_s,
    )
    executor = Executor(
        peers=links.peers,
        limits=limits,
        admission=Admission(settings.max_concurrent_calls, settings.retry_delay_s),
        max_text_bytes=settings.max_text_bytes,
    )
    return GatewayApp(GatewayServicer(executor, links, tokens, _version()), tokens)


def _version() -> str:
    try:
        return version("thanosql")
    except PackageNotFoundError:  # run from a tree that was never installed
        return "0.0.0"
