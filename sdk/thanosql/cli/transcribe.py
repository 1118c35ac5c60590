"""`thanosql transcribe`: recordings in, text out, on the server that is there or a private one."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

import click

from thanosql.cli.context import EXIT_FAILED, address_option, guarded, open_client
from thanosql.cli.running import run_text
from thanosql.cli.uploads import TemporaryUploads
from thanosql.client import ThanoSQL
from thanosql.errors import DeadlineExceeded, Unavailable
from thanosql.local_server import LocalServer

DEFAULT_MODEL = "tutorial_audio_recognition"
_FILES_A_STATEMENT = 200
_PROBE_S = 2.0

_EPILOG = """\b
Examples:
  thanosql transcribe meeting.flac
  thanosql transcribe --model my_speech_recognition_model --format json *.wav"""


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What was heard in one file, or why nothing was."""

    file: str
    text: str
    error: str


@click.command(epilog=_EPILOG)
@click.argument(
    "recordings",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    help="The model to use: a name, or a name with a version, such as mine.2.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "tsv"]),
    default="text",
    show_default=True,
    help="How to write the transcripts.",
)
@address_option
@guarded
def transcribe(recordings: tuple[Path, ...], model: str, output_format: str, address: str | None) -> None:
    """Print what is said in recordings.

    The recordings are uploaded, and removed from the server at the end, also after Ctrl-C.
    Without --address, and where no server answers, a private one is started and stopped again.
    """
    with some_client(address) as client:
        transcripts = transcribe_files(client, recordings, model)
    _WRITERS[output_format](transcripts, sys.stdout)
    if any(transcript.error for transcript in transcripts):
        sys.exit(EXIT_FAILED)


def transcribe_files(client: ThanoSQL, recordings: Sequence[Path], model: str) -> list[Transcript]:
    """Upload the recordings and transcribe them, in the order given; what was uploaded is removed again."""
    transcripts: list[Transcript] = []
    for begin in range(0, len(recordings), _FILES_A_STATEMENT):
        part = recordings[begin : begin + _FILES_A_STATEMENT]
        with TemporaryUploads(client) as uploads:
            paths = [uploads.add(recording) for recording in part]
            rows = run_text(client, predict_statement(model, paths))[-1].rows
        transcripts += [
            Transcript(file=str(file), text=row["predicted"] or "", error=row.get("error") or "")
            for file, row in zip(part, rows, strict=True)
        ]
    return transcripts


def predict_statement(model: str, paths: Sequence[str]) -> str:
    """The statement that transcribes files of the workspace."""
    values = ", ".join(f"({quoted(path)})" for path in paths)
    query = f"SELECT * FROM (VALUES {values}) AS recordings(audio_path)"  # noqa: S608 - paths are quoted
    return f"PREDICT USING {_quoted_model(model)} OPTIONS (audio_col='audio_path') AS {query}"


def _quoted_model(model: str) -> str:
    # A version stands outside the quotes: "my-model".2
    name, dot, version = model.partition(".")
    return '"' + name.replace('"', '""') + '"' + dot + version


def quoted(text: str) -> str:
    """A string of the language."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def some_client(address: str | None) -> Iterator[ThanoSQL]:
    """A client of the server that is there, or else of a private one that ends with the block."""
    with open_client(address) as client:
        if address is not None or _answers(client):
            yield client
            return
    click.echo(f"no server answers at {client.address}; starting a private one", err=True)
    with LocalServer() as server, server.client() as private:
        yield private


def _answers(client: ThanoSQL) -> bool:
    try:
        client.server_info(timeout_s=_PROBE_S)
    except (Unavailable, DeadlineExceeded):
        return False
    return True


def _write_text(transcripts: Sequence[Transcript], target: TextIO) -> None:
    for transcript in transcripts:
        name = f"{transcript.file}: " if len(transcripts) > 1 else ""
        if transcript.error:
            click.echo(f"{transcript.file}: {transcript.error}", err=True)
        else:
            click.echo(f"{name}{transcript.text}", file=target)


def _write_json(transcripts: Sequence[Transcript], target: TextIO) -> None:
    rows = [asdict(transcript) for transcript in transcripts]
    click.echo(json.dumps(rows, ensure_ascii=False, indent=2), file=target)


def _write_tsv(transcripts: Sequence[Transcript], target: TextIO) -> None:
    writer = csv.writer(target, delimiter="\t", lineterminator="\n")
    writer.writerow(["file", "text", "error"])
    writer.writerows([transcript.file, transcript.text, transcript.error] for transcript in transcripts)


_WRITERS: dict[str, Callable[[Sequence[Transcript], TextIO], None]] = {
    "text": _write_text,
    "json": _write_json,
    "tsv": _write_tsv,
}
