"""Where the base model's speech comes from: recordings on the disk and voices of synthesizers."""

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.base_model import texts
from scripts.tutorial_data import corpus
from scripts.tutorial_data.engines import Voice

# Two others, traffic.wav and speechbrain__noise5.wav, are kept for measuring.
NOISES = ("noise/cafe.wav", "noise/fridge.wav", "formats/speechbrain__noise4.wav")


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A text and how to hear it: a file, or a voice to speak it.

    Attributes:
        text: Capitals, spaces and apostrophes.
        source: The collection, such as `librispeech` or `synthetic`.
        split: `train`, the name of the evaluation that it belongs to, or `noise`.
        path: The recording, for real speech.
        voice: The speaker, for synthetic speech.
        spoken: What the synthesizer is given, with punctuation.
    """

    text: str
    source: str
    split: str
    path: Path | None = None
    voice: Voice | None = None
    spoken: str = ""

    @property
    def speaker(self) -> str:
        """The voice with its rate and pitch, or the recording's name: two that differ are two utterances."""
        if self.voice is not None:
            voice = self.voice
            return f"{voice.engine}/{voice.name}/{voice.words_per_minute}/{voice.pitch}"
        return self.path.name if self.path is not None else ""


def real_speech(shared: Path, examples: Path) -> list[Utterance]:
    """List every recording, those of the evaluations and of noise included.

    A recording whose text has other characters is left out.
    """
    found = [Utterance(text="", source="noise", split="noise", path=shared / name) for name in NOISES]
    for source, table, held_out in (
        ("librispeech", "librispeech_opus.csv", "dev"),
        ("speechocean", "speechocean_opus.csv", ""),
        ("an4", "an4.csv", "test"),
        ("fsdd", "fsdd.csv", "test"),
    ):
        for row in _rows(shared / table):
            split = source if row["split"] == held_out else "train"
            found.append(_recording(shared, row, source, split))
    for row in _rows(shared / "librispeech_data" / "librispeech_test.csv"):
        found.append(_recording(shared, row, "librispeech_data", "librispeech_data"))
    for row in _rows(examples / "tutorial_data" / "librispeech_data" / "librispeech_test.csv"):
        found.append(_recording(examples, row, "tutorial", "tutorial"))
    return [utterance for utterance in found if set(utterance.text) <= set(" 'ABCDEFGHIJKLMNOPQRSTUVWXYZ")]


def synthetic_speech(recordings: list[Utterance], count: int, seed: int) -> list[Utterance]:
    """Plan utterances for synthesizers: phrases of books, words of lists, everyday sentences, spelling.

    Raises:
        RuntimeError: A package with words or a book is missing.
    """
    if not count:
        return []
    rng = random.Random(seed)  # noqa: S311 - a choice of voices, not a secret
    books = [one.text for one in recordings if one.source == "librispeech" and one.split == "train"]
    lines = [
        *texts.jumbles(books, count // 13, rng),
        *texts.everyday(count // 4, rng),
        *texts.everyday(count // 4, rng, "domains"),
        *texts.scripture(count // 13, rng),
        *texts.listed_words(count // 16, rng),
        *texts.spelled(count // 16, rng),
    ]
    while len(lines) < count:
        lines += texts.phrases(books, rng)[: count - len(lines)]
    return said(lines, rng)


def said(lines: Iterable[str], rng: random.Random) -> list[Utterance]:
    """Give each line a voice.

    What the tutorial says is left out: it measures what was learned from other sentences and voices.
    """
    taken = {corpus.transcript(line) for split in ("train", "test") for line in corpus.sentences(split)}
    planned = [_said(line, rng) for line in lines]
    return [utterance for utterance in planned if utterance.text not in taken]


def _said(line: str, rng: random.Random) -> Utterance:
    # Capitals alone are read letter by letter, which only what is spelled wants.
    is_spelled = all(len(word) == 1 for word in line.split())
    return Utterance(
        text=corpus.transcript(line),
        source="synthetic",
        split="train",
        voice=_voice(rng),
        spoken=line if is_spelled or line != line.upper() else line.lower(),
    )


def _recording(folder: Path, row: dict[str, str], source: str, split: str) -> Utterance:
    return Utterance(
        text=" ".join(row["text"].upper().split()),
        source=source,
        split=split,
        path=folder / row["audio_path"],
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _voice(rng: random.Random) -> Voice:
    engine = rng.choices(("espeak-ng", "flite", "festival"), weights=(60, 36, 4))[0]
    words_per_minute = rng.randint(135, 195)
    if engine == "festival":
        name = rng.choice(("ked_diphone", "cmu_us_slt_arctic_hts"))
        return Voice(engine="festival", name=name, words_per_minute=words_per_minute)
    if engine == "flite":
        name, lowest, highest = rng.choice((("slt", 140, 210), ("awb", 95, 165), ("kal16", 80, 150)))
        pitch = rng.randint(lowest, highest) if rng.random() < 0.6 else None
        return Voice(engine="flite", name=name, words_per_minute=words_per_minute, pitch=pitch)
    name = f"{rng.choice(_ACCENTS)}+{rng.choice(_VARIANTS)}"
    return Voice(engine="espeak-ng", name=name, words_per_minute=words_per_minute, pitch=rng.randint(25, 75))


# As likely as often as named.
_ACCENTS = ["en-us"] * 3 + ["en-gb"] * 2 + ["en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc"]
# espeak-ng's variants without the whispering, croaking and robot ones, and without every one that speaks in
# the tutorial: its speakers must be new to the model.
_VARIANTS = [
    *("m1", "m2", "m4", "m5", "m6", "m7", "m8", "f1", "f3", "f5", "klatt", "klatt2", "klatt3"),
    *("Alicia", "Andrea", "Denis", "Diogo", "Gene", "Gene2", "Henrique", "Hugo", "Jacky", "Lee", "Linda"),
    *("Marco", "Mario", "Mike", "Nguyen", "Storm", "Tweaky", "adam", "antonio", "aunty", "belinda"),
    *("benjamin", "boris", "caleb", "david", "ed", "edward", "edward2", "gustave", "iven", "iven2", "john"),
    *("linda", "max", "michel", "miguel", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert"),
    *("sandro", "shelby", "steph", "steph2", "steph3", "travis", "victor", "zac"),
]
