"""What the synthetic part of the training speech says: phrases cut from books, and everyday sentences."""

import random
import tomllib
from pathlib import Path

from scripts.tutorial_data import corpus


def phrases(transcripts: list[str], rng: random.Random) -> list[str]:
    """Cut transcripts into phrases of 2 to 13 words, all words kept, in shuffled order."""
    found = []
    for text in transcripts:
        words = text.split()
        while words:
            length = rng.randint(2, 13)
            found.append(" ".join(words[:length]))
            words = words[length:]
    rng.shuffle(found)
    return [phrase for phrase in found if len(phrase) > 3]


def jumbles(transcripts: list[str], count: int, rng: random.Random) -> list[str]:
    """Draw random words of the transcripts, each distinct word as likely as another.

    Sentences of books repeat few words very often; these teach the sound of the rare ones.
    """
    vocabulary = sorted({word for text in transcripts for word in text.split()})
    return [" ".join(rng.choices(vocabulary, k=rng.randint(2, 7))) for _ in range(count)]


def everyday(count: int, rng: random.Random) -> list[str]:
    """Fill patterns of everyday speech; no sentence of the tutorial comes out."""
    patterns, slots = _patterns()
    taken = {corpus.transcript(line) for split in ("train", "test") for line in corpus.sentences(split)}
    made: set[str] = set()
    while len(made) < count:
        words = rng.choice(patterns).split()
        sentence = " ".join(rng.choice(slots[word]) if word in slots else word for word in words)
        if corpus.transcript(sentence) not in taken:
            made.add(sentence)
    return rng.sample(sorted(made), count)


def _patterns() -> tuple[list[str], dict[str, list[str]]]:
    written = tomllib.loads(Path(__file__).with_name("everyday.toml").read_text(encoding="utf-8"))
    return written["patterns"], {name: words.split("|") for name, words in written["slots"].items()}
