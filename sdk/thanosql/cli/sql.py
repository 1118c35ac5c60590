"""`thanosql sql`: one text from an argument, a file or the standard input, or a prompt."""

import functools
import sys
from typing import TextIO

import click

from thanosql.cli.context import address_option, guarded, open_client
from thanosql.cli.output import FORMATS, TERMINAL_ROWS
from thanosql.cli.prompt import prompt
from thanosql.cli.running import run_and_write

_EPILOG = """\b
Examples:
  thanosql sql "SELECT * FROM librispeech_train LIMIT 5"
  thanosql sql -f tutorial.sql
  thanosql sql --format csv "LIST MODEL" > models.csv
  thanosql sql                     # a prompt; a statement ends with ;"""


@click.command(epilog=_EPILOG)
@click.argument("statement", required=False)
@click.option("-f", "--file", type=click.File(encoding="utf-8"), help="Read the statements from a file.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="How to write rows.",
)
@click.option(
    "--all", "all_rows", is_flag=True, help=f"Draw more than {TERMINAL_ROWS:,} rows in a terminal too."
)
@address_option
@guarded
def sql(
    statement: str | None, file: TextIO | None, output_format: str, all_rows: bool, address: str | None
) -> None:
    """Run statements, or open a prompt.

    They come from the argument, a file, or the standard input; in a terminal without any, from a prompt.
    """
    if statement and file:
        raise click.UsageError("give a statement or a file, not both")
    with open_client(address) as client:
        run = functools.partial(run_and_write, client, output_format=output_format, all_rows=all_rows)
        if statement is None and file is None and sys.stdin.isatty():
            prompt(run)
            return
        text = statement if statement is not None else (file or sys.stdin).read()
        if not text.strip():
            raise click.UsageError("no statement given")
        run(text)
