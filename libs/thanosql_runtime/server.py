"""One port: services mounted on one asyncio server, with health, reflection and an orderly end."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from thanosql_runtime.channel import check_peer_token, message_options
from thanosql_runtime.interceptors import AccessInterceptor, ErrorInterceptor, LogInterceptor
from thanosql_runtime.service import Authoriser, Service
from thanosql_runtime.settings import ServerSettings

_log = structlog.get_logger("server")

_STATUS = health_pb2.HealthCheckResponse
# By default a server ends the connection of a client that pings a silent call more than every five minutes.
_PATIENCE = (
    # gRPC's documentation has `min_recv_ping_...`; the key that its core reads is this one.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
)
_OPEN = ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")


class Server:
    """A bound port and the services behind it, from NOT_SERVING to SERVING and back."""

    def __init__(self, settings: ServerSettings, peer_token: str) -> None:
        self.stopping = asyncio.Event()
        self._settings = settings
        self._peer_token = peer_token
        self._policies: dict[str, Authoriser] = dict.fromkeys(_OPEN, lambda _metadata: None)
        self._services: list[Service] = []
        self._started: list[Service] = []
        self._health = health_aio.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[ErrorInterceptor(), LogInterceptor(), AccessInterceptor(self._policies)],
            options=[*message_options(), ("grpc.so_reuseport", 0), *_PATIENCE],
        )
        self._health_tasks: set[asyncio.Task[None]] = set()

    def bind(self) -> str:
        """Take the port; answers its address with the port that was really taken.

        Raises:
            OSError: The address is in use or not of this machine.
        """
        host = self._settings.address.rpartition(":")[0]
        try:
            port = self._server.add_insecure_port(self._settings.address)
        except RuntimeError as failure:
            message = f"cannot listen on {self._settings.address}: in use, or not of this machine"
            raise OSError(message) from failure
        return f"{host}:{port}"

    async def start(self, services: Sequence[Service]) -> None:
        """Listen, then start the services in the order given; health follows each."""
        self._services = list(services)
        for service in self._services:
            self._policies[service.full_name] = service.authorise or check_peer_token(self._peer_token)
            service.mount(self._server)
            await self._health.set(service.full_name, _STATUS.NOT_SERVING)
        await self._health.set("", _STATUS.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if self._settings.reflection:
            names = [service.full_name for service in self._services]
            reflection.enable_server_reflection([*names, *_OPEN], self._server)
        await self._server.start()
        for service in self._services:
            self._started.append(service)
            await service.start()
            await self._health.set(service.full_name, _STATUS.SERVING)
        await self._health.set("", _STATUS.SERVING)

    def report_health(self, full_name: str, serving: bool) -> None:
        """Tell health of a service, from any place on the loop."""
        status = _STATUS.SERVING if serving else _STATUS.NOT_SERVING
        task = asyncio.get_running_loop().create_task(self._health.set(full_name, status))
        self._health_tasks.add(task)
        task.add_done_callback(self._health_tasks.discard)

    async def stop(self, hurry: asyncio.Event) -> None:
        """NOT_SERVING, let callers notice, end what is in flight, then stop the services in reverse.

        Args:
            hurry: When set, calls in flight are ended at once.
        """
        self.stopping.set()
        await self._health.enter_graceful_shutdown()
        if self._started:
            await _within(hurry, asyncio.sleep(self._settings.drain_s))
        await _within(hurry, self._server.stop(self._settings.grace_s))
        await self._server.stop(0)
        for service in reversed(self._started):
            try:
                await service.stop()
            except Exception:  # noqa: BLE001 - the others must still be stopped
                _log.exception("stop failed", service=service.full_name)
        self._started.clear()


async def _within(hurry: asyncio.Event, waiting: Coroutine[Any, Any, None]) -> None:
    """Wait, or stop waiting when told to hurry."""
    tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(hurry.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
