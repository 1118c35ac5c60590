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


class ScoreCounter:
    """Adds rows up; the rates are global: all errors over all words, not a mean of rows."""

    def __init__(self) -> None:
        self._words = _Edits()
        self._characters = _Edits()
        self._rows = 0
        self._left_out = 0
        self._audio_s = 0.0

    def add(self, reference: str, hypothesis: str, audio_s: float = 0.0) -> None:
        """Compare one row; one whose reference holds no word is left out."""
        spoken, heard = normalise(reference), normalise(hypothesis)
        if not spoken:
            self._left_out += 1
            return
        words = jiwer.process_words(spoken, heard)
        self._words.add(words.substitutions, words.deletions, words.insertions, words.hits)
        characters = jiwer.process_characters(spoken, heard)
        self._characters.add(
            characters.substitutions, characters.deletions, characters.insertions, characters.hits
        )
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


class _Edits:
    def __init__(self) -> None:
        self.substitutions = 0
        self.deletions = 0
        self.insertions = 0
        self.reference = 0

    def add(self, substitutions: int, deletions: int, insertions: int, hits: int) -> None:
        self.substitutions += substitutions
        self.deletions += deletions
        self.insertions += insertions
        self.reference += hits + substitutions + deletions

    @property
    def rate(self) -> float:
        errors = self.substitutions + self.deletions + self.insertions
        return errors / self.reference if self.reference else 0.0


def _is_spoken(character: str) -> bool:
    return character == "'" or unicodedata.category(character)[0] in "LMN"
