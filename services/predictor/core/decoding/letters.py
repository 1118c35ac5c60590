"""The labels of a hypothesis, word by word."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.predictor.core.decoding.types import HeardLabel
from thanosql_ctc.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True, slots=True)
class WordLetters:
    """A word, and the labels that it is written with."""

    text: str
    letters: Sequence[HeardLabel]

    @property
    def first_frame(self) -> int:
        """Where its first letter begins."""
        return self.letters[0].first_frame

    @property
    def last_frame(self) -> int:
        """Where its last letter ends."""
        return self.letters[-1].last_frame


def find_words(labels: Sequence[HeardLabel], vocabulary: Vocabulary) -> list[WordLetters]:
    """Part labels at the delimiters; labels that are never written belong to no word."""
    parts = _parts(labels, vocabulary)
    words = (WordLetters(text=vocabulary.decode([one.label for one in part]), letters=part) for part in parts)
    return [word for word in words if word.text]


def _parts(labels: Sequence[HeardLabel], vocabulary: Vocabulary) -> Iterator[list[HeardLabel]]:
    delimiters, part = vocabulary.delimiter_ids, list[HeardLabel]()
    for label in labels:
        if label.label in delimiters:
            yield part
            part = []
        elif label.label not in vocabulary.special_ids:
            part.append(label)
    yield part
