"""The words of a language model as a recogniser's labels spell them, found by the hash of their letters.

The search spells words letter by letter in many readings at once. A word is known by a polynomial hash of
its letters, which grows with each letter, so that no reading holds a string.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.predictor.core.decoding.beam.ngrams import NO_WORD, Integers, NGrams, Numbers
from thanosql_ctc.vocabulary import Vocabulary

Hashes = npt.NDArray[np.uint64]

NO_LETTERS = 0
_FACTOR = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_LONGEST_WORD = 100
_NOT_SPOKEN = frozenset({"<s>", "</s>", "<unk>", "<UNK>"})


@dataclass(frozen=True, kw_only=True, eq=False)
class Lexicon:
    """The words that a vocabulary can spell, and how probable the best of those is that begin alike.

    Attributes:
        hashes: Of the words, sorted.
        words: Their numbers in the model.
        begins: Hashes of all that a word begins with, and of the words, sorted.
        best: Logarithm of the probability of the best word that begins so, without any context.
    """

    hashes: Hashes
    words: npt.NDArray[np.int32]
    begins: Hashes
    best: npt.NDArray[np.float32]

    def numbers(self, hashes: Hashes) -> Integers:
        """The numbers of words; NO_WORD for those that the model does not know."""
        places, known = _places(self.hashes, hashes)
        return np.where(known, self.words[places] if len(self.words) else NO_WORD, NO_WORD).astype(np.int64)

    def outlook(self, hashes: Hashes, unknown: Numbers) -> Numbers:
        """The best that can become of words that begin so; `unknown` where no known word does."""
        places, known = _places(self.begins, hashes)
        return np.where(known, self.best[places] if len(self.best) else unknown, unknown).astype(np.float64)


def _places(table: Hashes, wanted: Hashes) -> tuple[Integers, npt.NDArray[np.bool_]]:
    if not len(table):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=bool)
    places = np.minimum(np.searchsorted(table, wanted), len(table) - 1)
    return places, table[places] == wanted


@dataclass(frozen=True, kw_only=True, eq=False)
class Spellings:
    """Words by their hashes, and all that they begin with; sorted."""

    words: Hashes
    begins: Hashes

    def are_words(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Which of these are such words."""
        return _places(self.words, hashes)[1]

    def are_begins(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Which of these such words begin with."""
        return _places(self.begins, hashes)[1]


def spellings_of(words: Iterable[str]) -> Spellings:
    """The hashes of words."""
    whole: set[int] = set()
    begins: set[int] = set()
    for word in words:
        letters = NO_LETTERS
        for character in word:
            letters = extended(letters, character)
            begins.add(letters)
        whole.add(letters)
    return Spellings(
        words=np.array(sorted(whole), dtype=np.uint64), begins=np.array(sorted(begins), dtype=np.uint64)
    )


def build_lexicon(ngrams: NGrams, words: Sequence[str], vocabulary: Vocabulary) -> Lexicon:
    """Spell the words of a model; those that the labels cannot write are left out, as they are never heard.

    Of words that are written alike, such as `The` and `the`, the more probable one counts. Words longer than
    anybody says are left out too: every beginning of a word takes memory.
    """
    chances = ngrams.log_probs[1 : len(words) + 1].tolist() if len(words) else []
    best_word: dict[int, tuple[float, int]] = {}
    best_begin: dict[int, float] = {}
    for number, (word, chance) in enumerate(zip(words, chances, strict=True)):
        spelled = vocabulary.normalise(word)
        if word in _NOT_SPOKEN or not 0 < len(spelled) <= _LONGEST_WORD or " " in spelled:
            continue
        if vocabulary.unknown_characters(spelled):
            continue
        letters = NO_LETTERS
        for character in spelled:
            letters = extended(letters, character)
            best_begin[letters] = max(chance, best_begin.get(letters, chance))
        if letters not in best_word or best_word[letters][0] < chance:
            best_word[letters] = (chance, number)
    hashes, places = np.unique(np.array(list(best_word), dtype=np.uint64), return_index=True)
    begins, begin_places = np.unique(np.array(list(best_begin), dtype=np.uint64), return_index=True)
    numbers = np.array([number for _chance, number in best_word.values()], dtype=np.int32)
    best = np.array(list(best_begin.values()), dtype=np.float32)
    return Lexicon(hashes=hashes, words=numbers[places], begins=begins, best=best[begin_places])


def extended(letters: int, text: str) -> int:
    """The hash of letters with more behind them."""
    for character in text:
        letters = (letters * _FACTOR + ord(character) + 1) & _MASK
    return letters


def spelling_factors(tokens: Sequence[str]) -> tuple[Hashes, Hashes]:
    """What to multiply the hash of letters by, and what to add, to put a token behind them."""
    factors = [pow(_FACTOR, len(token), _MASK + 1) for token in tokens]
    addends = [extended(NO_LETTERS, token) for token in tokens]
    return np.array(factors, dtype=np.uint64), np.array(addends, dtype=np.uint64)
