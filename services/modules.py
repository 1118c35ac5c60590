"""The five services, what each needs, and how each is made: the whole architecture in one table."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_settings import BaseSettings

from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.service import Context, Service
from thanosql_runtime.settings import HomeSettings, PeerSettings, ServerSettings


@dataclass(frozen=True, kw_only=True)
class Module:
    """One service as the composition root sees it.

    Attributes:
        name: On the command line, in settings and in `services/<name>`.
        needs: Services that must be ready before it, where they run in the same process.
    """

    name: str
    needs: tuple[str, ...] = ()

    def settings(self) -> type[BaseSettings]:
        """Its settings class; imports no more than that."""
        module = importlib.import_module(f"services.{self.name}.settings")
        found: type[BaseSettings] = getattr(module, f"{self.name.capitalize()}Settings")
        return found

    def build(self, context: Context) -> Service:
        """The service, wired; imports its libraries now, so that a parser needs no torch."""
        app = importlib.import_module(f"services.{self.name}.app")
        # The signature differs in its settings class alone.
        make: Callable[[Any, Context], Service] = app.build
        return make(self.settings()(), context)


MODULES: dict[str, Module] = {
    module.name: module
    for module in (
        Module(name="parser"),
        Module(name="storage"),
        Module(name="predictor", needs=("storage",)),
        Module(name="trainer", needs=("storage",)),
        Module(name="gateway", needs=("parser", "storage", "predictor", "trainer")),
    )
}


def in_start_order(names: Sequence[str]) -> list[Module]:
    """The named modules (`all` for every one), each behind what it needs.

    Raises:
        ValueError: A name is no service.
    """
    unknown = [name for name in names if name not in MODULES and name != "all"]
    if unknown:
        raise ValueError(f"no such service: {', '.join(unknown)}; known: all, {', '.join(MODULES)}")
    wanted = set(MODULES) if "all" in names else set(names)
    ordered: list[Module] = []

    def place(module: Module) -> None:
        for need in module.needs:
            place(MODULES[need])
        if module.name in wanted and module not in ordered:
            ordered.append(module)

    for module in MODULES.values():
        place(module)
    return ordered


def settings_classes() -> list[type[BaseSettings]]:
    """Every class that reads the environment."""
    own = [module.settings() for module in MODULES.values()]
    return [HomeSettings, ServerSettings, PeerSettings, ObjectSettings, *own]
