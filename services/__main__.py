"""Start all services, or one of them by name.

\b
    python -m services all                         everything in one process, on one port
    python -m services predictor                   one service; THANOSQL_PEERS__* say where the others are
    python -m services probe 127.0.0.1:50051       exit status 0 when that port serves
    python -m services settings                    every setting, its variable and its value

Settings are environment variables; docs/operations.md lists them.
"""  # noqa: D301 - click takes the backspace for "leave these lines as they are"

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import click
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from services.modules import in_start_order, settings_classes
from services.root import StartError, run
from thanosql_runtime.errors import ThanosqlError
from thanosql_runtime.logs import configure_logs
from thanosql_runtime.memory import keep_freed_memory
from thanosql_runtime.settings import (
    ServerSettings,
    environment,
    explain_invalid,
    masked,
    unknown_variables,
    variable_names,
)

_CLIENT_VARIABLES = ("THANOSQL_ADDRESS", "THANOSQL_API_TOKEN")


@click.group(help=__doc__, invoke_without_command=False, context_settings={"max_content_width": 100})
def main() -> None:
    """Command line of the server."""


def _say(line: str) -> None:
    print(line, flush=True)


def _serve(names: tuple[str, ...]) -> None:
    _refuse_unknown_variables()
    settings = ServerSettings()
    configure_logs(settings.log_format, settings.log_level)
    keep_freed_memory()
    asyncio.run(run(in_start_order(names), settings, _say))


def _refuse_unknown_variables() -> None:
    variables = {key: value for key, value in environment().items() if key not in _CLIENT_VARIABLES}
    wrong = unknown_variables(variables, settings_classes())
    if wrong:
        raise StartError("; ".join(wrong))


@main.command()
@click.argument("address", default="127.0.0.1:50051")
@click.option("--service", default="", help="Full name, such as thanosql.v1.ParserService; all when absent.")
def probe(address: str, service: str) -> None:
    """Exit with 0 when ADDRESS answers SERVING.

    Example: python -m services probe 127.0.0.1:50051
    """
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        except grpc.RpcError as failure:
            raise click.ClickException(f"{address} does not answer: {failure.details()}") from failure
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    click.echo(status)
    sys.exit(0 if status == "SERVING" else 1)


@main.command()
def settings() -> None:
    """Print every setting: its variable and its value, secrets masked.

    Example: python -m services settings
    """
    for line in _settings_lines():
        click.echo(line)


def _settings_lines() -> Iterator[str]:
    for settings_class in settings_classes():
        values = masked(settings_class())
        for variable, value in zip(variable_names(settings_class), values.values(), strict=True):
            yield f"{variable}={'' if value is None else value}"


def _command(name: str, text: str) -> click.Command:
    return click.Command(name, callback=lambda: _serve((name,)), help=text)


for _name, _text in {
    "all": "Serve everything on one port.",
    "gateway": "Serve the front door: statements, jobs, files.",
    "parser": "Serve the parser.",
    "storage": "Serve tables, files and the catalog of models.",
    "trainer": "Serve fine-tuning jobs.",
    "predictor": "Serve transcription.",
}.items():
    main.add_command(_command(_name, f"{_text}\n\nExample: python -m services {_name}"))


if __name__ == "__main__":
    try:
        main(prog_name="python -m services")
    except ValidationError as failure:
        lines = explain_invalid(failure, settings_classes())
        print(f"error: {'; '.join(lines)}", file=sys.stderr)
        sys.exit(1)
    except (StartError, ThanosqlError, OSError) as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
