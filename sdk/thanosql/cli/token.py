"""`thanosql token`: where tokens are kept, and how to change them."""

import sys

import click

from thanosql.cli.context import (
    EXIT_FAILED,
    address_option,
    guarded,
    inherited_address_option,
    open_client,
)
from thanosql.connection import environment_token, resolve_address
from thanosql.errors import AuthenticationError
from thanosql.tokens import checked_token, keep_token, read_token, token_path

_EPILOG = """\b
Examples:
  thanosql token                       # where it is kept
  thanosql token set                   # asks for the one that the server printed, and keeps it
  thanosql token rotate                # have the server make a new one, and keep it"""

_SET_EPILOG = """\b
Examples:
  thanosql token set
  thanosql token set --address speech.example.org:50051 < token.txt"""


@click.group(invoke_without_command=True, epilog=_EPILOG)
@address_option
@click.pass_context
@guarded
def token(context: click.Context, address: str | None) -> None:
    """Say where the token is kept, without showing it."""
    context.obj = address
    if context.invoked_subcommand is not None:
        return
    at = resolve_address(address)
    state = f"the token of {at} is kept in" if read_token(at) else f"no token of {at} is kept in"
    click.echo(f"{state} {token_path()}")
    _warn_of_environment()


@token.command("set", epilog=_SET_EPILOG)
@click.argument("value", metavar="[TOKEN]", required=False)
@inherited_address_option
@guarded
def set_token(value: str | None, address: str | None) -> None:
    """Keep a token in a file that only you may read.

    Without TOKEN the command asks for it, or reads it from the standard input. A token that is typed
    as an argument stays in the history of the shell.
    """
    given = checked_token(value or _read_secret())
    if not given:
        raise click.UsageError("no token given")
    at = resolve_address(address)
    click.echo(f"the token of {at} is kept in {keep_token(given, at)}")
    _warn_of_environment()


@token.command(epilog="\b\nExample:\n  thanosql token rotate")
@inherited_address_option
@guarded
def rotate(address: str | None) -> None:
    """Have the server make a new token; the old one ends at once."""
    with open_client(address) as client:
        fresh = client.rotate_token()
    try:
        path = keep_token(fresh, client.address)
    except (OSError, AuthenticationError) as failure:
        click.echo(f"the new token could not be kept: {failure}\nthis is the only copy of it:", err=True)
        click.echo(fresh)
        sys.exit(EXIT_FAILED)
    click.echo(f"the new token of {client.address} is kept in {path}")
    _warn_of_environment("; it has just ended, so unset it")


def _read_secret() -> str:
    if sys.stdin.isatty():
        secret: str = click.prompt("token", hide_input=True, err=True)
        return secret
    return sys.stdin.read()


def _warn_of_environment(more: str = "") -> None:
    if environment_token():
        click.echo(f"THANOSQL_API_TOKEN is set here and goes before the kept token{more}", err=True)
