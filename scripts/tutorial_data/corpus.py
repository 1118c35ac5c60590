"""What the tutorial's recordings say and who speaks them: the part of the recipe that others must avoid."""

from pathlib import Path

from scripts.tutorial_data.engines import Voice


def sentences(split: str) -> list[str]:
    """Return the sentences of a split (`train` or `test`), as written, with punctuation."""
    return [sentence for subject in subjects(split) for sentence in subject]


def subjects(split: str) -> list[list[str]]:
    """Return the sentences of a split by subject: calls to a help desk, news, stories."""
    path = Path(__file__).with_name(f"{split}_sentences.txt")
    return [subject.splitlines() for subject in path.read_text(encoding="utf-8").strip().split("\n\n")]


def voices(split: str) -> list[Voice]:
    """Return the voices of a split; no voice speaks in both."""
    if split == "train":
        return [
            Voice(engine="flite", name="slt", words_per_minute=165),
            Voice(engine="espeak-ng", name="en-us+Andy", words_per_minute=165, pitch=45),
            Voice(engine="flite", name="awb", words_per_minute=160),
            Voice(engine="espeak-ng", name="en-gb+f2", words_per_minute=160, pitch=55),
            Voice(engine="flite", name="kal16", words_per_minute=160),
            Voice(engine="espeak-ng", name="en-gb-x-rp+m3", words_per_minute=145, pitch=40),
            Voice(engine="espeak-ng", name="en-us+anika", words_per_minute=160, pitch=60),
            Voice(engine="espeak-ng", name="en-029+Annie", words_per_minute=160, pitch=50),
            Voice(engine="festival", name="ked_diphone", words_per_minute=160),
            Voice(engine="espeak-ng", name="en-us+marcelo", words_per_minute=170, pitch=50),
            Voice(engine="espeak-ng", name="en-gb+iven3", words_per_minute=165, pitch=45),
            Voice(engine="espeak-ng", name="en-gb-scotland+announcer", words_per_minute=165, pitch=50),
        ]
    if split == "test":
        return [
            Voice(engine="flite", name="rms", words_per_minute=165),
            Voice(engine="espeak-ng", name="en-us+Michael", words_per_minute=160, pitch=45),
            Voice(engine="espeak-ng", name="en-gb+Alex", words_per_minute=155, pitch=50),
            Voice(engine="espeak-ng", name="en-us+f4", words_per_minute=160, pitch=55),
        ]
    raise ValueError(f"a split is 'train' or 'test', not {split!r}")


def transcript(sentence: str) -> str:
    """Return a sentence as LibriSpeech writes it: capitals, spaces and apostrophes only.

    Example:
        >>> transcript("I'm here, at last.")
        "I'M HERE AT LAST"
    """
    kept = "".join(letter if letter.isalpha() or letter == "'" else " " for letter in sentence.upper())
    return " ".join(kept.split())
