"""CTC models through torch, on the CPU or on a GPU, in float32 or bfloat16."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from services.predictor.core.ports import BatchPolicy
from thanosql_ctc.batch_invariant import padded_forward, receptive_field
from thanosql_ctc.families import CtcModel
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import Reason, ThanosqlError, error

# Measured on two cores with 5.6 M parameters and clips of 2 to 10 s, in seconds of audio per second of CPU:
# float32 60 alone, 57 in pairs, 49 in fours, 37 in eights; bfloat16 79, 97, 107, 80.
_CPU_BATCH_SIZES = {"float32": 1, "bfloat16": 2}
_GPU_BATCH_SIZE = 16
_BUCKET_SAMPLES = 32_000


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How to compute.

    Attributes:
        device: `cpu`, or `cuda` with an optional number.
        dtype: `float32` or `bfloat16`.
        max_batch_size: 0 for what suits the device.
        max_queue_delay_s: None for what suits the device.
        threads: Threads on a processor, for engines that do not share torch's.
    """

    device: str = "cpu"
    dtype: str = "float32"
    max_batch_size: int = 0
    max_queue_delay_s: float | None = None
    threads: int = 1


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
        options: How to compute.
    """

    def __init__(self, model: CtcModel, options: EngineOptions) -> None:
        self._dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[options.dtype]
        self._device = torch.device(options.device)
        self.model = model
        nn.Module.to(model, device=self._device, dtype=self._dtype)
        self._shortest = receptive_field(model.config)
        self._policy = torch_policy(options)

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return f"torch {self._device} {str(self._dtype).removeprefix('torch.')}"

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        return sum(weight.numel() * weight.element_size() for weight in self.model.parameters())

    @property
    def policy(self) -> BatchPolicy:
        """Singles or pairs on a CPU, where padding costs and sharing gains little; batches on a GPU."""
        return self._policy

    def prepare(self, windows: Sequence[Samples]) -> Prepared:
        """Pad to the longest, and to the shortest that the model takes."""
        lengths = [max(self._shortest, len(window)) for window in windows]
        inputs = np.zeros((len(windows), max(lengths)), dtype=np.float32)
        for row, window in zip(inputs, windows, strict=True):
            row[: len(window)] = window
        return Prepared(inputs_bt=torch.from_numpy(inputs), lengths=lengths)

    def on_device(self, prepared: Prepared) -> Tensor:
        """The padded batch where the model is, in its precision."""
        return prepared.inputs_bt.to(device=self._device, dtype=self._dtype)

    def run(self, prepared: Prepared) -> Computed:
        """Compute logits and take the best label of each frame where the logits are."""
        with torch.inference_mode():
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


def torch_policy(options: EngineOptions) -> BatchPolicy:
    """What suits the device, where the options leave it open."""
    on_cpu = torch.device(options.device).type == "cpu"
    suits = _CPU_BATCH_SIZES[options.dtype] if on_cpu else _GPU_BATCH_SIZE
    delay_s = (0.0 if on_cpu else 0.01) if options.max_queue_delay_s is None else options.max_queue_delay_s
    return BatchPolicy(
        max_batch_size=options.max_batch_size or suits,
        max_queue_delay_s=delay_s,
        bucket_samples=_BUCKET_SAMPLES,
        pipeline_depth=1 if on_cpu else 2,
        live_alone=True,  # in bfloat16 and on a GPU, a text may depend on the size of its batch
    )
