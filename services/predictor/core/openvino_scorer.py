"""Scores of frames through OpenVINO, for decoders that need more than the best label."""

from collections.abc import Sequence

import numpy as np

from services.predictor.core.decoding.types import LogProbabilities
from services.predictor.core.openvino_engine import OpenVinoEngine, PaddedBatch
from services.predictor.core.ports import BatchPolicy
from services.predictor.core.torch_engine import no_numbers
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import ThanosqlError


class OpenVinoScorer:
    """Satisfies `ports.Engine`, beside a transcribing engine whose requests it shares.

    Args:
        engine: What computes.
    """

    def __init__(self, engine: OpenVinoEngine) -> None:
        self._engine = engine

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return self._engine.description

    @property
    def size_bytes(self) -> int:
        """None of its own: the parameters are those of the transcribing engine."""
        return 0

    @property
    def policy(self) -> BatchPolicy:
        """As for transcribing."""
        return self._engine.policy

    def prepare(self, windows: Sequence[Samples]) -> PaddedBatch:
        """As for transcribing."""
        return self._engine.prepare(windows)

    def run(self, prepared: PaddedBatch) -> list[LogProbabilities]:
        """Compute the scores of the true frames of each row."""
        with self._engine.computed(prepared) as rows:
            return [log_softmax(row) for row in rows]

    def finish(self, raw: list[LogProbabilities]) -> list[LogProbabilities | ThanosqlError]:
        """Give the scores; a row without numbers has INVALID_CHECKPOINT instead."""
        return [row if np.isfinite(row).all() else no_numbers() for row in raw]


def log_softmax(logits_fv: LogProbabilities) -> LogProbabilities:
    """Scale the logits of each frame to logarithms of probabilities, in memory of their own."""
    with np.errstate(invalid="ignore"):  # what is no number stays none, and is told from numbers by who asked
        shifted: LogProbabilities = logits_fv - logits_fv.max(axis=-1, keepdims=True)
        shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted
