"""Made-up speech that a tiny model can learn: each letter is a tone, and a text is its tones in a row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE_HZ = 16_000
_LETTER_S = 0.25
_LOWEST_HZ, _STEP_HZ = 300.0, 180.0
_LETTERS = " ABCDEFGHIJ"


def write_clip(path: Path, text: str, *, letter_s: float = _LETTER_S) -> None:
    """Write the tones of a text, a little noise over them."""
    generator = np.random.default_rng(len(text))
    seconds = np.arange(int(SAMPLE_RATE_HZ * letter_s)) / SAMPLE_RATE_HZ
    tones = [
        np.sin(2 * np.pi * (_LOWEST_HZ + _STEP_HZ * _LETTERS.index(letter)) * seconds) for letter in text
    ]
    samples = 0.3 * np.concatenate(tones)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples + generator.normal(0, 0.01, len(samples)), SAMPLE_RATE_HZ)


def write_clips(folder: Path, count: int) -> list[tuple[str, str]]:
    """Write clips of two to five letters; answers their paths in the folder, and texts."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        text = "".join(generator.choice(list(_LETTERS[1:]), size=int(generator.integers(2, 6))))
        write_clip(folder / "clips" / f"{number}.wav", text)
        rows.append((f"clips/{number}.wav", text))
    return rows


def columns(rows: Sequence[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Paths and texts apart."""
    return [path for path, _text in rows], [text for _path, text in rows]
