"""The labels of many texts that begin alike, each kept once: a tree that grows frame by frame."""

import numpy as np

from services.predictor.core.decoding.beam.ngrams import Integers

_FIRST_CAPACITY = 1 << 14


class Prefixes:
    """Texts by number; each is an earlier text and a label more.

    What no text in use begins with is forgotten from time to time, so that memory follows the length of the
    texts in use.
    """

    EMPTY = 0

    def __init__(self) -> None:
        self._parents = np.zeros(_FIRST_CAPACITY, dtype=np.int64)
        self._labels = np.zeros(_FIRST_CAPACITY, dtype=np.int32)
        self._frames = np.zeros(_FIRST_CAPACITY, dtype=np.int32)
        self._count = 1
        self._tidied = 1

    def __len__(self) -> int:
        return self._count

    def add(self, parents: Integers, labels: Integers, frame: int) -> Integers:
        """Put a label behind each of some texts; gives the numbers of the longer ones."""
        while self._count + len(parents) > len(self._parents):
            self._grow()
        numbers = np.arange(self._count, self._count + len(parents))
        self._parents[numbers] = parents
        self._labels[numbers] = labels
        self._frames[numbers] = frame
        self._count += len(parents)
        return numbers

    def tidy(self, in_use: Integers) -> Integers:
        """Forget the rest where there is much of it; gives the new numbers of the texts in use."""
        if self._count < len(self._parents) // 2 or self._count < 2 * self._tidied:
            return in_use
        kept = np.zeros(self._count, dtype=bool)
        kept[: self._tidied] = True  # looked through before
        texts = np.unique(in_use)
        while len(texts := texts[~kept[texts]]):
            kept[texts] = True
            texts = np.unique(self._parents[texts])
        numbers = np.cumsum(kept) - 1
        old = np.flatnonzero(kept)
        self._parents[: len(old)] = numbers[self._parents[old]]
        self._labels[: len(old)] = self._labels[old]
        self._frames[: len(old)] = self._frames[old]
        self._count = self._tidied = len(old)
        return numbers[in_use]

    def read(self, text: int) -> tuple[list[int], list[int]]:
        """The labels of a text, and the frames in which they were added."""
        places = []
        while text != self.EMPTY:
            places.append(text)
            text = int(self._parents[text])
        places.reverse()
        return self._labels[places].tolist(), self._frames[places].tolist()

    def _grow(self) -> None:
        for name in ("_parents", "_labels", "_frames"):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros_like(old)]))
