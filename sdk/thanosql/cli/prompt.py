"""The prompt of `thanosql sql`: lines are gathered until a statement ends with `;`."""

import contextlib
import re
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

import click

from thanosql.cli.context import say_error
from thanosql.errors import ThanoSQLError

_FIRST = "thanosql> "
_NEXT = "      ... "
_LEAVE = {"exit", "quit", "\\q"}

# Strings, quoted names and comments, in which a `;` ends nothing; an open one runs to the end.
_OPAQUE = re.compile(r"""'(?:[^']|'')*(?:'|\Z)|"(?:[^"]|"")*(?:"|\Z)|--[^\n]*|/\*.*?(?:\*/|\Z)""", re.DOTALL)


def prompt(run: Callable[[str], None], read: Callable[[str], str] = input) -> None:
    """Give the statements to `run` as they are typed, until the end of the input."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives input() line editing and history

    click.echo("statements end with ;   leave with exit or Ctrl-D", err=True)
    for text in statements(read):
        try:
            run(text)
        except ThanoSQLError as failure:
            say_error(failure)
        except (KeyboardInterrupt, CancelledError):
            click.echo("cancelled", err=True)


def statements(read: Callable[[str], str]) -> Iterator[str]:
    """Texts that end with `;`; an interrupt drops what was typed so far."""
    lines: list[str] = []
    while True:
        try:
            lines.append(read(_NEXT if lines else _FIRST))
        except KeyboardInterrupt:
            lines = []
            click.echo(err=True)
            continue
        except EOFError:
            click.echo(err=True)
            return
        text = "\n".join(lines)
        if text.strip().rstrip(";").lower() in _LEAVE:
            return
        if not text.strip():
            lines = []
        elif is_complete(text):
            yield text
            lines = []


def is_complete(text: str) -> bool:
    """True when the text ends with a `;` that is not part of a string or a comment."""
    return _OPAQUE.sub(_blank, text).rstrip().endswith(";")


def _blank(match: re.Match[str]) -> str:
    return "" if match.group().startswith(("--", "/*")) else "x"
