"""Greedy CTC: the best label of every frame, into text."""

from collections.abc import Sequence
from itertools import groupby, pairwise

from thanosql_ctc.vocabulary import Vocabulary


def collapse(label_ids: Sequence[int], blank_id: int) -> list[int]:
    """Merge runs of one label, then drop blanks; a blank between two equal labels keeps both.

    Example:
        >>> collapse([8, 8, 0, 5, 12, 0, 12, 15], blank_id=0)
        [8, 5, 12, 12, 15]
    """
    return [label for label, _run in groupby(label_ids) if label != blank_id]


def frames_needed(labels: Sequence[object]) -> int:
    """Return the fewest frames that can say these labels: one each, and a blank between two equal ones."""
    return len(labels) + sum(one == other for one, other in pairwise(labels))


def greedy_decode(label_ids: Sequence[int], vocabulary: Vocabulary) -> str:
    """Turn the best label of each frame into text; special labels vanish, the delimiter becomes a space."""
    return vocabulary.decode(collapse(label_ids, vocabulary.blank_id))
