"""Text encoders through torch, on the CPU or on a GPU, in float32 or bfloat16.

Shapes, as suffixes: b batch, t tokens, h hidden.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from services.predictor.core.ports import BatchPolicy
from services.predictor.core.texts.checkpoint import EncoderCheckpoint, Pooling
from services.predictor.core.texts.tokens import Tokens
from services.predictor.core.torch_manner import EngineOptions
from thanosql_runtime.errors import Reason, ThanosqlError, error

Vector = npt.NDArray[np.float32]

_CPU_BATCH_SIZE = 16
_GPU_BATCH_SIZE = 64
_BUCKET_TOKENS = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedTokens:
    """A padded batch, and which of its tokens are true."""

    tokens_bt: Tensor
    mask_bt: Tensor


class TextEngine:
    """Satisfies `ports.Engine`: one vector a window of tokens, not scaled.

    Padding is masked in the attention and does not count in the mean, so it changes nothing.

    Args:
        checkpoint: Its model is taken over.
        options: Device and precision; how batches are made follows from the device.
    """

    def __init__(self, checkpoint: EncoderCheckpoint, options: EngineOptions) -> None:
        self._dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[options.dtype]
        self._device = torch.device(options.device)
        self._pooling = checkpoint.pooling
        self._pad_id = checkpoint.pad_id
        self._model = checkpoint.model
        nn.Module.to(self._model, device=self._device, dtype=self._dtype)

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return f"torch {self._device} {str(self._dtype).removeprefix('torch.')}"

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        return sum(weight.numel() * weight.element_size() for weight in self._model.parameters())

    @property
    def policy(self) -> BatchPolicy:
        """Batches of windows of nearly the same length, so that padding costs little."""
        on_cpu = self._device.type == "cpu"
        return BatchPolicy(
            max_batch_size=_CPU_BATCH_SIZE if on_cpu else _GPU_BATCH_SIZE,
            max_queue_delay_s=0.0 if on_cpu else 0.005,
            bucket_samples=_BUCKET_TOKENS,
            pipeline_depth=1 if on_cpu else 2,
        )

    def prepare(self, windows: Sequence[Tokens]) -> PreparedTokens:
        """Pad to the longest."""
        longest = max(len(window) for window in windows)
        tokens = np.full((len(windows), longest), self._pad_id, dtype=np.int64)
        mask = np.zeros((len(windows), longest), dtype=np.int64)
        for row, window in enumerate(windows):
            tokens[row, : len(window)] = window
            mask[row, : len(window)] = 1
        return PreparedTokens(tokens_bt=torch.from_numpy(tokens), mask_bt=torch.from_numpy(mask))

    def run(self, prepared: PreparedTokens) -> Tensor:
        """Compute the vectors of all tokens, and one vector a row of them."""
        with torch.inference_mode():
            mask_bt = prepared.mask_bt.to(self._device)
            answer = self._model(input_ids=prepared.tokens_bt.to(self._device), attention_mask=mask_bt)
            hidden_bth = answer.last_hidden_state.float()
            if self._pooling is Pooling.CLS:
                pooled_bh: Tensor = hidden_bth[:, 0]
            else:
                counted_bt1 = mask_bt.unsqueeze(-1).float()
                pooled_bh = (hidden_bth * counted_bt1).sum(dim=1) / counted_bt1.sum(dim=1)
            return pooled_bh.cpu()

    def finish(self, raw: Tensor) -> list[Vector | ThanosqlError]:
        """A vector a row; a row without numbers has INVALID_CHECKPOINT instead."""
        return [row if np.isfinite(row).all() else _no_numbers() for row in raw.numpy()]


def _no_numbers() -> ThanosqlError:
    return error(
        Reason.INVALID_CHECKPOINT,
        "the model gives no numbers for this text: its weights are damaged, or too large",
    )
