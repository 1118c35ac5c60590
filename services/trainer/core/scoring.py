"""Word and character error rates, counted row by row in constant memory."""

import re
import unicodedata
from dataclasses import dataclass

import jiwer

NORMALISER = "upper-words-v1"
"""Unicode NFC; typographic apostrophes become '; upper case; every character that is neither a letter, a
mark, a digit nor an apostrophe between two of those becomes a space; runs of spaces become one; no spaces
at the ends. Applied to both texts."""

_APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "‘": "'", "`": "'", "´": "'"})
_LOOSE_APOSTROPHE = re.compile(r"(?<![^\s'])'+|'+(?![^\s'])")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Errors of transcription over a set of rows."""

    wer: float
    cer: float
    substitutions: int
    deletions: int
    insertions: int
    reference_words: int
    rows: int
    rows_left_out: int
    audio_s: float
    normaliser: str = NORMALISER


def normalise(text: str) -> str:
    """Write text as `NORMALISER` says."""
    composed = unicodedata.normalize("NFC", text).translate(_APOSTROPHES).upper()
    spaced = "".join(character if _is_spoken(character) else " " for character in composed)
    return _SPACES.sub(" ", _LOOSE_APOSTROPHE.sub(" ", spaced)).strip()


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What turns one text into the other, in words or in characters; `reference` counts the first one's."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    reference: int = 0

    @property
    def errors(self) -> int:
        """All of them."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float:
        """Errors over the reference; 0 where that is empty."""
        return self.errors / self.reference if self.reference else 0.0

    def __add__(self, other: "Edits") -> "Edits":
        return Edits(
            substitutions=self.substitutions + other.substitutions,
            deletions=self.deletions + other.deletions,
            insertions=self.insertions + other.insertions,
            reference=self.reference + other.reference,
        )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One row, compared."""

    words: Edits
    characters: Edits


def compare(reference: str, hypothesis: str) -> Comparison | None:
    """Compare one row; None where the reference holds no word."""
    spoken, heard = normalise(reference), normalise(hypothesis)
    if not spoken:
        return None
    return Comparison(
        words=_edits(jiwer.process_words(spoken, heard)),
        characters=_edits(jiwer.process_characters(spoken, heard)),
    )


class ScoreCounter:
    """Adds rows up; the rates are global: all errors over all words, not a mean of rows."""

    def __init__(self) -> None:
        self._words = Edits()
        self._characters = Edits()
        self._rows = 0
        self._left_out = 0
        self._audio_s = 0.0

    def add(self, reference: str, hypothesis: str, audio_s: float = 0.0) -> None:
        """Compare one row; one whose reference holds no word is left out."""
        self.count(compare(reference, hypothesis), audio_s)

    def count(self, comparison: Comparison | None, audio_s: float) -> None:
        """Count a row that was compared; None is left out."""
        if comparison is None:
            self.leave_out()
            return
        self._words += comparison.words
        self._characters += comparison.characters
        self._rows += 1
        self._audio_s += audio_s

    def leave_out(self) -> None:
        """Count a row that cannot be compared."""
        self._left_out += 1

    def scores(self) -> Scores:
        """The scores of the rows so far; the rates are 0 before the first row."""
        return Scores(
            wer=self._words.rate,
            cer=self._characters.rate,
            substitutions=self._words.substitutions,
            deletions=self._words.deletions,
            insertions=self._words.insertions,
            reference_words=self._words.reference,
            rows=self._rows,
            rows_left_out=self._left_out,
            audio_s=self._audio_s,
        )


def _edits(output: jiwer.WordOutput | jiwer.CharacterOutput) -> Edits:
    return Edits(
        substitutions=output.substitutions,
        deletions=output.deletions,
        insertions=output.insertions,
        reference=output.hits + output.substitutions + output.deletions,
    )


def _is_spoken(character: str) -> bool:
    return character == "'" or unicodedata.category(character)[0] in "LMN"
