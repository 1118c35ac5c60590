"""CTC models through torch, on the CPU or on a GPU, in float32 or bfloat16."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from services.predictor.core.ports import BatchPolicy
from services.predictor.core.torch_manner import EngineOptions, TorchManner, torch_manner
from thanosql_ctc.batch_invariant import padded_forward, receptive_field
from thanosql_ctc.families import CtcModel
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import Reason, ThanosqlError, error


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A padded batch [b, t] and the true length of each row."""

    inputs_bt: Tensor
    lengths: list[int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Computed:
    """The best label of each frame, the true frames of each row, the frames whose logits were numbers."""

    labels_bf: Tensor
    frames: Tensor
    finite_bf: Tensor


class TorchEngine:
    """Satisfies `ports.Engine`.

    Args:
        model: In evaluation mode; the engine takes it over.
        options: What was asked for.
        manner: How to compute; None for what suits the device.
    """

    def __init__(self, model: CtcModel, options: EngineOptions, manner: TorchManner | None = None) -> None:
        self.manner = manner or torch_manner(options)
        self.model = model
        nn.Module.to(model, device=self.manner.device, dtype=self.manner.weights)
        self._shortest = receptive_field(model.config)

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return f"torch {self.manner.device} {self.manner.dtype}"

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        return sum(weight.numel() * weight.element_size() for weight in self.model.parameters())

    @property
    def policy(self) -> BatchPolicy:
        """Singles or pairs on a CPU, where padding costs and sharing gains little; batches on a GPU."""
        return self.manner.policy

    def prepare(self, windows: Sequence[Samples]) -> Prepared:
        """Pad to the longest, to the shortest that the model takes, and to shapes that come again."""
        lengths = [max(self._shortest, len(window)) for window in windows]
        shape_samples = self.manner.shape_samples
        padded = -(-max(lengths) // shape_samples) * shape_samples
        inputs = np.zeros((len(windows), padded), dtype=np.float32)
        for row, window in zip(inputs, windows, strict=True):
            row[: len(window)] = window
        return Prepared(inputs_bt=torch.from_numpy(inputs), lengths=lengths)

    def on_device(self, prepared: Prepared) -> Tensor:
        """The padded batch where the model is, in its precision."""
        return prepared.inputs_bt.to(device=self.manner.device, dtype=self.manner.weights)

    def run(self, prepared: Prepared) -> Computed:
        """Compute logits and take the best label of each frame where the logits are."""
        with self.manner.computing():
            inputs_bt = self.on_device(prepared)
            logits_bfv, frames_b = padded_forward(self.model, inputs_bt, prepared.lengths)
            return Computed(
                labels_bf=logits_bfv.argmax(dim=-1).cpu(),
                frames=frames_b.cpu(),
                finite_bf=torch.isfinite(logits_bfv).all(dim=-1).cpu(),
            )

    def finish(self, raw: Computed) -> list[list[int] | ThanosqlError]:
        """Cut every row to its true frames; a row without numbers has INVALID_CHECKPOINT instead."""
        rows = zip(raw.labels_bf, raw.finite_bf, raw.frames.tolist(), strict=True)
        return [
            labels[:count].tolist() if bool(finite[:count].all()) else no_numbers()
            for labels, finite, count in rows
        ]


def no_numbers() -> ThanosqlError:
    """The failure of a recording for which the model gives no numbers."""
    return error(
        Reason.INVALID_CHECKPOINT,
        "the model gives no numbers for this recording: its weights are damaged, or too large",
    )
