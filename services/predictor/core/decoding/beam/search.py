"""CTC prefix beam search: the most probable texts, over all ways to say them, weighed with a language.

After Graves and Jaitly (2014) and Hannun, Maas, Jurafsky and Ng, "First-Pass Large Vocabulary Continuous
Speech Recognition using Bi-Directional Recurrent DNNs" (2014, arXiv:1408.2873). A reading is a text so far.
It keeps the probability of having ended in a blank and in its last label apart, because a label said twice in
a row counts once unless a blank lies between. All readings go through a frame together, as arrays.

Shapes, as suffixes: r readings, c candidates, f frames, v labels.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.predictor.core.decoding.beam.fusion import Fusion, Worth
from services.predictor.core.decoding.beam.hotwords import delimiter_of
from services.predictor.core.decoding.beam.ngrams import Integers, Numbers
from services.predictor.core.decoding.beam.prefixes import Prefixes
from services.predictor.core.decoding.types import LogProbabilities
from thanosql_ctc.vocabulary import Vocabulary

_NEVER = -np.inf
_NONE = -1
_HASH_FACTOR = np.uint64(0xD6E8FEB86659FD93)
# Labels less probable than this in a frame begin nothing there, but for the best one.
_LEAST_LOG_PROB = -7.0
# Readings so much less probable than the best are dropped.
_MARGIN = 14.0
# Readings that grew, of which the best are kept once it is known what they are worth as texts.
_HOPEFUL = 4


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One text that was found.

    Attributes:
        labels: In order, without a delimiter at the end.
        frames: Where each of them was first thought of.
        score: Logarithm of the probability of its sound, weighed with what it is worth as a text.
    """

    labels: tuple[int, ...]
    frames: tuple[int, ...]
    score: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Readings:
    """Readings, one a place in each array.

    Attributes:
        in_blank_r: Logarithm of the probability of the sound so far, ending in a blank.
        in_label_r: The same, ending in the last label.
        label_r: The last label; _NONE for the empty reading.
        hash_r: What tells it apart.
        parent_hash_r: The same, without the last label.
        prefix_r: Its labels, in the store of prefixes.
        worth: What it is worth as a text.
    """

    in_blank_r: Numbers
    in_label_r: Numbers
    label_r: Integers
    hash_r: npt.NDArray[np.uint64]
    parent_hash_r: npt.NDArray[np.uint64]
    prefix_r: Integers
    worth: Worth


