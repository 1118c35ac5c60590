"""How words sound, by espeak-ng: what the middle of the network learns to write while it trains.

English letters follow sound loosely; phonemes follow it closely and are learned much sooner. The upper layers
then learn to spell. Nothing of this is in the published model.
"""

import json
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

_STRESS = str.maketrans("", "", "ˈˌ")


@dataclass(frozen=True, kw_only=True)
class Pronunciations:
    """Words as labels; label 0 is CTC's blank.

    Attributes:
        symbols: Phonemes in the International Phonetic Alphabet; label 1 is the first.
        words: Labels of each word, in capitals.
    """

    symbols: list[str]
    words: dict[str, list[int]]

    def labels(self, text: str) -> list[int]:
        """Return a text's labels, one word after the other.

        Raises:
            KeyError: A word was not there when the words were looked up.
        """
        return [label for word in text.split() for label in self.words[word]]


def look_up(texts: Iterable[str], fewest: int = 20) -> Pronunciations:
    """Ask espeak-ng for every word of the texts.

    Args:
        texts: In capitals.
        fewest: A phoneme of fewer words than this is left out.

    Raises:
        RuntimeError: espeak-ng is missing, or gave another number of lines than it was asked for.
    """
    words = sorted({word for text in texts for word in text.split()})
    said = [line.translate(_STRESS).replace(" ", "_").split("_") for line in _espeak(words)]
    if len(said) != len(words):
        raise RuntimeError(f"espeak-ng gave {len(said)} lines for {len(words)} words")
    counts = Counter(symbol for line in said for symbol in line if symbol)
    symbols = sorted(symbol for symbol, count in counts.items() if count >= fewest)
    numbers = {symbol: number for number, symbol in enumerate(symbols, start=1)}
    heard = {
        word: [numbers[symbol] for symbol in line if symbol in numbers]
        for word, line in zip(words, said, strict=True)
    }
    return Pronunciations(symbols=symbols, words=heard)


def write(path: Path, pronunciations: Pronunciations) -> None:
    """Keep what was looked up; the file appears whole."""
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(pronunciations), ensure_ascii=False), encoding="utf-8")
    draft.replace(path)


def read(path: Path) -> Pronunciations:
    """Read what `write` wrote."""
    return Pronunciations(**json.loads(path.read_text(encoding="utf-8")))


def _espeak(words: list[str]) -> list[str]:
    command = ["espeak-ng", "-q", "--ipa", "--sep=_", "-v", "en-us"]
    lines = "".join(f"{word.lower()}\n" for word in words)
    try:
        done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=600)
    except FileNotFoundError as missing:
        raise RuntimeError("espeak-ng is not installed: apt-get install espeak-ng") from missing
    return done.stdout.splitlines()
