"""What keeps a small model from learning its few speakers by heart: other voices, dropout and masks.

All of it is drawn on the host, a batch at a time, and cheap for a CPU.

Shapes: b recordings, c channels, t frames, h hidden, n masks, w bends.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Wav2Vec2ForCTC

from scripts.base_model.devices import put
from scripts.base_model.network import BANDS, PHASES, FilterBank

_HIDDEN_TIME = 0.2
_HIDDEN_BANDS = 7
_LONGEST_FRAMES = 12
_FARTHEST_VOICE = 0.18
_BEND = 0.06
_BENDS = 4


class Dropout(nn.Module):
    """Dropout whose share changes while the training goes on."""

    def __init__(self) -> None:
        super().__init__()
        self._share = 0.0

    def set_share(self, share: float) -> None:
        """Leave out this share of the activations from now on."""
        self._share = share

    def forward(self, activations: Tensor) -> Tensor:
        """Zero some in training; nothing in evaluation."""
        return functional.dropout(activations, self._share, self.training)


class PooledDropout(Dropout):
    """Dropout for a CPU, with random numbers drawn once: each call reads them from another place.

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


def dropout_for(device: torch.device, random: np.random.Generator) -> Dropout:
    """Return what is cheap on a device: a GPU draws faster than it reads."""
    return PooledDropout(random) if device.type == "cpu" else Dropout()


def use_dropout(model: Wav2Vec2ForCTC, dropout: Dropout) -> None:
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
        widths_bn = self._random.integers(0, self._bands + 1, size=(len(output_bct), 2))
        hidden = stretches(widths_bn, BANDS, self._random).repeat(PHASES, axis=1)
        return output_bct * put(torch.from_numpy(~hidden), output_bct.device)[:, :, None]

    def _hide_times(self, _module: nn.Module, _inputs: object, output: tuple[Tensor, Tensor]) -> Any:
        hidden_bth, features = output
        rows, frames, _ = hidden_bth.shape
        counts_b = self._random.poisson(frames * self._time_share / (_LONGEST_FRAMES / 2), size=rows)
        widths_bn = self._random.integers(1, _LONGEST_FRAMES + 1, size=(rows, max(counts_b)))
        widths_bn[np.arange(widths_bn.shape[1]) >= counts_b[:, None]] = 0
        hidden_bt = put(torch.from_numpy(stretches(widths_bn, frames, self._random)), hidden_bth.device)
        instead: Any = self._model.wav2vec2.masked_spec_embed
        return torch.where(hidden_bt[:, :, None], instead.to(hidden_bth.dtype), hidden_bth), features


def stretches(
    widths_bn: npt.NDArray[np.int64], places: int, random: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Put stretches of given widths somewhere into each row of so many places."""
    firsts_bn = (random.random(widths_bn.shape) * np.maximum(places - widths_bn + 1, 1)).astype(np.int64)
    rows = np.arange(len(widths_bn))[:, None]
    edges = np.zeros((len(widths_bn), places + 1), np.int64)
    np.add.at(edges, (rows, firsts_bn), 1)
    np.add.at(edges, (rows, np.minimum(firsts_bn + widths_bn, places)), -1)
    covered: npt.NDArray[np.bool_] = edges.cumsum(axis=1)[:, :places] > 0
    return covered


class OtherVoices:
    """Moves the filter bank for each recording: its speaker seems larger or smaller, and otherwise shaped.

    Vocal tract length perturbation (Jaitly and Hinton 2013), with a few bends of the scale besides; it costs
    next to nothing, because the filters move and not the sound.

    Args:
        model: Whose first convolution is a filter bank (network.py) that is not trained.
        random: Says how far.
    """

    def __init__(self, model: Wav2Vec2ForCTC, random: np.random.Generator) -> None:
        first: Any = model.wav2vec2.feature_extractor.conv_layers[0]  # Any: attributes of a Module
        first.conv = self._filters = FilterBank(first.conv)
        self._random = random
        self._farthest = 0.0

    def set_hardness(self, hardness: float) -> None:
        """Move up to a fifth at 1/2 and above, nowhere at 0."""
        self._farthest = _FARTHEST_VOICE * min(1.0, 2 * hardness)

    @contextmanager
    def applied(self, recordings: int) -> Iterator[None]:
        """Hear each recording of a batch with another voice until the end."""
        self._filters.shift_bc = torch.from_numpy(self._shifts(recordings))
        try:
            yield
        finally:
            self._filters.shift_bc = None

    def _shifts(self, recordings: int) -> npt.NDArray[np.float32]:
        farthest = self._farthest
        bends_bw = self._random.uniform(-_BEND, _BEND, (recordings, _BENDS)) * farthest / _FARTHEST_VOICE
        places_c = np.linspace(0, _BENDS - 1, BANDS)
        weights_wc = np.maximum(1 - np.abs(places_c - np.arange(_BENDS)[:, None]), 0)
        shift_b1 = self._random.uniform(-farthest, farthest, (recordings, 1))
        shift_bc: npt.NDArray[np.float32] = (shift_b1 + bends_bw @ weights_wc).astype(np.float32)
        return shift_bc
