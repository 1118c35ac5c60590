"""`thanosql token`: where tokens are kept, and how to change them."""

import sys

import click

from thanosql.cli.context import (
    EXIT_FAILED,
    address_option,
    fail,
    guarded,
    inherited_address_option,
    open_client,
)
from thanosql.client import ThanoSQL
from thanosql.connection import environment_token, resolve_address
from thanosql.errors import AuthenticationError, DeadlineExceeded, Unavailable
from thanosql.tokens import checked_token, keep_token, read_token, token_path

_VERIFY_S = 10.0

_EPILOG = """\b
Examples:
  thanosql token                       # where it is kept
  thanosql token set                   # asks for the one that the server printed, and keeps it
  thanosql token rotate                # have the server make a new one, and keep it"""

_SET_EPILOG = """\b
Examples:
  thanosql token set
  thanosql token set --address speech.example.org:50051 < token.txt
  thanosql token set --no-verify       # before the server runs"""


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
@click.option("--no-verify", is_flag=True, help="Keep it without asking the server whether it is right.")
@inherited_address_option
@guarded
def set_token(value: str | None, no_verify: bool, address: str | None) -> None:
    """Keep a token in a file that only you may read, once the server has taken it.

    Without TOKEN the command asks for it, or reads it from the standard input. A token that is typed
    as an argument stays in the history of the shell.
    """
    given = checked_token(value or _read_secret())
    if not given:
        raise click.UsageError("no token given")
    at = resolve_address(address)
    if not no_verify:
        _verify(given, at)
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


def _verify(given: str, address: str) -> None:
    """End the command unless the server takes the token."""
    try:
        with ThanoSQL(address, given) as client:
            client.server_info(timeout_s=_VERIFY_S)
    except AuthenticationError:
        fail(
            f"{address} does not take this token, so it was not kept; copy the one that the server printed "
            "at its first start, or name another server with --address"
        )
    except (Unavailable, DeadlineExceeded):
        fail(
            f"no server answers at {address} to verify the token, so it was not kept; start the server, "
            "name another one with --address, or add --no-verify"
        )


def _read_secret() -> str:
    if sys.stdin.isatty():
        secret: str = click.prompt("token", hide_input=True, err=True)
        return secret
    return sys.stdin.read()


def _warn_of_environment(more: str = "") -> None:
    if environment_token():
        click.echo(f"THANOSQL_API_TOKEN is set here and goes before the kept token{more}", err=True)
