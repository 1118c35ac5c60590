"""`thanosql token`: where the token is kept, and how to change it."""

import os

import click

from thanosql.cli.context import address_option, guarded, open_client
from thanosql.connection import keep_token, read_token, token_path

_EPILOG = """\b
Examples:
  thanosql token                       # where it is kept
  thanosql token set thanosql_...      # keep the one that the server printed
  thanosql token rotate                # have the server make a new one, and keep it"""


@click.group(invoke_without_command=True, epilog=_EPILOG)
@click.pass_context
def token(context: click.Context) -> None:
    """Say where the token is kept; the token itself is not shown."""
    if context.invoked_subcommand is None:
        state = "kept in" if read_token() else "none is kept yet; it would be kept in"
        click.echo(f"{state} {token_path()}")
        if os.environ.get("THANOSQL_API_TOKEN"):
            click.echo("THANOSQL_API_TOKEN is set and goes before it")


@token.command("set", epilog="\b\nExample:\n  thanosql token set thanosql_...")
@click.argument("value", metavar="TOKEN")
def set_token(value: str) -> None:
    """Keep TOKEN in a file that only you may read."""
    click.echo(f"kept in {keep_token(value.strip())}")


@token.command(epilog="\b\nExample:\n  thanosql token rotate")
@address_option
@guarded
def rotate(address: str | None) -> None:
    """Have the server make a new token; the old one ends at once."""
    with open_client(address) as client:
        path = keep_token(client.rotate_token())
    click.echo(f"the new token is kept in {path}")
