"""`thanosql serve`: all services in one process."""

import os
from pathlib import Path

import click

from thanosql.cli.context import guarded
from thanosql.local_server import server_command, server_environment

_EPILOG = """\b
Examples:
  thanosql serve
  thanosql serve --address 0.0.0.0:50051 --home /var/lib/thanosql --workspace /data/speech"""


@click.command(epilog=_EPILOG)
@click.option("--address", metavar="HOST:PORT", help="Where to listen; 127.0.0.1:50051 by default.")
@click.option("--home", type=click.Path(path_type=Path), help="Where tables and models are kept.")
@click.option(
    "--workspace",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder that paths in statements are relative to.",
)
@guarded
def serve(address: str | None, home: Path | None, workspace: Path | None) -> None:
    """Run all services in one process.

    The first start prints a token; keep it with: thanosql token set
    """
    command = server_command()
    environment = server_environment(address=address, home=home, workspace=workspace, base=os.environ)
    # The server takes the place of this process, so that signals reach it directly.
    os.execve(command[0], command, environment)  # noqa: S606 - no shell, fixed arguments