class BeamSearch:
    """Searches recordings, one at a time.

    Args:
        vocabulary: What labels write.
        fusion: What texts are worth beside their sound.
        beam_width: Readings that are kept from frame to frame.
    """

    def __init__(self, vocabulary: Vocabulary, fusion: Fusion, beam_width: int) -> None:
        self._blank = vocabulary.blank_id
        self._delimiter = delimiter_of(vocabulary)
        self._fusion = fusion
        self._beam_width = beam_width

    def search(self, log_probs_fv: LogProbabilities) -> list[Reading]:
        """Give the readings that are left at the end, the best first; no text twice.

        Args:
            log_probs_fv: Labels that write nothing, but for the blank, are never probable.
        """
        prefixes = Prefixes()
        readings = self._begin()
        for frame, log_probs_v in enumerate(log_probs_fv):
            readings = self._step(readings, log_probs_v.astype(np.float64), frame, prefixes)
        return self._finish(readings, prefixes)

    def _begin(self) -> _Readings:
        return _Readings(
            in_blank_r=np.zeros(1),
            in_label_r=np.full(1, _NEVER),
            label_r=np.full(1, _NONE, dtype=np.int64),
            hash_r=np.ones(1, dtype=np.uint64),
            parent_hash_r=np.zeros(1, dtype=np.uint64),
            prefix_r=np.full(1, Prefixes.EMPTY, dtype=np.int64),
            worth=self._fusion.begin(),
        )

    def _step(self, readings: _Readings, scores_v: Numbers, frame: int, prefixes: Prefixes) -> _Readings:
        """Take all readings through one frame."""
        label_r = readings.label_r
        total_r = np.logaddexp(readings.in_blank_r, readings.in_label_r)
        blank_r = total_r + scores_v[self._blank]
        # Behind a delimiter, and before the first word, one delimiter more is silence.
        between_r = (label_r == _NONE) | (label_r == self._delimiter)
        spoken_r = np.where(between_r, _NEVER, readings.in_label_r + scores_v[label_r])
        candidates = self._candidates(scores_v)
        if not len(candidates):
            return replace(readings, in_blank_r=blank_r, in_label_r=spoken_r)
        begins_rc = np.where(label_r[:, None] == candidates, readings.in_blank_r[:, None], total_r[:, None])
        grown_rc = begins_rc + scores_v[candidates]
        if self._delimiter >= 0:
            silent_r = np.where(between_r, total_r + scores_v[self._delimiter], _NEVER)
            blank_r = np.logaddexp(blank_r, silent_r)
            grown_rc[np.ix_(between_r, candidates == self._delimiter)] = _NEVER
        self._join(readings, candidates, grown_rc, (blank_r, spoken_r))
        stayed = replace(readings, in_blank_r=blank_r, in_label_r=spoken_r)
        return self._selected(stayed, candidates, grown_rc, frame, prefixes)

    def _candidates(self, scores_v: Numbers) -> Integers:
        """The labels that may come next."""
        chosen = np.flatnonzero(scores_v >= min(_LEAST_LOG_PROB, scores_v.max()))
        return np.delete(chosen, np.flatnonzero(chosen == self._blank))

    def _join(
        self, readings: _Readings, candidates: Integers, grown_rc: Numbers, stays: tuple[Numbers, Numbers]
    ) -> None:
        """Where a reading grows into another one that is there already, add its probability to that one."""
        order = np.argsort(readings.hash_r)
        places = np.searchsorted(readings.hash_r, readings.parent_hash_r, sorter=order)
        parents = order[np.minimum(places, len(order) - 1)]
        columns = np.minimum(np.searchsorted(candidates, readings.label_r), len(candidates) - 1)
        there = readings.hash_r[parents] == readings.parent_hash_r
        rows = np.flatnonzero(there & (candidates[columns] == readings.label_r))
        arriving = grown_rc[parents[rows], columns[rows]]
        grown_rc[parents[rows], columns[rows]] = _NEVER
        ended = readings.label_r[rows] == self._delimiter
        blank_r, spoken_r = stays
        blank_r[rows[ended]] = np.logaddexp(blank_r[rows[ended]], arriving[ended])
        spoken_r[rows[~ended]] = np.logaddexp(spoken_r[rows[~ended]], arriving[~ended])

    def _selected(
        self, stayed: _Readings, candidates: Integers, grown_rc: Numbers, frame: int, prefixes: Prefixes
    ) -> _Readings:
        """Keep the best, of those that stayed and of those that grew."""
        stay_scores = np.logaddexp(stayed.in_blank_r, stayed.in_label_r) + stayed.worth.total
        grown_scores = (grown_rc + stayed.worth.total[:, None]).ravel()
        least = max(stay_scores.max(), grown_scores.max()) - _MARGIN
        hopeful = _largest(grown_scores, least, _HOPEFUL * self._beam_width)
        parents, labels = hopeful // len(candidates), candidates[hopeful % len(candidates)]
        worth = self._fusion.extend(stayed.worth.take(parents), labels)
        heard = grown_rc.ravel()[hopeful]
        scores = np.concatenate([stay_scores, heard + worth.total])
        kept = _largest(scores, scores.max() - _MARGIN, self._beam_width)
        old, new = kept[kept < len(stay_scores)], kept[kept >= len(stay_scores)] - len(stay_scores)
        grown = self._grown(stayed, parents[new], labels[new], heard[new], worth.take(new))
        grown = replace(grown, prefix_r=prefixes.add(grown.prefix_r, labels[new], frame))
        chosen = _together(_taken(stayed, old), grown)
        return replace(chosen, prefix_r=prefixes.tidy(chosen.prefix_r))

    def _grown(
        self, readings: _Readings, parents: Integers, labels: Integers, heard: Numbers, worth: Worth
    ) -> _Readings:
        """Readings with a label more each; their prefixes are still those of their parents."""
        ended = labels == self._delimiter
        hashes = readings.hash_r[parents]
        return _Readings(
            in_blank_r=np.where(ended, heard, _NEVER),
            in_label_r=np.where(ended, _NEVER, heard),
            label_r=labels,
            hash_r=hashes * _HASH_FACTOR + labels.astype(np.uint64) + np.uint64(1),
            parent_hash_r=hashes,
            prefix_r=readings.prefix_r[parents],
            worth=worth,
        )

    def _finish(self, readings: _Readings, prefixes: Prefixes) -> list[Reading]:
        heard_r = np.logaddexp(readings.in_blank_r, readings.in_label_r)
        scores_r = heard_r + self._fusion.finish(readings.worth)
        found: dict[tuple[int, ...], Reading] = {}
        for row in np.argsort(-scores_r, kind="stable").tolist():
            labels, frames = prefixes.read(int(readings.prefix_r[row]))
            end = len(labels) - (bool(labels) and labels[-1] == self._delimiter)
            text, score = tuple(labels[:end]), float(scores_r[row])
            if text in found:  # with silence at its end, and without
                score = float(np.logaddexp(found[text].score, score))
                found[text] = replace(found[text], score=score)
            else:
                found[text] = Reading(labels=text, frames=tuple(frames[:end]), score=score)
        return sorted(found.values(), key=lambda reading: -reading.score)


def _largest(scores: Numbers, least: float, count: int) -> Integers:
    """The places of the largest scores that are not below the least one."""
    places = np.flatnonzero(scores >= least)
    if len(places) > count:
        places = places[np.argpartition(-scores[places], count - 1)[:count]]
    return places


def _taken(readings: _Readings, rows: Integers) -> _Readings:
    return _Readings(
        in_blank_r=readings.in_blank_r[rows],
        in_label_r=readings.in_label_r[rows],
        label_r=readings.label_r[rows],
        hash_r=readings.hash_r[rows],
        parent_hash_r=readings.parent_hash_r[rows],
        prefix_r=readings.prefix_r[rows],
        worth=readings.worth.take(rows),
    )


def _together(one: _Readings, other: _Readings) -> _Readings:
    arrays = {
        name: np.concatenate([getattr(one, name), getattr(other, name)])
        for name in ("in_blank_r", "in_label_r", "label_r", "hash_r", "parent_hash_r", "prefix_r")
    }
    return _Readings(**arrays, worth=one.worth.together(other.worth))
