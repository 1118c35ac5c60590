"""Noise with no speech in it: drawn, or from recordings, and a bank of both that is quick to take from.

Shapes: n clips, b recordings, s samples.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from scripts.base_model.devices import put

RATE_HZ = 16_000
Samples = npt.NDArray[np.float32]

_RECORDED = 0.4
_CLIPS = 16
_CLIP_S = 21.0


class NoiseBank:
    """Clips of noise on the device; speech takes a window of one, from a random place.

    A clip takes ten times as long to draw as to add, so each call of `refresh` draws one clip anew.

    Args:
        recorded: Recordings without speech; none, and all noise is drawn.
        device: Where the clips lie.
        random: Draws the first clips.
    """

    def __init__(
        self, recorded: Sequence[Samples], device: torch.device, random: np.random.Generator
    ) -> None:
        self._recorded = recorded
        self._clips_ns = torch.zeros(_CLIPS, int(_CLIP_S * RATE_HZ), device=device)
        self._oldest = 0
        for _ in range(_CLIPS):
            self.refresh(random)

    def refresh(self, random: np.random.Generator) -> None:
        """Replace the oldest clip."""
        fresh = torch.from_numpy(self._draw(self._clips_ns.shape[1], random))
        self._clips_ns[self._oldest] = put(fresh, self._clips_ns.device)
        self._oldest = (self._oldest + 1) % _CLIPS

    def windows(self, rows: int, samples: int, random: np.random.Generator) -> Tensor:
        """Return noise for some recordings: [rows, samples]."""
        device, length = self._clips_ns.device, self._clips_ns.shape[1]
        which_b1 = put(torch.from_numpy(random.integers(_CLIPS, size=(rows, 1))), device)
        first_b1 = put(torch.from_numpy(random.integers(length, size=(rows, 1))), device)
        places_bs = (first_b1 + torch.arange(samples, device=device)) % length
        return self._clips_ns[which_b1, places_bs]

    def _draw(self, count: int, random: np.random.Generator) -> Samples:
        if not self._recorded or random.random() >= _RECORDED:
            return artificial_noise(count, random)
        source = self._recorded[int(random.integers(len(self._recorded)))]
        turned = np.roll(source, int(random.integers(len(source))))
        return np.resize(turned, count).astype(np.float32) * np.float32(10 ** random.uniform(-2, 0))


def artificial_noise(count: int, random: np.random.Generator) -> Samples:
    """Return hiss, rumble, hum, clicks, a band of noise or silence."""
    kind = random.choice(["white", "coloured", "band", "hum", "clicks", "gusts", "floor", "silence"])
    if kind == "silence":
        return np.zeros(count, np.float32)
    if kind == "floor":
        return (random.integers(-1, 2, count) / 32768).astype(np.float32)
    white = random.standard_normal(count)
    if kind == "coloured":
        steepness = random.uniform(0.5, 2)
        spectrum = np.fft.rfft(white) / np.maximum(np.arange(count // 2 + 1), 1) ** (steepness / 2)
        white = np.fft.irfft(spectrum, count)
    if kind == "band":
        low = random.uniform(60, 4000)
        hertz = np.fft.rfftfreq(count, 1 / RATE_HZ)
        white = np.fft.irfft(
            np.fft.rfft(white) * ((hertz > low) & (hertz < low * random.uniform(1.3, 4))), count
        )
    if kind == "hum":
        white = 0.02 * white + _hum(count, random)
    if kind == "clicks":
        white = 0.01 * white + 4 * white * (random.random(count) < random.uniform(1, 40) / RATE_HZ)
    if kind == "gusts":
        turns = random.random(count // 4000 + 2)
        turns = np.interp(np.arange(count) / 4000, np.arange(len(turns)), turns)
        white = white * turns**2
    loudest = 10 ** random.uniform(-3, 0)
    return np.asarray(white / (np.abs(white).max() + 1e-9) * loudest, dtype=np.float32)


def _hum(count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    hertz = random.choice([50.0, 60.0, random.uniform(80, 1200)])
    time_s = np.arange(count) / RATE_HZ
    return sum(
        (
            random.random() / number * np.sin(2 * np.pi * (hertz * number * time_s + random.random()))
            for number in range(1, int(random.integers(2, 9)))
        ),
        start=np.zeros(count),
    )
