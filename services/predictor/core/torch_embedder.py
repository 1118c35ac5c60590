"""Embeddings of recordings through torch: the frames of a hidden layer of the model that transcribes.

Which layer, and why, is in docs/adr/0017-embeddings-of-recordings.md.

Shapes, as suffixes: b batch, t samples, f frames, h hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from services.predictor.core.ports import BatchPolicy
from services.predictor.core.torch_engine import Prepared, TorchEngine, no_numbers
from thanosql_ctc.batch_invariant import lower_encoder, padded_hidden
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import ThanosqlError

Frames = npt.NDArray[np.float32]
"""What a layer gives for each frame of a window: [frames, hidden]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Hidden:
    """What the layer gives for a batch, and the true frames of each row."""

    hidden_bfh: Tensor
    frames: list[int]


class TorchEmbedder:
    """Satisfies `ports.Engine`, beside a transcribing engine whose model and device it shares.

    Args:
        engine: Its model is computed up to the layer, no further.
    """

    def __init__(self, engine: TorchEngine) -> None:
        self._engine = engine
        self._encoder = lower_encoder(engine.model, embedding_layer(engine.model.config.num_hidden_layers))

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return self._engine.description

    @property
    def size_bytes(self) -> int:
        """None of its own: the parameters are those of the transcribing engine."""
        return 0

    @property
    def parameter_bytes(self) -> int:
        """Size of the parameters that it shares."""
        return self._engine.size_bytes

    @property
    def policy(self) -> BatchPolicy:
        """As for transcribing."""
        return self._engine.policy

    def prepare(self, windows: Sequence[Samples]) -> Prepared:
        """As for transcribing."""
        return self._engine.prepare(windows)

    def run(self, prepared: Prepared) -> Hidden:
        """Compute up to the layer."""
        with self._engine.manner.computing():
            inputs_bt = self._engine.on_device(prepared)
            hidden_bfh, frames_b = padded_hidden(
                self._engine.model, self._encoder, inputs_bt, prepared.lengths
            )
            return Hidden(hidden_bfh=hidden_bfh.float().cpu(), frames=frames_b.tolist())

    def finish(self, raw: Hidden) -> list[Frames | ThanosqlError]:
        """Cut every row to its true frames; a row without numbers has INVALID_CHECKPOINT instead."""
        rows: list[Frames] = [
            hidden_fh[:count].numpy() for hidden_fh, count in zip(raw.hidden_bfh, raw.frames, strict=True)
        ]
        return [row if np.isfinite(row).all() else no_numbers() for row in rows]


def embedding_layer(layers: int) -> int:
    """The layer, from 1, that embeddings are taken from: three quarters of the way up."""
    return max(1, round(layers * 3 / 4))
