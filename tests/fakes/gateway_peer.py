"""What every fake service behind the gateway has in common."""

from typing import Any

import grpc

from thanosql_runtime.service import Authoriser


class FakeService:
    """Satisfies `thanosql_runtime.service.Service` for a servicer that subclasses it."""

    name = ""
    add_to_server: Any = None

    @property
    def full_name(self) -> str:
        return f"thanosql.v1.{self.name}"

    @property
    def authorise(self) -> Authoriser | None:
        return None

    def mount(self, server: grpc.aio.Server) -> None:
        type(self).add_to_server(self, server)

    async def start(self) -> None:
        """Nothing to make ready."""

    async def stop(self) -> None:
        """Nothing to release."""
