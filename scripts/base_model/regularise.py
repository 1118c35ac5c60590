"""What keeps a small model from learning its few speakers by heart: dropout and masks, made cheap for a CPU.

Shapes: B batch, C channels, T frames, H hidden.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2ForCTC

from scripts.base_model.network import BANDS, PHASES

_HIDDEN_TIME = 0.08
_HIDDEN_BANDS = 7
_LONGEST_FRAMES = 12


class PooledDropout(nn.Module):
    """Dropout whose random numbers were drawn once: each call reads them from another place.

    Drawing new ones for every activation took a fifth of a training step; reading takes a hundredth.

    Args:
        random: Says what to leave out, and where to read.
        size: Numbers drawn; many times what one call needs.
    """

    def __init__(self, random: np.random.Generator, size: int = 1 << 24) -> None:
        super().__init__()
        self._random = random
        self._size = size
        self._pool: Tensor | None = None

    def set_share(self, share: float) -> None:
        """Leave out this share of the activations from now on."""
        if not share:
            self._pool = None
            return
        keep = torch.from_numpy(self._random.random(self._size, dtype=np.float32) >= share)
        self._pool = (keep.float() / (1 - share)).to(torch.bfloat16)

    def forward(self, activations: Tensor) -> Tensor:
        """Zero some in training; nothing in evaluation."""
        if not self.training or self._pool is None:
            return activations
        count = activations.numel()
        first = int(self._random.integers(0, len(self._pool) - count))
        return activations * self._pool[first : first + count].view_as(activations)


def use_dropout(model: Wav2Vec2ForCTC, dropout: PooledDropout) -> None:
    """Put it after attention, inside and after the feed-forward parts, and before the head."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, dropout)


class SpecAugment:
    """Hides bands of frequency and stretches of time (Park et al. 2019), each utterance its own.

    Args:
        model: Whose first convolution is a filter bank (network.py).
        random: Says what to hide.
    """

    def __init__(self, model: Wav2Vec2ForCTC, random: np.random.Generator) -> None:
        self._model = model
        self._random = random
        self._time_share = 0.0
        self._bands = 0

    def set_hardness(self, hardness: float) -> None:
        """Hide up to seven bands twice and a twelfth of the time at 1, nothing at 0."""
        self._time_share = hardness * _HIDDEN_TIME
        self._bands = round(hardness * _HIDDEN_BANDS)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Hide, in every forward pass until the end."""
        wav2vec2: Any = self._model.wav2vec2  # Any: transformers declares its parts loosely
        hooks = [
            wav2vec2.feature_extractor.conv_layers[0].activation.register_forward_hook(self._hide_bands),
            wav2vec2.feature_projection.register_forward_hook(self._hide_times),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _hide_bands(self, _module: nn.Module, _inputs: object, output_bct: Tensor) -> Tensor:
        kept_bc = torch.ones(len(output_bct), BANDS, dtype=output_bct.dtype)
        for row in kept_bc:
            for width in self._random.integers(0, self._bands + 1, size=2):
                first = int(self._random.integers(0, BANDS - width + 1))
                row[first : first + int(width)] = 0
        return output_bct * kept_bc.repeat_interleave(PHASES, dim=1)[:, :, None]

    def _hide_times(self, _module: nn.Module, _inputs: object, output: tuple[Tensor, Tensor]) -> Any:
        hidden_bth, features = output
        rows, frames, _ = hidden_bth.shape
        hidden_bt = torch.zeros(rows, frames, dtype=torch.bool)
        for row in hidden_bt:
            for _ in range(self._random.poisson(frames * self._time_share / (_LONGEST_FRAMES / 2))):
                width = int(self._random.integers(1, _LONGEST_FRAMES + 1))
                first = int(self._random.integers(0, max(1, frames - width)))
                row[first : first + width] = True
        instead: Any = self._model.wav2vec2.masked_spec_embed
        return torch.where(hidden_bt[:, :, None], instead.to(hidden_bth.dtype), hidden_bth), features
