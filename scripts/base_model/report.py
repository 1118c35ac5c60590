"""Measured figures, put where people read them: between two marks in a page."""

import csv
import re
from pathlib import Path

from scripts.base_model.scoring import Score


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
    page.write_text(filled, encoding="utf-8")


def scores_table(scores: dict[str, Score], titles: dict[str, str]) -> list[str]:
    """Return the error rates as a table."""
    rows = [
        f"| {titles[name]} | {score.clips} | {score.seconds / 60:.1f} | {score.wer:.1%} | {score.cer:.1%} |"
        for name, score in scores.items()
    ]
    return ["| recordings | clips | minutes | WER | CER |", "|---|---|---|---|---|", *rows]


def log_table(log: Path) -> list[str]:
    """Return the log of a run as a table."""
    with log.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    columns = ("minutes", "steps", "hours heard", "loss per letter", "tutorial WER, CER", "LibriSpeech CER")
    head = f"| {' | '.join((*columns, 'AN4 CER', 'digits CER'))} |"
    body = [
        f"| {row['minutes']} | {row['step']} | {row['audio_hours']} | {row['loss_per_letter']} "
        f"| {row['wer_tutorial']}, {row['cer_tutorial']} | {row['cer_librispeech']} | {row['cer_an4']} "
        f"| {row['cer_fsdd']} |"
        for row in rows
    ]
    return [head, "|---|---|---|---|---|---|---|---|", *body]
