"""What the synthetic part of the training speech says.

Phrases cut from books (the transcripts, and the King James Bible of Debian's bible-kjv), words of a list
(Debian's wamerican), patterns that this project wrote, and spelled letters, digits and dates.
"""

import random
import re
import subprocess
import tomllib
from pathlib import Path

_WORD_LIST = Path("/usr/share/dict/american-english")


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


def scripture(count: int, rng: random.Random) -> list[str]:
    """Cut the Bible into phrases of 3 to 13 words and draw some.

    Raises:
        RuntimeError: Debian's package is missing.
    """
    try:
        printed = subprocess.run(
            ["bible", "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True, timeout=60
        ).stdout
    except FileNotFoundError as missing:
        raise RuntimeError("the text is not installed: apt-get install bible-kjv") from missing
    verses = [line.partition(" ")[2] for line in printed.splitlines()]
    return rng.sample([phrase for phrase in phrases(verses, rng) if len(phrase.split()) > 2], count)


def listed_words(count: int, rng: random.Random, path: Path = _WORD_LIST) -> list[str]:
    """Draw two to five words of a dictionary at random: the sound of what no book here says.

    Raises:
        RuntimeError: Debian's package is missing.
    """
    if not path.exists():
        raise RuntimeError(f"{path} is missing: apt-get install wamerican")
    words = [word for word in path.read_text(encoding="utf-8").split() if re.fullmatch("[a-z]{2,12}", word)]
    return [" ".join(rng.choices(words, k=rng.randint(2, 5))) for _ in range(count)]


def spelled(count: int, rng: random.Random) -> list[str]:
    """Spell names and codes, count, and date, as people do on the telephone."""
    makers = (_letters, _digits, _date, _amount, _name)
    return [rng.choice(makers)(rng) for _ in range(count)]


def everyday(count: int, rng: random.Random, name: str = "everyday") -> list[str]:
    """Fill patterns of everyday speech.

    Args:
        count: How many different sentences.
        rng: Chooses.
        name: The file of patterns, `everyday` or `domains`.
    """
    patterns, slots = _patterns(name)
    made: set[str] = set()
    while len(made) < count:
        words = rng.choice(patterns).split()
        made.add(" ".join(rng.choice(slots[word]) if word in slots else word for word in words))
    return rng.sample(sorted(made), count)


def _patterns(name: str) -> tuple[list[str], dict[str, list[str]]]:
    written = tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8"))
    slots = {slot: [one.strip() for one in words.split("|")] for slot, words in written["slots"].items()}
    return written["patterns"], slots


def _letters(rng: random.Random) -> str:
    return " ".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 8))).upper()


def _digits(rng: random.Random) -> str:
    return " ".join(rng.choices([*_ONES[1:10], "zero", "oh"], k=rng.randint(1, 7)))


def _amount(rng: random.Random) -> str:
    thing = rng.choice(("dollars", "people", "miles", "days", "percent", "years ago", "o'clock", ""))
    return f"{_number(rng.randint(10, 9999))} {thing}".strip()


def _date(rng: random.Random) -> str:
    year = f"nineteen {_number(rng.randint(10, 99))}"
    return f"{rng.choice(_MONTHS)} {rng.choice((*_ORDINALS, *_ONES[1:20]))} {rng.choice((year, ''))}".strip()


def _name(rng: random.Random) -> str:
    """A short word said, then spelled."""
    word = "".join(rng.choice(part) for part in rng.choices(("bcdfghjklmnprstvwz", "aeiouy"), k=2) * 3)
    return " ".join(word[: rng.randint(3, 6)]).upper()


def _number(number: int) -> str:
    if number >= 1000:
        return f"{_number(number // 1000)} thousand {_number(number % 1000) if number % 1000 else ''}".strip()
    if number >= 100:
        return f"{_ONES[number // 100]} hundred {_number(number % 100) if number % 100 else ''}".strip()
    if number < 20:
        return _ONES[number]
    return f"{_TENS[number // 10]} {_ONES[number % 10] if number % 10 else ''}".strip()


_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"),
    *("eleventh", "twelfth", "thirteenth", "fifteenth", "twentieth", "twenty first", "thirtieth"),
)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
)
