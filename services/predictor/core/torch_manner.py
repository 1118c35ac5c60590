"""How torch computes on a device: in which batches, padded to which shapes, what of it in bfloat16.

What is said of GPUs was measured on none: none was there. It follows from what is known of them. Batches fill
them, by how much audio they hold, not by how many recordings; shapes that repeat spare the search for the
fastest convolution and pieces of memory that fit nothing else; and norms and sums are wide enough in float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from services.predictor.core.ports import BatchPolicy

# Measured on two cores with 5.6 M parameters and clips of 2 to 10 s, in seconds of audio per second of CPU:
# float32 60 alone, 57 in pairs, 49 in fours, 37 in eights; bfloat16 79, 97, 107, 80.
_CPU_BATCH_SIZES = {"float32": 1, "bfloat16": 2}
_GPU_BATCH_SIZE = 64
# Five minutes at 16 kHz, padding included: ten windows of half a minute, or sixty of five seconds.
_GPU_BATCH_SAMPLES = 300 * 16_000
_GPU_DELAY_S = 0.01
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


@dataclass(frozen=True, kw_only=True)
class TorchManner:
    """How an engine computes.

    Attributes:
        device: Where.
        weights: In which precision the weights are kept.
        mixed: Whether matrices are multiplied in bfloat16 and the rest is computed in float32.
        shape_samples: Batches are padded to a multiple of so many samples.
        policy: How batches are made.
    """

    device: torch.device
    weights: torch.dtype
    mixed: bool
    shape_samples: int
    policy: BatchPolicy

    @property
    def dtype(self) -> str:
        """The precision, in a word."""
        return "bfloat16" if self.mixed else str(self.weights).removeprefix("torch.")

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Compute within; nothing that is learned from is kept."""
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.mixed),
        ):
            yield


def torch_manner(options: EngineOptions) -> TorchManner:
    """What suits the device, where the options leave it open."""
    device = torch.device(options.device)
    on_cpu, in_bfloat16 = device.type == "cpu", options.dtype == "bfloat16"
    return TorchManner(
        device=device,
        # On processors torch computes twice as fast where nothing goes back and forth between the two.
        weights=torch.bfloat16 if in_bfloat16 and on_cpu else torch.float32,
        mixed=in_bfloat16 and not on_cpu,
        shape_samples=1 if on_cpu else _BUCKET_SAMPLES,
        policy=torch_policy(options),
    )


def torch_policy(options: EngineOptions) -> BatchPolicy:
    """What suits the device, where the options leave it open."""
    on_cpu = torch.device(options.device).type == "cpu"
    suits = _CPU_BATCH_SIZES[options.dtype] if on_cpu else _GPU_BATCH_SIZE
    suits_s = 0.0 if on_cpu else _GPU_DELAY_S
    return BatchPolicy(
        max_batch_size=options.max_batch_size or suits,
        max_batch_samples=0 if on_cpu else _GPU_BATCH_SAMPLES,
        max_queue_delay_s=suits_s if options.max_queue_delay_s is None else options.max_queue_delay_s,
        bucket_samples=_BUCKET_SAMPLES,
        pipeline_depth=1 if on_cpu else 2,
        live_alone=True,  # in bfloat16 and on a GPU, a text may depend on the size of its batch
    )
