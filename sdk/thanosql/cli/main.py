"""`thanosql`: the command line."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from thanosql.cli.context import EXIT_FAILED, EXIT_INTERRUPTED
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
  thanosql transcribe meeting.flac"""


class _Interrupts:
    """Handles SIGINT as Python does, and remembers that it came."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        signal.default_int_handler(number, frame)


class _Commands(click.Group):
    """All commands; an interrupt ends them with 130 wherever it struck, where click would say 1."""

    # Any: whatever click takes and answers, which is of no interest here.
    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run from the command line."""
        with _remembered_interrupts() as interrupts:
            try:
                return super().main(*args, **kwargs)
            except SystemExit as end:
                if interrupts.came and end.code == EXIT_FAILED:
                    sys.exit(EXIT_INTERRUPTED)
                raise


@contextmanager
def _remembered_interrupts() -> Iterator[_Interrupts]:
    interrupts = _Interrupts()
    before = signal.getsignal(signal.SIGINT)
    # Not where somebody else handles interrupts, or has them ignored as a shell in the background does.
    ours = threading.current_thread() is threading.main_thread() and before is signal.default_int_handler
    try:
        if ours:
            signal.signal(signal.SIGINT, interrupts)
        yield interrupts
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)


@click.group(cls=_Commands, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="thanosql")
def main() -> None:
    """SQL about speech: transcribe, fine-tune and evaluate recognisers from one statement."""


for _command in (sql, serve, transcribe, token, jobs, files):
    main.add_command(_command)
