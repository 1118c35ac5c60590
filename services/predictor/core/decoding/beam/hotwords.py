"""Words and phrases that a reading is rewarded for: found letter by letter in many readings at once.

An automaton in the manner of Aho and Corasick (1975) over labels. A phrase begins where a word begins and
ends where one ends; with labels that have no delimiter it may stand anywhere. Half way through a phrase a
reading has a part of the reward on trust, so that it is not dropped before the phrase is heard; what
breaks off loses it again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.predictor.core.decoding.beam.lexicon import Spellings, spellings_of
from services.predictor.core.decoding.beam.ngrams import Integers, Numbers
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, error

# Some 200 MB. Without a delimiter every state has a way to each letter that a phrase begins with.
_MOST_WAYS = 2_000_000

READY = 0
"""Where a phrase may begin."""
LOST = 1
"""Inside of a word that begins none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class HotwordTable:
    """The automaton in arrays.

    Attributes:
        size: Labels of the vocabulary.
        delimiter: The label between words; -1 where there is none.
        keys: Of the ways between states, sorted: state times `size` plus label.
        goals: Where they lead.
        on_trust: By state, the part of the reward that a reading has until the phrase breaks off.
        earned: By state, the reward for the phrases that end there.
        spellings: The words of the phrases.
    """

    size: int
    delimiter: int
    keys: npt.NDArray[np.int64]
    goals: npt.NDArray[np.int64]
    on_trust: Numbers
    earned: Numbers
    spellings: Spellings

    def advance(self, states: Integers, labels: Integers) -> tuple[Integers, Numbers]:
        """Go on by one label each; the second is what is earned for good."""
        keys = states * self.size + labels
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        ended = labels == self.delimiter
        lost = READY if self.delimiter < 0 else LOST
        goals = np.where(self.keys[places] == keys, self.goals[places], np.where(ended, READY, lost))
        if self.delimiter < 0:
            return goals, self.earned[goals]
        return goals, np.where(ended, self.earned[states], 0.0)

    def finish(self, states: Integers) -> Numbers:
        """What is earned at the end of the text."""
        return np.zeros(len(states)) if self.delimiter < 0 else self.earned[states]


def build_hotwords(phrases: Mapping[tuple[int, ...], float], vocabulary: Vocabulary) -> HotwordTable:
    """Build the automaton.

    Args:
        phrases: The reward by the labels of each phrase; at least one, none empty.
        vocabulary: What labels write.

    Raises:
        ThanosqlError: INVALID_OPTION_VALUE, where they would take more memory than they are worth.
    """
    size, delimiter = len(vocabulary), delimiter_of(vocabulary)
    children: list[dict[int, int]] = [{}, {}]
    on_trust, earned = [0.0, 0.0], [0.0, 0.0]
    for labels, weight in phrases.items():
        state = READY
        for depth, label in enumerate(labels, 1):
            if label not in children[state]:
                children[state][label] = len(children)
                children.append({})
                on_trust.append(0.0)
                earned.append(0.0)
            state = children[state][label]
            on_trust[state] = max(on_trust[state], weight * depth / len(labels), key=abs)
        earned[state] = weight
    if delimiter < 0 and len(children) * len(children[READY]) > _MOST_WAYS:
        raise error(
            Reason.INVALID_OPTION_VALUE,
            f"{len(phrases)} hotwords of {len(children):,} letters in all are too many for a model without a "
            "space, of which any of them may begin behind any letter; give fewer or shorter ones",
            option="hotwords",
        )
    _close(children, earned, delimiter)
    if delimiter < 0:  # earned on arrival: nothing of it is on trust any more
        on_trust = [0.0 if reward else trust for reward, trust in zip(earned, on_trust, strict=True)]
    ways = sorted(
        (state * size + label, goal)
        for state, all_of in enumerate(children)
        for label, goal in all_of.items()
    )
    return HotwordTable(
        size=size,
        delimiter=delimiter,
        keys=np.array([key for key, _goal in ways], dtype=np.int64),
        goals=np.array([goal for _key, goal in ways], dtype=np.int64),
        on_trust=np.array(on_trust),
        earned=np.array(earned),
        spellings=spellings_of(_words(phrases, vocabulary)),
    )


def delimiter_of(vocabulary: Vocabulary) -> int:
    """The label between words; -1 where there is none."""
    return next(iter(vocabulary.delimiter_ids), -1)


def _words(phrases: Iterable[tuple[int, ...]], vocabulary: Vocabulary) -> Iterator[str]:
    for labels in phrases:
        written = "".join(vocabulary.tokens[label] for label in labels)
        yield from written.split(vocabulary.word_delimiter)


def _close(children: list[dict[int, int]], earned: list[float], delimiter: int) -> None:
    """Give every state the ways of the longest phrase that begins later and fits what was said since."""
    lost = READY if delimiter < 0 else LOST
    falls = [READY] * len(children)
    waiting = [READY]
    for state in waiting:  # grows while it is read: shorter phrases come first
        for label, child in list(children[state].items()):
            if state == READY:
                falls[child] = READY if label == delimiter else lost
            else:
                # The shorter state is closed already, so that its ways are all there are.
                falls[child] = children[falls[state]].get(label, READY if label == delimiter else lost)
            waiting.append(child)
        if state != READY:
            earned[state] = earned[state] or earned[falls[state]]
            children[state] = {**children[falls[state]], **children[state]}
