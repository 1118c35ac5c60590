"""`thanosql files`: files of the workspace."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from thanosql.cli.context import address_option, guarded, inherited_address_option, open_client
from thanosql.cli.progress import Show, progress_display
from thanosql.client import ThanoSQL
from thanosql.errors import DeadlineExceeded, Overloaded, Unavailable
from thanosql.values import File, Progress

_PAGE_SIZE = 1000
_HOUR_S = 3600.0

_EPILOG = """\b
Examples:
  thanosql files ls uploads/
  thanosql files put meeting.flac uploads/meeting.flac
  thanosql files get uploads/meeting.flac copy.flac
  thanosql files rm uploads/meeting.flac"""


@click.group(invoke_without_command=True, epilog=_EPILOG)
@click.option("--prefix", default="", help="List only paths that begin with this.")
@address_option
@click.pass_context
@guarded
def files(context: click.Context, prefix: str, address: str | None) -> None:
    """List, send, fetch and delete files of the workspace."""
    context.obj = address
    if context.invoked_subcommand is None:
        _list(address, prefix, limit=None, page_token="")


@files.command(epilog="\b\nExamples:\n  thanosql files ls\n  thanosql files ls uploads/2026- --limit 100")
@click.argument("prefix", default="")
@click.option("--limit", type=click.IntRange(min=1), help="List so many; what to list next is said then.")
@click.option("--page-token", default="", help="Go on where a list with --limit ended.")
@inherited_address_option
@guarded
def ls(prefix: str, limit: int | None, page_token: str, address: str | None) -> None:
    """List the files whose path begins with PREFIX: size in bytes, time of the last write, path."""
    _list(address, prefix, limit=limit, page_token=page_token)


@files.command(epilog="\b\nExample:\n  thanosql files put meeting.flac uploads/meeting.flac")
@click.argument("local_path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("path")
@inherited_address_option
@guarded
def put(local_path: Path, path: str, address: str | None) -> None:
    """Upload LOCAL_PATH to PATH, which begins with uploads/.

    If it is interrupted, the same command goes on where it was.
    """
    with _transfer(address) as (client, show):
        file = client.upload(local_path, path, on_progress=show)
    click.echo(f"{file.path}: {file.size_bytes:,} bytes")


@files.command(epilog="\b\nExample:\n  thanosql files get uploads/meeting.flac copy.flac")
@click.argument("path")
@click.argument("local_path", type=click.Path(path_type=Path))
@inherited_address_option
@guarded
def get(path: str, local_path: Path, address: str | None) -> None:
    """Download PATH to LOCAL_PATH.

    If it is interrupted, the same command goes on where it was.
    """
    with _transfer(address) as (client, show):
        file = client.download(path, local_path, on_progress=show)
    click.echo(f"{local_path}: {file.size_bytes:,} bytes")


@files.command(epilog="\b\nExample:\n  thanosql files rm uploads/monday.wav uploads/tuesday.wav")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@inherited_address_option
@guarded
def rm(paths: tuple[str, ...], address: str | None) -> None:
    """Delete files under uploads/; the first that cannot be deleted ends it."""
    with open_client(address) as client:
        for path in paths:
            file = client.delete_file(path)
            click.echo(f"{file.path}: deleted, {file.size_bytes:,} bytes")


@files.command(epilog="\b\nExample:\n  thanosql files url uploads/meeting.flac --hours 24")
@click.argument("path")
@click.option("--hours", type=click.FloatRange(0, 168, min_open=True), default=1.0, show_default=True)
@inherited_address_option
@guarded
def url(path: str, hours: float, address: str | None) -> None:
    """Print an address at which a browser reads PATH, if the server keeps its files on S3.

    Whoever knows the address can read the file until it ends.
    """
    with open_client(address) as client:
        signed = client.file_url(path, lasts_s=hours * _HOUR_S)
    click.echo(signed.url)
    click.echo(f"good until {signed.expires.astimezone():%Y-%m-%d %H:%M %Z}", err=True)


@contextmanager
def _transfer(address: str | None) -> Iterator[tuple[ThanoSQL, Show]]:
    """A client, and what shows progress; says how a transfer goes on that was given up in the middle."""
    newest: list[Progress] = []

    def heed(progress: Progress) -> None:
        newest[:] = [progress]
        show(progress)

    try:
        with open_client(address) as client, progress_display() as show:
            yield client, heed
    except (Unavailable, DeadlineExceeded, Overloaded):
        if newest:
            click.echo("what has arrived is kept: the same command goes on with it", err=True)
        raise


def _list(address: str | None, prefix: str, *, limit: int | None, page_token: str) -> None:
    with open_client(address) as client:
        left = sys.maxsize if limit is None else limit
        while left:
            page = client.file_page(prefix, page_size=min(left, _PAGE_SIZE), page_token=page_token)
            for file in page.files:
                click.echo(_line(file))
            left -= len(page.files)
            page_token = page.next_page_token
            if not page_token:
                return
    click.echo(f"there are more; go on with --page-token {page_token!r}", err=True)


def _line(file: File) -> str:
    written = f"{file.updated.astimezone():%Y-%m-%d %H:%M}" if file.updated else ""
    return f"{file.size_bytes:>15,}  {written:16}  {file.path}"
