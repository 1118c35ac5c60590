"""`thanosql`: the command line."""

from concurrent.futures import CancelledError
from typing import Any, NoReturn

import click

from thanosql.cli.context import EXIT_INTERRUPTED
from thanosql.cli.dictate import dictate
from thanosql.cli.files import files
from thanosql.cli.jobs import jobs
from thanosql.cli.serve import serve
from thanosql.cli.sql import sql
from thanosql.cli.token import token
from thanosql.cli.transcribe import transcribe
from thanosql.version import __version__

_EPILOG = """\b
Examples:
  thanosql serve
  thanosql token set
  thanosql sql "LIST MODEL"
  thanosql transcribe meeting.flac
  thanosql dictate meeting.wav"""


class _Commands(click.Group):
    """All commands; an interrupt ends them with 130 wherever it struck, where click would say 1."""

    # Any: whatever click takes, which is of no interest here.
    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line."""
        try:
            context = super().make_context(*args, **kwargs)
        except KeyboardInterrupt:
            _interrupted()
        return context

    # Any: what a command answers, which is of no interest either.
    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            answer = super().invoke(ctx)
        except (KeyboardInterrupt, CancelledError):
            _interrupted()
        return answer


def _interrupted() -> NoReturn:
    click.echo("interrupted; the work was cancelled", err=True)
    raise click.exceptions.Exit(EXIT_INTERRUPTED)


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="thanosql")
def main() -> None:
    """SQL about speech: transcribe, fine-tune and evaluate recognisers from one statement."""


for _command in (sql, serve, transcribe, dictate, token, jobs, files):
    main.add_command(_command)
