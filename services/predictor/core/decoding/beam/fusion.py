"""What readings are worth beside their sound: a language model over words, the number of words, hotwords.

Follows shallow fusion as Hannun et al. (2014, arXiv:1408.2873) have it: the logarithm of what the language
model says, times a weight, plus a score for each word. Inside of a word its best possible end counts until it
is known which one it is, so that words that lead nowhere fall behind at their first letters.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from services.predictor.core.decoding.beam.hotwords import READY, HotwordTable, delimiter_of
from services.predictor.core.decoding.beam.lexicon import (
    NO_LETTERS,
    Hashes,
    Lexicon,
    spelling_factors,
    spellings_of,
)
from services.predictor.core.decoding.beam.ngrams import EMPTY, NO_WORD, Integers, NGrams, Numbers
from thanosql_ctc.vocabulary import Vocabulary

# Words that a model has never seen are spelled letter by letter: without a price for each letter, many words
# written as a long one would be the cheapest text.
_UNKNOWN_LOG_PROB = -10.0
_LETTER_LOG_PROB = -2.0
# Hotwords that a language model has never seen: about as rare a word as the smallest corpora know.
_HOTWORD_LOG_PROB = -9.0


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageModel:
    """An n-gram model, spelled in the labels of a recogniser."""

    ngrams: NGrams
    lexicon: Lexicon


@dataclass(frozen=True, kw_only=True)
class FusionWeights:
    """How much counts.

    Attributes:
        lm_weight: Of what the language model says.
        word_score: Of each word, for or against many short ones.
    """

    lm_weight: float = 0.5
    word_score: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Worth:
    """What each of several readings is worth, and what is needed to go on.

    Attributes:
        settled: For words that have ended.
        pending: For the word, and the phrase, that is being spelled.
        contexts: States of the language model.
        letters: Hash of the word that is being spelled; NO_LETTERS between words.
        lengths: Its letters.
        phrases: States of the hotwords.
    """

    settled: Numbers
    pending: Numbers
    contexts: Integers
    letters: Hashes
    lengths: Integers
    phrases: Integers

    @property
    def total(self) -> Numbers:
        """All of it."""
        return self.settled + self.pending

    def take(self, rows: Integers) -> "Worth":
        """That of some of the readings."""
        return Worth(
            settled=self.settled[rows],
            pending=self.pending[rows],
            contexts=self.contexts[rows],
            letters=self.letters[rows],
            lengths=self.lengths[rows],
            phrases=self.phrases[rows],
        )

    def together(self, other: "Worth") -> "Worth":
        """These readings, then the others."""
        pairs = {item.name: (getattr(self, item.name), getattr(other, item.name)) for item in fields(self)}
        return Worth(**{name: np.concatenate(pair) for name, pair in pairs.items()})


class Fusion:
    """Keeps what readings are worth as they grow.

    Args:
        vocabulary: What labels write.
        weights: How much counts.
        model: A language model; None for none. Where the vocabulary has no delimiter, every label is a word.
        hotwords: Phrases that count more; None for none.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        weights: FusionWeights,
        model: LanguageModel | None = None,
        hotwords: HotwordTable | None = None,
    ) -> None:
        self._weights = weights
        self._model = model
        self._hotwords = hotwords
        self._delimiter = delimiter_of(vocabulary)
        self._factors, self._addends = spelling_factors(vocabulary.tokens)
        self._unknown = _unknown_log_prob(model.ngrams) if model else 0.0
        self._expected = hotwords.spellings if hotwords else spellings_of([])

    def begin(self) -> Worth:
        """What the empty reading is worth."""
        context = self._model.ngrams.begin if self._model else EMPTY
        return Worth(
            settled=np.zeros(1),
            pending=np.zeros(1),
            contexts=np.full(1, context, dtype=np.int64),
            letters=np.full(1, NO_LETTERS, dtype=np.uint64),
            lengths=np.zeros(1, dtype=np.int64),
            phrases=np.full(1, READY, dtype=np.int64),
        )

    def extend(self, worth: Worth, labels: Integers) -> Worth:
        """What readings are worth with one label more each."""
        letters = worth.letters * self._factors[labels] + self._addends[labels]
        ends = labels == self._delimiter
        if self._delimiter < 0:  # every label is a word
            settled, contexts = self._ended(replace(worth, letters=letters), np.ones_like(ends))
            ends = np.ones_like(ends)
        else:
            settled, contexts = self._ended(worth, ends)
        letters = np.where(ends, np.uint64(NO_LETTERS), letters)
        lengths = np.where(ends, 0, worth.lengths + 1)
        pending, phrases = self._outlook(letters, lengths), worth.phrases
        if self._hotwords is not None:
            phrases, earned = self._hotwords.advance(phrases, labels)
            settled += earned
            pending += self._hotwords.on_trust[phrases]
        return Worth(
            settled=settled,
            pending=pending,
            contexts=contexts,
            letters=letters,
            lengths=lengths,
            phrases=phrases,
        )

    def finish(self, worth: Worth) -> Numbers:
        """What readings are worth as whole texts."""
        settled, contexts = self._ended(worth, worth.letters != NO_LETTERS)
        if self._hotwords is not None:
            settled += self._hotwords.finish(worth.phrases)
        if self._model is not None and self._model.ngrams.end_word != NO_WORD:
            ends = np.full(len(contexts), self._model.ngrams.end_word, dtype=np.int64)
            settled += self._weights.lm_weight * self._model.ngrams.advance(contexts, ends)[0]
        return settled

    def _ended(self, worth: Worth, ends: npt.NDArray[np.bool_]) -> tuple[Numbers, Integers]:
        """What is settled, and the contexts, once the words of some readings have ended."""
        settled, contexts = worth.settled.copy(), worth.contexts.copy()
        rows = np.flatnonzero(ends)
        if not len(rows):
            return settled, contexts
        settled[rows] += self._weights.word_score
        if self._model is None:
            return settled, contexts
        ngrams = self._model.ngrams
        words = self._model.lexicon.numbers(worth.letters[rows])
        unknown = words == NO_WORD
        log_probs, behind = ngrams.advance(
            contexts[rows], np.where(unknown, max(ngrams.unknown_word, 0), words)
        )
        new = self._of_unknown(worth.lengths[rows], self._expected.are_words(worth.letters[rows]))
        log_probs = np.where(unknown, new, log_probs)
        settled[rows] += self._weights.lm_weight * log_probs
        contexts[rows] = np.where(unknown & (ngrams.unknown_word == NO_WORD), EMPTY, behind)
        return settled, contexts

    def _outlook(self, letters: Hashes, lengths: Integers) -> Numbers:
        """The best that may become of the words that are being spelled."""
        spelling = lengths > 0
        worth = np.where(spelling, self._weights.word_score, 0.0)
        if self._model is not None:
            unknown = self._of_unknown(lengths, self._expected.are_begins(letters))
            best = self._model.lexicon.outlook(letters, unknown)
            worth += np.where(spelling, self._weights.lm_weight * best, 0.0)
        return worth

    def _of_unknown(self, lengths: Integers, expected: npt.NDArray[np.bool_]) -> Numbers:
        """How probable words are that the model does not know, by their letters; hotwords are expected."""
        return np.where(expected, _HOTWORD_LOG_PROB, self._unknown + _LETTER_LOG_PROB * lengths)


def _unknown_log_prob(ngrams: NGrams) -> float:
    if ngrams.unknown_word == NO_WORD:
        return _UNKNOWN_LOG_PROB
    return float(ngrams.log_probs[ngrams.unknown_word + 1])
