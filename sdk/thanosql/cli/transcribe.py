"""`thanosql transcribe`: recordings in, text out, on the server that is there or a private one."""

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from thanosql.cli.context import EXIT_FAILED, address_option, guarded, open_client
from thanosql.cli.running import run_text
from thanosql.cli.uploads import TemporaryUploads
from thanosql.client import ThanoSQL
from thanosql.cues import cues_of
from thanosql.errors import DeadlineExceeded, Unavailable
from thanosql.local_server import LocalServer
from thanosql.subtitles import cue_cells, subtitles_of, word_facts, word_of
from thanosql.values import Word

DEFAULT_MODEL = "tutorial_audio_recognition"
_FILES_A_STATEMENT = 200
_PROBE_S = 2.0

_SUBTITLES = ("srt", "vtt")

_EPILOG = """\b
Examples:
  thanosql transcribe meeting.flac
  thanosql transcribe --hotword Ronicky --hotword "charge back" meeting.flac
  thanosql transcribe --format srt meeting.flac > meeting.srt
  thanosql transcribe --format vtt --output-dir subtitles *.wav
  thanosql transcribe --model my_speech_recognition_model --format json *.wav"""


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What was heard in one file, or why nothing was; words and confidence where they were asked for."""

    file: str
    text: str
    error: str
    confidence: float | None = None
    words: Sequence[Word] = ()


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How to transcribe."""

    model: str
    with_words: bool = False
    hotwords: Sequence[str] = ()
    language_model: str = ""


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
    "--hotword",
    "hotwords",
    multiple=True,
    metavar="PHRASE",
    help="A word or a phrase to listen for; may be given often.",
)
@click.option(
    "--language-model",
    default="",
    metavar="PATH",
    help="An n-gram model of words, an ARPA file of the server, such as uploads/my.arpa.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "tsv", *_SUBTITLES]),
    default="text",
    show_default=True,
    help="How to write the transcripts; all but text have times.",
)
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Write a file for each recording, such as meeting.srt, in place of printing all.",
)
@address_option
@guarded
def transcribe(
    recordings: tuple[Path, ...],
    model: str,
    hotwords: tuple[str, ...],
    language_model: str,
    output_format: str,
    output_dir: Path | None,
    address: str | None,
) -> None:
    """Print what is said in recordings.

    srt and vtt are subtitles: cues of two lines at most, cut at pauses. tsv has a line for each of these
    cues, json every word with its times and how sure it is.
    The recordings are uploaded, and removed from the server at the end, also after Ctrl-C.
    Without --address, and where no server answers, a private one is started and stopped again.
    """
    targets = _targets(recordings, output_format, output_dir)
    wanted = Wanted(
        model=model,
        with_words=output_format != "text",
        hotwords=hotwords,
        language_model=language_model,
    )
    with some_client(address) as client:
        transcripts = transcribe_files(client, recordings, wanted)
    write = _WRITERS[output_format]
    if targets:
        _write_files(transcripts, targets, write)
    else:
        write(transcripts, sys.stdout)
    if any(transcript.error for transcript in transcripts):
        sys.exit(EXIT_FAILED)


def _targets(recordings: Sequence[Path], output_format: str, folder: Path | None) -> list[Path]:
    """A file for each recording; none where all are printed."""
    if folder is None:
        if output_format in _SUBTITLES and len(recordings) > 1:
            raise click.UsageError(f"{output_format} is one recording a file: give --output-dir DIRECTORY")
        return []
    suffix = ".txt" if output_format == "text" else f".{output_format}"
    targets = [folder / f"{recording.stem}{suffix}" for recording in recordings]
    if twice := [target for target, count in Counter(targets).items() if count > 1]:
        raise click.UsageError(f"two recordings would be written to {twice[0]}; transcribe them apart")
    return targets


