"""The decoder that searches beams: scores of frames to hypotheses."""

from dataclasses import dataclass

import numpy as np

from services.predictor.core.decoding.beam.alignment import align
from services.predictor.core.decoding.beam.fusion import Fusion
from services.predictor.core.decoding.beam.search import BeamSearch
from services.predictor.core.decoding.types import Hypothesis, LogProbabilities
from thanosql_ctc.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class BeamSize:
    """How much is looked at, and how much is given.

    Attributes:
        beam_width: Readings that are kept from frame to frame.
        n_best: Hypotheses that are given at most.
    """

    beam_width: int = 64
    n_best: int = 1


class BeamDecoder:
    """Satisfies `ports.Decoder`.

    Args:
        vocabulary: What labels write.
        fusion: What texts are worth beside their sound.
        size: How much is looked at, and how much is given.
    """

    def __init__(self, vocabulary: Vocabulary, fusion: Fusion, size: BeamSize) -> None:
        self._blank = vocabulary.blank_id
        self._silent = sorted(vocabulary.special_ids | {vocabulary.blank_id})
        self._search = BeamSearch(vocabulary, fusion, size.beam_width)
        self._n_best = size.n_best

    def decode(self, log_probs_fv: LogProbabilities) -> list[Hypothesis]:
        """Give the best texts; a score weighs the sound with what the text is worth."""
        heard_fv = self._silence_in_one(log_probs_fv)
        readings = self._search.search(heard_fv)[: self._n_best]
        return [
            Hypothesis(labels=align(heard_fv, item.labels, item.frames, self._blank), score=item.score)
            for item in readings
        ]

    def _silence_in_one(self, log_probs_fv: LogProbabilities) -> LogProbabilities:
        """Count labels that write nothing as blanks, which is what becomes of them in a text."""
        if len(self._silent) == 1 or not len(log_probs_fv):
            return log_probs_fv
        heard_fv = log_probs_fv.copy()
        silence_f = np.logaddexp.reduce(log_probs_fv[:, self._silent], axis=1)
        heard_fv[:, self._silent] = -np.inf
        heard_fv[:, self._blank] = silence_f
        return heard_fv
