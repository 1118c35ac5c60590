"""`thanosql files`: files of the workspace."""

import sys
from pathlib import Path

import click

from thanosql.cli.context import address_option, guarded, inherited_address_option, open_client
from thanosql.cli.output import write_table
from thanosql.cli.progress import progress_display

_EPILOG = """\b
Examples:
  thanosql files
  thanosql files --prefix uploads/
  thanosql files put meeting.flac uploads/meeting.flac
  thanosql files get uploads/meeting.flac copy.flac"""


@click.group(invoke_without_command=True, epilog=_EPILOG)
@click.option("--prefix", default="", help="List only paths that begin with this.")
@address_option
@click.pass_context
@guarded
def files(context: click.Context, prefix: str, address: str | None) -> None:
    """List the files of the workspace."""
    context.obj = address
    if context.invoked_subcommand is not None:
        return
    with open_client(address) as client:
        lines = [[file.path, f"{file.size_bytes:,}"] for file in client.files(prefix)]
    write_table(["path", "bytes"], lines, sys.stdout)


@files.command(epilog="\b\nExample:\n  thanosql files put meeting.flac uploads/meeting.flac")
@click.argument("local_path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("path")
@inherited_address_option
@guarded
def put(local_path: Path, path: str, address: str | None) -> None:
    """Upload LOCAL_PATH to PATH, which begins with uploads/."""
    with open_client(address) as client, progress_display() as show:
        file = client.upload(local_path, path, on_progress=show)
    click.echo(f"{file.path}: {file.size_bytes:,} bytes")


@files.command(epilog="\b\nExample:\n  thanosql files get uploads/meeting.flac copy.flac")
@click.argument("path")
@click.argument("local_path", type=click.Path(path_type=Path))
@inherited_address_option
@guarded
def get(path: str, local_path: Path, address: str | None) -> None:
    """Download PATH to LOCAL_PATH."""
    with open_client(address) as client, progress_display() as show:
        file = client.download(path, local_path, on_progress=show)
    click.echo(f"{local_path}: {file.size_bytes:,} bytes")
