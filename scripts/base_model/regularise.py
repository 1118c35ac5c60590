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


class PooledDropout(nn.Module):
    """Dropout whose random numbers were drawn once: each call reads them from another place.

    Drawing new ones for every activation took a fifth of a training step; reading takes a hundredth.

    Args:
        probability: Share of the activations that become zero.
        random: Says where to read.
        pool: Numbers drawn; a multiple of what one call needs.
    """

    def __init__(self, probability: float, random: np.random.Generator, pool: int = 1 << 24) -> None:
        super().__init__()
        keep = torch.from_numpy(random.random(pool, dtype=np.float32) >= probability)
        self._pool = (keep.float() / (1 - probability)).to(torch.bfloat16)
        self._random = random

    def forward(self, activations: Tensor) -> Tensor:
        """Zero some in training; nothing in evaluation."""
        if not self.training:
            return activations
        count = activations.numel()
        first = int(self._random.integers(0, len(self._pool) - count))
        return activations * self._pool[first : first + count].view_as(activations)


def use_dropout(model: Wav2Vec2ForCTC, probability: float, random: np.random.Generator) -> None:
    """Put cheap dropout after attention, inside and after the feed-forward parts, and before the head."""
    shared = PooledDropout(probability, random) if probability else nn.Identity()
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                setattr(module, name, shared)


class SpecAugment:
    """Hides bands of frequency and stretches of time (Park et al. 2019), each utterance its own.

    Args:
        model: Whose first convolution is a filter bank (network.py).
        random: Says what to hide.
        time_share: About how much of the time.
        longest_frames: Of one stretch.
        bands: Most bands of one mask; there are two.
    """

    def __init__(
        self,
        model: Wav2Vec2ForCTC,
        random: np.random.Generator,
        *,
        time_share: float = 0.08,
        longest_frames: int = 12,
        bands: int = 7,
    ) -> None:
        self._model = model
        self._random = random
        self._time_share = time_share
        self._longest_frames = longest_frames
        self._bands = bands

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Hide, in every forward pass until the end."""
        wav2vec2: Any = self._model.wav2vec2  # Any: transformers declares its parts loosely
        hooks = [
            wav2vec2.feature_extractor.conv_layers[0].register_forward_hook(self._hide_bands),
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
            for _ in range(self._random.poisson(frames * self._time_share / (self._longest_frames / 2))):
                width = int(self._random.integers(1, self._longest_frames + 1))
                first = int(self._random.integers(0, max(1, frames - width)))
                row[first : first + width] = True
        instead: Any = self._model.wav2vec2.masked_spec_embed
        return torch.where(hidden_bt[:, :, None], instead.to(hidden_bth.dtype), hidden_bth), features