def _write_files(
    transcripts: Sequence[Transcript],
    targets: Sequence[Path],
    write: Callable[[Sequence[Transcript], TextIO], None],
) -> None:
    for transcript, path in zip(transcripts, targets, strict=True):
        if transcript.error:
            _tell_error(transcript)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="\n") as target:
            write([transcript], target)
        click.echo(path)


def transcribe_files(client: ThanoSQL, recordings: Sequence[Path], wanted: Wanted) -> list[Transcript]:
    """Upload the recordings and transcribe them, in the order given; what was uploaded is removed again."""
    transcripts: list[Transcript] = []
    for begin in range(0, len(recordings), _FILES_A_STATEMENT):
        part = recordings[begin : begin + _FILES_A_STATEMENT]
        with TemporaryUploads(client) as uploads:
            paths = [uploads.add(recording) for recording in part]
            statement = predict_statement(wanted, paths)
            rows = run_text(client, statement)[-1].rows
        transcripts += [_transcript(file, row) for file, row in zip(part, rows, strict=True)]
    return transcripts


# Any: a row of a result.
def _transcript(file: Path, row: Mapping[str, Any]) -> Transcript:
    return Transcript(
        file=str(file),
        text=row["predicted"] or "",
        error=row.get("error") or "",
        confidence=row.get("confidence"),
        words=[word_of(word) for word in row.get("words") or ()],
    )


def predict_statement(wanted: Wanted, paths: Sequence[str]) -> str:
    """The statement that transcribes files of the workspace."""
    options = ["audio_col='audio_path'"]
    if wanted.with_words:
        options.append("word_times=True, confidence=True")
    if wanted.hotwords:
        options.append(f"hotwords=[{', '.join(map(quoted, wanted.hotwords))}]")
    if wanted.language_model:
        options.append(f"language_model={quoted(wanted.language_model)}")
    values = ", ".join(f"({quoted(path)})" for path in paths)
    query = f"SELECT * FROM (VALUES {values}) AS recordings(audio_path)"  # noqa: S608 - paths are quoted
    return f"PREDICT USING {_quoted_model(wanted.model)} OPTIONS ({', '.join(options)}) AS {query}"


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


def _tell_error(transcript: Transcript) -> None:
    click.echo(f"{transcript.file}: {transcript.error}", err=True)


def _write_text(transcripts: Sequence[Transcript], target: TextIO) -> None:
    for transcript in transcripts:
        name = f"{transcript.file}: " if len(transcripts) > 1 else ""
        if transcript.error:
            _tell_error(transcript)
        else:
            click.echo(f"{name}{transcript.text}", file=target)


def _write_json(transcripts: Sequence[Transcript], target: TextIO) -> None:
    rows = [
        {**vars(transcript), "words": [word_facts(word) for word in transcript.words]}
        for transcript in transcripts
    ]
    click.echo(json.dumps(rows, ensure_ascii=False, indent=2), file=target)


def _write_tsv(transcripts: Sequence[Transcript], target: TextIO) -> None:
    writer = csv.writer(target, delimiter="\t", lineterminator="\n")
    writer.writerow(["file", "start_s", "end_s", "text", "error"])
    for transcript in transcripts:
        for cue in cues_of(transcript.words):
            writer.writerow([transcript.file, *cue_cells(cue), ""])
        if transcript.error or not transcript.words:
            writer.writerow([transcript.file, "", "", transcript.text, transcript.error])


def _write_subtitles(transcripts: Sequence[Transcript], target: TextIO, *, output_format: str) -> None:
    for transcript in transcripts:
        if transcript.error:
            _tell_error(transcript)
        else:
            click.echo(subtitles_of(transcript.words, output_format), file=target, nl=False)


_WRITERS: dict[str, Callable[[Sequence[Transcript], TextIO], None]] = {
    "text": _write_text,
    "json": _write_json,
    "tsv": _write_tsv,
    **{name: partial(_write_subtitles, output_format=name) for name in _SUBTITLES},
}
