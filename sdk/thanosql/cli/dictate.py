"""`thanosql dictate`: live audio in, text out while somebody speaks."""

import json
import shutil
import sys
from collections.abc import Generator
from contextlib import closing

import click

from thanosql.cli.context import EXIT_INTERRUPTED, address_option, guarded
from thanosql.cli.microphone import Stoppable
from thanosql.cli.recording import in_real_time, open_recording
from thanosql.cli.transcribe import DEFAULT_MODEL, some_client
from thanosql.subtitles import word_facts
from thanosql.values import LiveTranscript

_CLEAR_LINE = "\r\x1b[2K"

_EPILOG = """\b
Examples:
  thanosql dictate meeting.wav
  arecord -q -f S16_LE -r 16000 -c 1 -t raw | thanosql dictate -
  thanosql dictate --real-time --format json meeting.wav
  thanosql dictate --format words meeting.wav"""


@click.command(epilog=_EPILOG)
@click.argument("recording", metavar="FILE", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    help="The model to use: a name, or a name with a version, such as mine.2.",
)
@click.option(
    "--sample-rate",
    "sample_rate_hz",
    type=click.IntRange(min=1),
    default=16_000,
    show_default=True,
    help="Rate of raw samples in Hz; a wav file says it itself.",
)
@click.option(
    "--endpoint-silence",
    "endpoint_silence_s",
    type=float,
    metavar="SECONDS",
    help="Silence that ends an utterance, 0.2 to 5.",
)
@click.option("--real-time", is_flag=True, help="Send a file as slowly as a microphone would.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "words"]),
    default="text",
    show_default=True,
    help="A line of text for each utterance, or of JSON with its times, or with those of every word too.",
)
@address_option
@guarded
def dictate(
    recording: str,
    model: str,
    sample_rate_hz: int,
    endpoint_silence_s: float | None,
    real_time: bool,
    output_format: str,
    address: str | None,
) -> None:
    """Print what is said while it is said.

    FILE is a wav file, or raw samples: 16 bit, little endian, one channel; - is the standard input.
    In a terminal the words that may still change stand in the last line. Ctrl-C ends the audio, and the
    last words are still printed; once more cancels.
    Without --address, and where no server answers, a private one is started and stopped again.
    """
    opened = open_recording(recording, sample_rate_hz)
    chunks = Stoppable(in_real_time(opened.chunks) if real_time else opened.chunks)
    shows_interims = sys.stderr.isatty()
    with some_client(address) as client, chunks.ends_at_interrupt():
        heard = client.dictate(
            chunks,
            sample_rate_hz=opened.sample_rate_hz,
            model=model,
            interim_results=shows_interims,
            endpoint_silence_s=endpoint_silence_s,
            words=output_format == "words",
        )
        _show(heard, output_format, shows_interims=shows_interims)
    if chunks.stopped:
        sys.exit(EXIT_INTERRUPTED)


def _show(heard: Generator[LiveTranscript, None, None], output_format: str, *, shows_interims: bool) -> None:
    try:
        with closing(heard) as transcripts:
            for transcript in transcripts:
                if shows_interims:
                    click.echo(_CLEAR_LINE, nl=False, err=True)
                if not transcript.is_final and shows_interims:
                    _show_interim(transcript)
                elif transcript.is_final and transcript.text:
                    click.echo(_line(transcript, output_format))
    finally:
        if shows_interims:
            click.echo(_CLEAR_LINE, nl=False, err=True)


def _show_interim(transcript: LiveTranscript) -> None:
    """Draw the last words that fit into the line; those that may change are dim."""
    width = shutil.get_terminal_size().columns - 1
    settled = len(transcript.stable_text)
    begin = max(0, len(transcript.text) - width)
    stable, rest = transcript.text[begin : max(begin, settled)], transcript.text[max(begin, settled) :]
    click.echo(stable + click.style(rest, dim=True), nl=False, err=True)


def _line(transcript: LiveTranscript, output_format: str) -> str:
    if output_format == "text":
        return transcript.text
    facts = {name: getattr(transcript, name) for name in ("start_s", "end_s", "text")}
    if transcript.words:
        words = [word_facts(word) for word in transcript.words]
        facts = {**facts, "confidence": round(transcript.confidence or 0.0, 3), "words": words}
    return json.dumps(facts, ensure_ascii=False)
