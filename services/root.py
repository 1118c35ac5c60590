"""Runs services in this process until it is told to stop."""

import asyncio
import os
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Sequence

import structlog
from pydantic import SecretStr

from services.modules import MODULES, Module
from thanosql_runtime.channel import PeerChannels
from thanosql_runtime.server import Server
from thanosql_runtime.service import Context
from thanosql_runtime.settings import HomeSettings, PeerSettings, ServerSettings

_log = structlog.get_logger("root")


class StartError(Exception):
    """The process cannot start; the text says why and what to do."""


async def run(modules: Sequence[Module], settings: ServerSettings, announce: Callable[[str], None]) -> None:
    """Serve `modules` until SIGINT or SIGTERM.

    Raises:
        StartError: The port is taken, a peer's address or the peers' token is missing.
    """
    peer_token = _peer_token(modules, settings)
    server = Server(settings, peer_token)
    try:
        address = server.bind()
    except OSError as failure:
        raise StartError(str(failure)) from failure
    channels = PeerChannels(_addresses(modules, address), peer_token)
    home = HomeSettings().home.expanduser().resolve()
    context = Context(
        home=home,
        channels=channels,
        report_health=server.report_health,
        announce=announce,
        stopping=server.stopping,
    )
    ending = _Ending()
    ending.on_signals()
    if settings.stop_on_stdin_eof:
        ending.on_stdin_eof()
    try:
        announce(f"state in {home}")
        announce(f"listening on {address}")
        starting = asyncio.ensure_future(server.start([module.build(context) for module in modules]))
        if await _first(starting, ending.asked):
            announce("ready")
            await ending.asked.wait()
        _log.info("stopping")
    finally:
        await server.stop(ending.hurry)
        await channels.close()


async def _first(starting: "asyncio.Future[None]", stopping: asyncio.Event) -> bool:
    """True once started; False when told to stop before, with the start cancelled."""
    told = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
    if starting.done():
        starting.result()
        return True
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    return False


class _Ending:
    """Whether the process was asked to stop, and whether it was asked again."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.hurry = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def on_signals(self) -> None:
        """SIGINT or SIGTERM asks; a second one is in a hurry."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._ask)

    def on_stdin_eof(self) -> None:
        """The end of the standard input asks: the program that held its other end is gone."""
        threading.Thread(target=self._read_stdin, name="stdin", daemon=True).start()

    def _ask(self) -> None:
        (self.hurry if self.asked.is_set() else self.asked).set()

    def _read_stdin(self) -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        self._loop.call_soon_threadsafe(self.asked.set)


def _peer_token(modules: Sequence[Module], settings: ServerSettings) -> str:
    secret: SecretStr | None = settings.peer_token
    if secret is not None:
        return secret.get_secret_value()
    if len(modules) < len(MODULES):
        raise StartError(
            "services that run apart must share a secret: set THANOSQL_SERVER__PEER_TOKEN "
            "to the same long random text in each of them"
        )
    return secrets.token_urlsafe(32)


def _addresses(modules: Sequence[Module], own: str) -> Callable[[str], str]:
    """Where each service is: here when it runs here, else where the settings say."""
    here = {module.name for module in modules}
    peers = PeerSettings()
    missing = {need for module in modules for need in module.needs if need not in here}
    unset = sorted(name for name in missing if getattr(peers, name) is None)
    if unset:
        variables = ", ".join(f"THANOSQL_PEERS__{name.upper()}" for name in unset)
        raise StartError(f"set {variables} to the address (host:port) of each")
    host, _, port = own.rpartition(":")
    reachable = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - compared, not bound
    loopback = f"{reachable}:{port}"
    return lambda name: loopback if name in here else str(getattr(peers, name))
