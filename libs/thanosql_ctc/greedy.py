"""Greedy CTC: the best label of every frame, into text."""

from collections.abc import Sequence
from itertools import groupby

from thanosql_ctc.vocabulary import Vocabulary


def collapse(label_ids: Sequence[int], blank_id: int) -> list[int]:
    """Merge runs of one label, then drop blanks; a blank between two equal labels keeps both.

    Example:
        >>> collapse([8, 8, 0, 5, 12, 0, 12, 15], blank_id=0)
        [8, 5, 12, 12, 15]
    """
    return [label for label, _run in groupby(label_ids) if label != blank_id]


def greedy_decode(label_ids: Sequence[int], vocabulary: Vocabulary) -> str:
    """Turn the best label of each frame into text; special labels vanish, the delimiter becomes a space."""
    return vocabulary.decode(collapse(label_ids, vocabulary.blank_id))
