"""Settings: read once from the environment, frozen, unknown keys refused, secrets masked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from thanosql_runtime.nearest import nearest

PREFIX = "THANOSQL_"


def _host_and_port(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise ValueError(f"{address!r} is not host:port, such as 127.0.0.1:50051")
    return address


class Settings(BaseSettings):
    """Base of every settings class; a subclass sets `model_config = prefixed("STORAGE")`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")


def prefixed(section: str) -> SettingsConfigDict:
    """Configuration of a class whose variables are `THANOSQL_<SECTION>__<FIELD>`."""
    return SettingsConfigDict(env_prefix=f"{PREFIX}{section}__", frozen=True, extra="forbid")


class HomeSettings(Settings):
    """Where the server keeps its state: `THANOSQL_HOME`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    home: Path = Field(default=Path(".thanosql"), description="directory of the server's state")


class ServerSettings(Settings):
    """The port: `THANOSQL_SERVER__*`."""

    model_config = prefixed("SERVER")

    address: Annotated[str, AfterValidator(_host_and_port)] = Field(
        default="127.0.0.1:50051", description="host:port to listen on; port 0 picks one"
    )
    reflection: bool = Field(default=True, description="answer gRPC reflection")
    peer_token: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="secret that the services show each other; made at start in one process",
    )
    drain_s: float = Field(default=2.0, ge=0, description="seconds between NOT_SERVING and refusing calls")
    grace_s: float = Field(default=20.0, ge=0, description="seconds that calls in flight may take to end")
    log_format: str = Field(default="console", pattern="^(console|json)$", description="console or json")
    log_level: Annotated[str, BeforeValidator(str.upper)] = Field(
        default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="least level that is logged"
    )
    stop_on_stdin_eof: bool = Field(
        default=False,
        description="stop when the standard input ends, with the program at its other end",
    )


class PeerSettings(Settings):
    """Addresses of the other services, where they run elsewhere: `THANOSQL_PEERS__*`."""

    model_config = prefixed("PEERS")

    parser: str | None = Field(default=None, description="host:port, or dns:///name:port")
    storage: str | None = Field(default=None, description="host:port, or dns:///name:port")
    trainer: str | None = Field(default=None, description="host:port, or dns:///name:port")
    predictor: str | None = Field(default=None, description="host:port, or dns:///name:port")


def unknown_variables(environment: Mapping[str, str], classes: list[type[BaseSettings]]) -> list[str]:
    """What is wrong with each `THANOSQL_` variable that no settings class knows."""
    known = {name for settings in classes for name in variable_names(settings)}
    wrong = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    return [_explain(name, known) for name in wrong]


def variable_names(settings: type[BaseSettings]) -> list[str]:
    """The environment variables that a class reads."""
    prefix = str(settings.model_config.get("env_prefix", ""))
    return [f"{prefix}{field}".upper() for field in settings.model_fields]


def masked(settings: BaseSettings) -> dict[str, Any]:
    """The values as they may be printed."""
    return settings.model_dump(mode="json")


def explain_invalid(failure: ValidationError, classes: list[type[BaseSettings]]) -> list[str]:
    """What is wrong with each value, by the variable that gave it."""
    prefixes = {settings.__name__: str(settings.model_config.get("env_prefix", "")) for settings in classes}
    prefix = prefixes.get(failure.title, PREFIX)
    lines = []
    for fault in failure.errors(include_url=False, include_input=False):
        field = "__".join(str(part) for part in fault["loc"])
        subject = f"{prefix}{field}".upper() if field else f"{prefix}*"
        lines.append(f"{subject}: {fault['msg']}")
    return lines


def environment() -> Mapping[str, str]:
    """The process's environment; the one place that reads it besides the settings classes."""
    return dict(os.environ)


def _explain(name: str, known: set[str]) -> str:
    suggestion = nearest(name, sorted(known), least=75)
    hint = f"; did you mean {suggestion}?" if suggestion else ""
    return f"{name} is not a setting{hint}"
