"""Measured figures, put where people read them: between two marks in a page."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from thanosql_runtime.whole_files import write_whole


def fill(page: Path, name: str, lines: list[str]) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`.

    Raises:
        ValueError: The page has no such marks.
    """
    text = page.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    filled, found = marks.subn(lambda marked: marked[1] + "\n".join(lines) + "\n" + marked[2], text)
    if found != 1:
        raise ValueError(f"{page} needs exactly one pair of marks called {name!r}, it has {found}")
    write_whole(page, filled.encode())


def lay_out(page: Path, names: Sequence[str]) -> None:
    """Make a page of empty places for `fill` where there is no page."""
    if not page.exists():
        write_whole(page, "".join(f"<!-- {name} -->\n<!-- /{name} -->\n\n" for name in names).encode())


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def log_table(log: Path) -> list[str]:
    """Return the log of a run as a table."""
    with log.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    names = ("librispeech", "an4", "fsdd", "tutorial")
    body = [
        [
            row["minutes"],
            row["step"],
            row["audio_hours"],
            row["loss_per_letter"],
            *(f"{float(row[f'wer_{name}']):.1%}, {float(row[f'cer_{name}']):.1%}" for name in names),
        ]
        for row in rows
    ]
    return table(("minutes", "steps", "hours heard", "loss per letter", *_TITLES), body)


_TITLES = ("LibriSpeech WER, CER", "AN4", "digits", "tutorial")
