"""Scores of frames through torch, for decoders that need more than the best label.

Shapes, as suffixes: b batch, f frames, v labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from services.predictor.core.decoding.types import LogProbabilities
from services.predictor.core.ports import BatchPolicy
from services.predictor.core.torch_engine import Prepared, TorchEngine, no_numbers
from thanosql_ctc.batch_invariant import padded_forward
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import ThanosqlError


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """The scores of a batch, and the true frames of each row."""

    log_probs_bfv: Tensor
    frames: list[int]


class TorchScorer:
    """Satisfies `ports.Engine`, beside a transcribing engine whose model and device it shares.

    Args:
        engine: What computes.
    """

    def __init__(self, engine: TorchEngine) -> None:
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

    def prepare(self, windows: Sequence[Samples]) -> Prepared:
        """As for transcribing."""
        return self._engine.prepare(windows)

    def run(self, prepared: Prepared) -> Scored:
        """Compute the scores; they are float32 in every precision of the model."""
        with self._engine.manner.computing():
            inputs_bt = self._engine.on_device(prepared)
            logits_bfv, frames_b = padded_forward(self._engine.model, inputs_bt, prepared.lengths)
            log_probs_bfv = torch.log_softmax(logits_bfv.float(), dim=-1)
            return Scored(log_probs_bfv=log_probs_bfv.cpu(), frames=frames_b.tolist())

    def finish(self, raw: Scored) -> list[LogProbabilities | ThanosqlError]:
        """Cut every row to its true frames; a row without numbers has INVALID_CHECKPOINT instead."""
        rows = [row[:count] for row, count in zip(raw.log_probs_bfv, raw.frames, strict=True)]
        # Copied: a view would keep the scores of the whole batch for as long as one row waits.
        return [row.numpy().copy() if bool(torch.isfinite(row).all()) else no_numbers() for row in rows]
