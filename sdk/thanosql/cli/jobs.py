"""`thanosql jobs`: training runs."""

import sys

import click

from thanosql.cli.context import address_option, guarded, inherited_address_option, open_client
from thanosql.cli.output import write_table
from thanosql.facts import percent
from thanosql.values import Job

_EPILOG = """\b
Examples:
  thanosql jobs
  thanosql jobs cancel 7f3a"""


@click.group(invoke_without_command=True, epilog=_EPILOG)
@address_option
@click.pass_context
@guarded
def jobs(context: click.Context, address: str | None) -> None:
    """List training runs, newest first."""
    context.obj = address
    if context.invoked_subcommand is not None:
        return
    with open_client(address) as client:
        lines = [_line(job) for job in client.jobs()]
    write_table(["job", "state", "model", "base", "steps", "WER"], lines, sys.stdout)


@jobs.command(epilog="\b\nExample:\n  thanosql jobs cancel 7f3a")
@click.argument("job_id")
@inherited_address_option
@guarded
def cancel(job_id: str, address: str | None) -> None:
    """Stop a training run."""
    with open_client(address) as client:
        job = client.cancel_job(job_id)
    click.echo(f"{job.job_id}: {job.state}")


def _line(job: Job) -> list[str]:
    wer = "" if job.wer is None else percent(job.wer)
    return [job.job_id, job.state, job.model, job.base, f"{job.step}/{job.step_total}", wer]
