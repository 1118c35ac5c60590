"""What all commands share: where the server is, how errors end a command, where text goes."""

import functools
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.text import Text

from thanosql.client import ThanoSQL
from thanosql.connection import configured_address
from thanosql.errors import AuthenticationError, ThanoSQLError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_P = ParamSpec("_P")
_R = TypeVar("_R")

address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    default=configured_address,
    show_default="THANOSQL_ADDRESS, or 127.0.0.1:50051",
    help="Where the server is.",
)

# For a command below another that has the option too: before or after the command's name, both are right.
inherited_address_option = click.option(
    "--address",
    metavar="HOST:PORT",
    callback=lambda context, _option, value: value or context.obj,
    show_default="THANOSQL_ADDRESS, or 127.0.0.1:50051",
    help="Where the server is.",
)


def open_client(address: str | None) -> ThanoSQL:
    """A client with the token of this user."""
    return ThanoSQL(address)


def error_console() -> Console:
    """Where everything goes that is not a result."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say_error(failure: ThanoSQLError) -> None:
    """Draw an error on the error output."""
    console = error_console()
    head, _, rest = failure.drawn().partition(":")
    console.print(Text.assemble((head, "bold red"), ":", rest))
    if isinstance(failure, AuthenticationError):
        console.print(
            "keep the token that the server printed with: thanosql token set [--address HOST:PORT]",
            markup=False,
        )


def guarded(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Draw what a command raises, and end with the status that goes with it."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except ThanoSQLError as failure:
            say_error(failure)
            sys.exit(EXIT_FAILED)
        except BrokenPipeError:
            raise  # the reader has left; click ends the command without a word
        except UnicodeDecodeError as failure:
            fail(f"the statements are not UTF-8: byte {failure.start} cannot be read")
        except OSError as failure:
            fail(f"{failure.filename or 'a file'}: {failure.strerror or failure}")

    return run


def fail(message: str) -> NoReturn:
    """Say what went wrong, and end the command."""
    click.echo(f"error: {message}", err=True)
    sys.exit(EXIT_FAILED)
