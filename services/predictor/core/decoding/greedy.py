"""The most probable label of every frame: the fastest decoder, and the text that is given by default."""

import numpy as np

from services.predictor.core.decoding.types import HeardLabel, Hypothesis, LogProbabilities


class GreedyDecoder:
    """Satisfies `ports.Decoder` with one hypothesis.

    Args:
        blank_id: The label that CTC puts between characters.
    """

    def __init__(self, blank_id: int) -> None:
        self._blank_id = blank_id

    def decode(self, log_probs_fv: LogProbabilities) -> list[Hypothesis]:
        """Follow the most probable label; its score is the probability of that very path."""
        if not len(log_probs_fv):
            return [Hypothesis(labels=(), score=0.0)]
        labels_f = log_probs_fv.argmax(axis=-1)
        best_f = np.take_along_axis(log_probs_fv, labels_f[:, None], axis=-1)[:, 0].astype(np.float64)
        begins = np.flatnonzero(np.diff(labels_f, prepend=-1))
        ends = np.append(begins[1:], len(labels_f))
        means = np.add.reduceat(best_f, begins) / (ends - begins)
        runs = zip(labels_f[begins].tolist(), begins.tolist(), ends.tolist(), means.tolist(), strict=True)
        heard = [
            HeardLabel(label=label, first_frame=begin, last_frame=end - 1, log_probability=mean)
            for label, begin, end, mean in runs
            if label != self._blank_id
        ]
        return [Hypothesis(labels=heard, score=float(best_f.sum()))]
