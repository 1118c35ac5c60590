"""`thanosql`: the command line."""

import click

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


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="thanosql")
def main() -> None:
    """SQL about speech: transcribe, fine-tune and evaluate recognisers from one statement."""


for _command in (sql, serve, transcribe, token, jobs, files):
    main.add_command(_command)
