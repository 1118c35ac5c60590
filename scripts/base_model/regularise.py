"""What keeps a small model from learning its few speakers by heart: other voices, dropout and masks.

All of it is made cheap for a CPU.

Shapes: B batch, C channels, T frames, H hidden.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2ForCTC

from scripts.base_model.network import BANDS, PHASES, band_pass

_HIDDEN_TIME = 0.2
_HIDDEN_BANDS = 7
_LONGEST_FRAMES = 12
_FARTHEST_VOICE = 0.18
_BEND = 0.06
_BENDS = 4


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
        """Hide up to seven bands twice and a fifth of the time at 1, nothing at 0."""
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


class OtherVoices:
    """Moves the filter bank for a batch, so that its speakers seem larger or smaller, and otherwise shaped.

    Vocal tract length perturbation (Jaitly and Hinton 2013), with a few bends of the scale besides; it costs
    nothing, because the filters move and not the sound.

    Args:
        model: Whose first convolution is a filter bank (network.py) that is not trained.
        random: Says how far.
    """

    def __init__(self, model: Wav2Vec2ForCTC, random: np.random.Generator) -> None:
        extractor = model.wav2vec2.feature_extractor
        self._filters = extractor.get_parameter("conv_layers.0.conv.weight")
        self._random = random
        self._farthest = 0.0

    def set_hardness(self, hardness: float) -> None:
        """Move up to a fifth at 1/2 and above, nowhere at 0."""
        self._farthest = _FARTHEST_VOICE * min(1.0, 2 * hardness)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Hear another voice until the end; a backward pass may come later."""
        true_voice = self._filters.data
        self._filters.data = band_pass(true_voice.shape[-1], self._shift())
        try:
            yield
        finally:
            self._filters.data = true_voice

    def _shift(self) -> Tensor:
        bends = self._random.uniform(-_BEND, _BEND, _BENDS) * self._farthest / _FARTHEST_VOICE
        places = np.linspace(0, _BENDS - 1, BANDS)
        shift = self._random.uniform(-self._farthest, self._farthest) + np.interp(
            places, np.arange(_BENDS), bends
        )
        return torch.from_numpy(shift.astype(np.float32))
