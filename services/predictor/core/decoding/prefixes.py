"""The beam of a prefix search: which series of labels are alive at a frame, and how probable each is."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.predictor.core.decoding.types import HeardLabel, Hypothesis

_NEVER = -math.inf
_Scored = tuple[int, float]
"""A label and its score in a frame."""


@dataclass(frozen=True, kw_only=True)
class Symbols:
    """Labels with a meaning of their own.

    Attributes:
        blank: Between two labels.
        delimiter: Between two words; None where the vocabulary has none.
        unwritten: Never become text, and are no candidates.
    """

    blank: int
    delimiter: int | None
    unwritten: frozenset[int]


# Not frozen, as it is made for every label of every prefix at every frame.
@dataclass(slots=True)
class _Run:
    """A label on a path of frames, what its frames add up to, and the run before it."""

    before: "_Run | None"
    label: int
    first_frame: int
    last_frame: int
    score: float


_Path = tuple[float, _Run | None]
"""The score of a path of frames, and its last run of a label."""
_NO_PATH: _Path = (_NEVER, None)


class _Prefix:
    """A series of labels: the last one, and the prefix before it.

    Its paths are those that end in a blank and those that end in its last label: the probability of all of
    them, and the best one, at this frame and, as far as they are counted, at the next.
    """

    __slots__ = ("_children", "_next", "before", "blank", "blank_path", "label", "spoken", "spoken_path")

    def __init__(self, before: "_Prefix | None", label: int) -> None:
        self.before = before
        self.label = label
        self.blank = self.spoken = _NEVER
        self.blank_path = self.spoken_path = _NO_PATH
        self._children: dict[int, _Prefix] = {}
        self._next = (_NEVER, _NEVER, _NO_PATH, _NO_PATH)

    @property
    def total(self) -> float:
        """The probability of all paths."""
        return _add(self.blank, self.spoken)

    @property
    def path(self) -> _Path:
        """The best of all paths."""
        return self.blank_path if self.blank_path[0] >= self.spoken_path[0] else self.spoken_path

    def child(self, label: int) -> "_Prefix":
        """This prefix and one more label."""
        child = self._children.get(label)
        if child is None:
            child = self._children[label] = _Prefix(self, label)
        return child

    def go_on_silent(self, total: float, path: _Path) -> None:
        """Count paths that end in a blank at the next frame."""
        blank, spoken, blank_path, spoken_path = self._next
        best = path if path[0] > blank_path[0] else blank_path
        self._next = (_add(blank, total), spoken, best, spoken_path)

    def go_on_speaking(self, total: float, path: _Path) -> None:
        """Count paths that end in the last label at the next frame."""
        blank, spoken, blank_path, spoken_path = self._next
        best = path if path[0] > spoken_path[0] else spoken_path
        self._next = (blank, _add(spoken, total), blank_path, best)

    def advance(self) -> None:
        """Go to the next frame."""
        self.blank, self.spoken, self.blank_path, self.spoken_path = self._next
        self._next = (_NEVER, _NEVER, _NO_PATH, _NO_PATH)


class Beam:
    """The most probable prefixes of a stretch of frames.

    Delimiters before the first word, and one behind the other, are no labels: they change no text.

    Args:
        symbols: Labels with a meaning of their own.
        width: Prefixes that stay alive.
    """

    def __init__(self, symbols: Symbols, width: int) -> None:
        self._symbols = symbols
        self._width = width
        root = _Prefix(None, symbols.blank)
        root.go_on_silent(0.0, (0.0, None))
        root.advance()
        self._alive = [root]

    def step(self, frame: int, blank: float, candidates: Sequence[_Scored]) -> None:
        """Hear one more frame.

        Args:
            frame: Its number.
            blank: The score of the blank in it.
            candidates: The labels to go on with, and their scores.
        """
        reached: dict[int, _Prefix] = {}
        for prefix in self._alive:
            score, run = prefix.path
            prefix.go_on_silent(prefix.total + blank, (score + blank, run))
            reached[id(prefix)] = prefix
            for label, spoken in candidates:
                other = self._say(prefix, label, spoken, frame)
                reached[id(other)] = other
        for prefix in reached.values():
            prefix.advance()
        self._alive = heapq.nlargest(self._width, reached.values(), key=lambda one: one.total)

    def best(self, count: int) -> list[Hypothesis]:
        """The readings, the best first; a delimiter behind the last word is left out."""
        sums: dict[int, tuple[float, _Path]] = {}
        for prefix in self._alive:
            key, (score, run) = prefix, prefix.path
            if prefix.before is not None and prefix.label == self._symbols.delimiter:
                assert run is not None, "a prefix of some labels has a path of some"
                key, run = prefix.before, run.before
            total, known = sums.get(id(key), (_NEVER, _NO_PATH))
            sums[id(key)] = (_add(total, prefix.total), max(known, (score, run), key=lambda path: path[0]))
        best = heapq.nlargest(count, sums.values(), key=lambda one: one[0])
        return [Hypothesis(labels=_labels(path[1]), score=total) for total, path in best]

    def _say(self, prefix: _Prefix, label: int, spoken: float, frame: int) -> _Prefix:
        """Say a label behind a prefix; the prefix that this makes."""
        symbols = self._symbols
        if label == symbols.delimiter and prefix.before is None:
            score, run = prefix.path
            prefix.go_on_silent(prefix.total + spoken, (score + spoken, run))
            return prefix
        if label != prefix.label:
            child = prefix.child(label)
            child.go_on_speaking(prefix.total + spoken, _begun(prefix.path, label, spoken, frame))
            return child
        prefix.go_on_speaking(prefix.spoken + spoken, _held(prefix.spoken_path, spoken, frame))
        if prefix.blank == _NEVER:
            return prefix
        if label == symbols.delimiter:
            prefix.go_on_speaking(prefix.blank + spoken, _held(prefix.blank_path, spoken, frame))
            return prefix
        child = prefix.child(label)
        child.go_on_speaking(prefix.blank + spoken, _begun(prefix.blank_path, label, spoken, frame))
        return child


def _begun(path: _Path, label: int, spoken: float, frame: int) -> _Path:
    score, run = path
    return score + spoken, _Run(run, label, frame, frame, spoken)


def _held(path: _Path, spoken: float, frame: int) -> _Path:
    score, run = path
    if run is None:
        return _NO_PATH
    return score + spoken, _Run(run.before, run.label, run.first_frame, frame, run.score + spoken)


def _labels(run: _Run | None) -> list[HeardLabel]:
    return [
        HeardLabel(
            label=one.label,
            first_frame=one.first_frame,
            last_frame=one.last_frame,
            log_probability=one.score / (one.last_frame - one.first_frame + 1),
        )
        for one in reversed(list(_runs(run)))
    ]


def _runs(run: _Run | None) -> Iterator[_Run]:
    while run is not None:
        yield run
        run = run.before


def _add(one: float, other: float) -> float:
    """The logarithm of the sum of two probabilities that are given by theirs."""
    larger, smaller = (one, other) if one >= other else (other, one)
    return larger if smaller == _NEVER else larger + math.log1p(math.exp(smaller - larger))
