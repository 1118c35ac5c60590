"""`thanosql sql`: one text from an argument, a file or the standard input, or a prompt."""

import sys
from typing import TextIO

import click

from thanosql.cli.context import address_option, guarded, open_client
from thanosql.cli.output import FORMATS
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
@address_option
@guarded
def sql(statement: str | None, file: TextIO | None, output_format: str, address: str | None) -> None:
    """Run statements: from the argument, a file, the standard input, or a prompt."""
    if statement and file:
        raise click.UsageError("give a statement or a file, not both")
    with open_client(address) as client:
        if statement is None and file is None and sys.stdin.isatty():
            prompt(client, output_format)
            return
        text = statement if statement is not None else (file or sys.stdin).read()
        if not text.strip():
            raise click.UsageError("no statement given")
        run_and_write(client, text, output_format)
