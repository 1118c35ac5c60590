"""The labels of the recogniser: those of facebook/wav2vec2-base-960h, so that they can change places."""

from thanosql_ctc.greedy import greedy_decode
from thanosql_ctc.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of_characters("ETAONIHSRDLUMWCFGYPBVK'XJQZ")


def encode(text: str) -> list[int]:
    """Return the labels of a text of capitals, spaces and apostrophes."""
    return VOCABULARY.encode(text)


def decode(labels: list[int]) -> str:
    """Turn each frame's best label into text."""
    return greedy_decode(labels, VOCABULARY)
