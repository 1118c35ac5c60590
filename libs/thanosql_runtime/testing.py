"""For tests: real servers on free ports, in one process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
from pydantic import SecretStr

from thanosql_runtime.channel import PeerChannels, open_channel
from thanosql_runtime.server import Server
from thanosql_runtime.service import Context, Service
from thanosql_runtime.settings import ServerSettings

PEER_TOKEN = "the-peers-of-a-test"  # noqa: S105 - of tests alone

Build = Callable[[Context], Service]


@asynccontextmanager
async def serving(
    builds: Sequence[Build],
    home: Path,
    peers: Mapping[str, str] | None = None,
    announce: Callable[[str], None] = lambda _line: None,
) -> AsyncIterator[str]:
    """Serve what `builds` make on a free port; yields its address.

    Args:
        builds: Each makes one service, such as `lambda context: app.build(settings, context)`.
        home: Directory of the server's state.
        peers: Addresses of other services by name; a service that is not named is looked for here.
        announce: Receives what the server would print, such as the first token.
    """
    settings = ServerSettings(address="127.0.0.1:0", drain_s=0, grace_s=2, peer_token=SecretStr(PEER_TOKEN))
    server = Server(settings, PEER_TOKEN)
    address = server.bind()
    channels = PeerChannels(lambda name: (peers or {}).get(name, address), PEER_TOKEN)
    context = Context(
        home=home,
        channels=channels,
        report_health=server.report_health,
        announce=announce,
        stopping=server.stopping,
    )
    try:
        await server.start([build(context) for build in builds])
        yield address
    finally:
        await server.stop(asyncio.Event())
        await channels.close()


@asynccontextmanager
async def peer_channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A channel that the internal services accept."""
    async with open_channel(address, PEER_TOKEN) as channel:
        yield channel


async def eventually(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Give way until `condition` holds; `TimeoutError` when it never does."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - the condition is not ours to signal
            await asyncio.sleep(0.005)
