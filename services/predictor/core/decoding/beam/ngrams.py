"""An n-gram language model in sorted arrays: read by many processes at once, asked for many words at once.

A state is a context: the words before, as many as matter. States are numbered; 0 is the empty one. Every
n-gram is the state of its words, and found under its context and its last word. Where there is none, the
model backs off to the context without its first word, which is always a shorter one, so every search ends.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

EMPTY = 0
NO_WORD = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class NGrams:
    """The arrays; logarithms are natural.

    Attributes:
        order: Words of the longest n-gram.
        size: Words that it knows.
        keys: Of all n-grams, sorted: state of the context times `size` plus the last word. The n-gram at
            place i is state i + 1.
        log_probs: By state, of the last word behind the others.
        backoffs: By state, for what no n-gram says.
        suffixes: By state, the state without the first word, or an even shorter one.
        nexts: By state, the context for the next word.
        begin: The context at the begin of a text.
        end_word: What ends a text; NO_WORD where the model has no such word.
        unknown_word: What stands for a word that it does not know; NO_WORD where nothing does.
    """

    order: int
    size: int
    keys: npt.NDArray[np.int64]
    log_probs: npt.NDArray[np.float32]
    backoffs: npt.NDArray[np.float32]
    suffixes: npt.NDArray[np.int32]
    nexts: npt.NDArray[np.int32]
    begin: int
    end_word: int
    unknown_word: int

    def find(self, states: Integers, words: Integers) -> Integers:
        """Look n-grams up by their contexts and last words; 0 where there is none."""
        return find_states(self.keys, states * self.size + words)

    def advance(self, states: Integers, words: Integers) -> tuple[Numbers, Integers]:
        """Tell how probable each word is behind each context, and the contexts behind the words."""
        log_probs = np.zeros(len(states))
        behind = np.zeros(len(states), dtype=np.int64)
        rows = np.arange(len(states))
        for _length in range(self.order):
            found = self.find(states, words)
            hit = found > 0
            log_probs[rows[hit]] += self.log_probs[found[hit]]
            behind[rows[hit]] = self.nexts[found[hit]]
            if hit.all():
                break
            rows, states, words = rows[~hit], states[~hit], words[~hit]
            log_probs[rows] += self.backoffs[states]
            states = self.suffixes[states].astype(np.int64)
        return log_probs, behind


def find_states(keys: npt.NDArray[np.int64], wanted: Integers) -> Integers:
    """The states of the n-grams with these keys; 0 where there is none."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=np.int64)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[places] == wanted, places + 1, EMPTY)
