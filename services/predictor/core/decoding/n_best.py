"""Several readings of a recording: a beam over prefixes, without a language model.

A prefix is a series of labels; the beam adds up the probabilities of all paths of frames that say it
(prefix search, Graves et al. 2006 and Hannun et al. 2014). Beside that, each prefix remembers where its
most probable path says which label. Where silence divides words the recording is cut: what is heard on one
side hardly changes the other, so the best readings of the whole are sums of those of the parts, and an hour
is not heard in a single beam, whose readings would differ in its last words alone.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from services.predictor.core.decoding.prefixes import Beam, Symbols
from services.predictor.core.decoding.types import HeardLabel, Hypothesis, LogProbabilities
from thanosql_ctc.vocabulary import Vocabulary

_WIDTH = 16
# A label that is less probable in a frame is no candidate there; the blank always is.
_LEAST = math.log(1e-2)
# Words are divided by so many frames in a row that are as good as silent, with a delimiter among them.
_DIVIDING_FRAMES = 6
_CERTAIN = math.log(0.9)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Chain:
    """A reading of some parts: that of the last one, what divides it from the next, and those before."""

    score: float
    before: "_Chain | None" = None
    labels: Sequence[HeardLabel] = ()

    def all_labels(self) -> list[HeardLabel]:
        """Those of all parts, in order."""
        parts, reading = [], self
        while reading.before is not None:
            parts.append(reading.labels)
            reading = reading.before
        return [label for part in reversed(parts) for label in part]


class NBestDecoder:
    """Satisfies `ports.Decoder`.

    Args:
        vocabulary: What labels mean.
        n_best: Readings at most; a recording in which nothing is in doubt has fewer.
    """

    def __init__(self, vocabulary: Vocabulary, n_best: int) -> None:
        self._vocabulary = vocabulary
        self._symbols = Symbols(
            blank=vocabulary.blank_id,
            delimiter=next(iter(vocabulary.delimiter_ids), None),
            unwritten=vocabulary.special_ids - {vocabulary.blank_id},
        )
        self._n_best = n_best
        self._width = max(_WIDTH, 2 * n_best)

    def decode(self, log_probs_fv: LogProbabilities) -> list[Hypothesis]:
        """Give the most probable readings, the best first; scores are logarithms of probabilities."""
        readings = [_Chain(score=0.0)]
        for begin, divider, end in self._parts(log_probs_fv):
            part = self._decode_part(log_probs_fv, begin, end)
            readings = _best_sums(readings, part, divider, self._n_best)
        found: dict[str, Hypothesis] = {}
        for reading in readings:
            labels = reading.all_labels()
            text = self._vocabulary.decode([label.label for label in labels])
            found.setdefault(text, Hypothesis(labels=labels, score=reading.score))
        return list(found.values())

    def _decode_part(self, log_probs_fv: LogProbabilities, begin: int, end: int) -> list[Hypothesis]:
        beam = Beam(self._symbols, self._width)
        skipped = self._symbols.unwritten | {self._symbols.blank}
        for frame in range(begin, end):
            scores_v = log_probs_fv[frame]
            likely = np.flatnonzero(scores_v > _LEAST)
            pairs = zip(likely.tolist(), scores_v[likely].tolist(), strict=True)
            candidates = [pair for pair in pairs if pair[0] not in skipped]
            beam.step(frame, float(scores_v[self._symbols.blank]), candidates)
        return beam.best(self._n_best)

    def _parts(self, log_probs_fv: LogProbabilities) -> Iterator[tuple[int, HeardLabel | None, int]]:
        """First frame of each part, the delimiter behind it, and the frame at which it ends."""
        begin = 0
        for divider in self._dividers(log_probs_fv):
            yield begin, divider, divider.first_frame
            begin = divider.last_frame + 1
        yield begin, None, len(log_probs_fv)

    def _dividers(self, log_probs_fv: LogProbabilities) -> Iterator[HeardLabel]:
        delimiter = self._symbols.delimiter
        if delimiter is None:
            return
        between_f = log_probs_fv[:, delimiter]
        silent_f = np.logaddexp(log_probs_fv[:, self._symbols.blank], between_f) > _CERTAIN
        frame = 0
        for is_silent, run in groupby(silent_f.tolist()):
            length = sum(1 for _ in run)
            best = frame + int(between_f[frame : frame + length].argmax())
            if is_silent and length >= _DIVIDING_FRAMES and (score := float(between_f[best])) > _CERTAIN:
                yield HeardLabel(label=delimiter, first_frame=best, last_frame=best, log_probability=score)
            frame += length


def _best_sums(
    befores: Sequence[_Chain], part: Sequence[Hypothesis], divider: HeardLabel | None, n_best: int
) -> list[_Chain]:
    pairs = ((before.score + after.score, before, after) for before in befores for after in part)
    best = heapq.nlargest(n_best, pairs, key=lambda pair: pair[0])
    return [
        _Chain(score=score, before=before, labels=_divided(after.labels, divider))
        for score, before, after in best
    ]


def _divided(labels: Sequence[HeardLabel], divider: HeardLabel | None) -> Sequence[HeardLabel]:
    return [*labels, divider] if divider is not None and labels else labels
