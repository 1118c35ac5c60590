"""Speech heard differently each time: other speeds, rooms, noises and lines; and noise with no speech in it.

Shapes: every signal is (samples,), float32, 16 kHz.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from thanosql_audio.decoding import decode

RATE_HZ = 16_000
_KNOTS = 7
# Fourier transforms are fast where the length has small factors alone.
_SMOOTH = 1600

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Chances:
    """How often each change is made, and how far it goes."""

    speed: float = 0.8
    slowest: float = 0.86
    fastest: float = 1.16
    colour: float = 0.5
    room: float = 0.2
    telephone: float = 0.1
    noise: float = 0.4
    quietest_noise_db: float = 38.0
    loudest_noise_db: float = 6.0

    def scaled(self, hardness: float) -> "Chances":
        """Return the same with fewer microphones, rooms and noises; speeds stand for speakers, and stay."""
        return replace(
            self,
            colour=self.colour * hardness,
            room=self.room * hardness,
            noise=self.noise * hardness,
        )


class Augmenter:
    """Changes speech at random.

    Args:
        noises: Recordings without speech.
        chances: How often and how far.
    """

    def __init__(self, noises: Sequence[Samples], chances: Chances | None = None) -> None:
        self._noises = noises
        self._chances = chances or Chances()

    def vary(self, samples: Samples, count: int, random: np.random.Generator) -> list[Samples]:
        """Return the speech as another speaker could have said it, heard in `count` places.

        All are equally fast: their frames say the same.
        """
        chances = self._chances
        if random.random() < chances.speed:
            samples = resped(samples, random.uniform(chances.slowest, chances.fastest))
        return [self._elsewhere(samples, random) for _ in range(count)]

    def _elsewhere(self, samples: Samples, random: np.random.Generator) -> Samples:
        chances = self._chances
        if random.random() < chances.colour:
            samples = coloured(samples, random)
        if random.random() < chances.room:
            samples = in_room(samples, random)
        if random.random() < chances.noise:
            samples = self._with_noise(samples, random)
        if random.random() < chances.telephone:
            samples = telephoned(samples)
        return samples.astype(np.float32)

    def noise(self, count: int, random: np.random.Generator) -> Samples:
        """Return noise alone, of a kind and a loudness drawn at random."""
        if self._noises and random.random() < 0.4:
            return self._recorded(count, random) * np.float32(10 ** random.uniform(-2, 0))
        return artificial_noise(count, random)

    def _with_noise(self, samples: Samples, random: np.random.Generator) -> Samples:
        chances = self._chances
        noise = self.noise(len(samples), random)
        level_db = random.uniform(chances.loudest_noise_db, chances.quietest_noise_db)
        ratio = np.sqrt(np.mean(samples**2) / (np.mean(noise**2) + 1e-12))
        return samples + noise * np.float32(ratio * 10 ** (-level_db / 20))

    def _recorded(self, count: int, random: np.random.Generator) -> Samples:
        source = self._noises[int(random.integers(len(self._noises)))]
        source = np.roll(source, int(random.integers(len(source))))
        return np.resize(source, count).astype(np.float32)


def resped(samples: Samples, speed: float) -> Samples:
    """Play faster or slower, pitch and formants along with it: another size of speaker.

    Linear interpolation is taken for its price; what it smears lies above most of speech.
    """
    count = max(1, int(len(samples) / speed))
    places = np.linspace(0, len(samples) - 1, count)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def telephoned(samples: Samples) -> Samples:
    """Take away what an 8 kHz line does not carry; the length stays to the sample."""
    heard = soxr.resample(soxr.resample(samples, RATE_HZ, 8000, "LQ"), 8000, RATE_HZ, "LQ")
    return np.pad(heard, (0, 2))[: len(samples)].astype(np.float32)


def coloured(samples: Samples, random: np.random.Generator) -> Samples:
    """Play through another microphone: a smooth curve of up to 10 dB up or down over the mel scale."""
    size = -(-len(samples) // _SMOOTH) * _SMOOTH
    mels = np.log1p(np.fft.rfftfreq(size, 1 / RATE_HZ) / 700)
    knots = np.linspace(0, mels[-1], _KNOTS)
    gain_db = np.interp(mels, knots, random.uniform(-1, 1, _KNOTS) * random.uniform(2, 10))
    heard = np.fft.irfft(np.fft.rfft(samples, size) * 10 ** (gain_db / 20), size)
    return heard[: len(samples)].astype(np.float32)


def in_room(samples: Samples, random: np.random.Generator) -> Samples:
    """Convolve with a room's response: the direct sound, then noise that dies away (Polack's model)."""
    decay_s = random.uniform(0.05, 0.35)
    tail = random.standard_normal(int(decay_s * RATE_HZ)) * np.exp(
        -6.9 * np.arange(int(decay_s * RATE_HZ)) / (decay_s * RATE_HZ)
    )
    tail *= random.uniform(0.15, 0.9) / (np.sqrt(np.sum(tail**2)) + 1e-9)
    tail[: int(0.002 * RATE_HZ)] = 0
    tail[0] = 1.0
    size = 1 << (len(samples) + len(tail)).bit_length()
    product = np.fft.rfft(samples, size) * np.fft.rfft(tail, size)
    return np.fft.irfft(product, size)[: len(samples)].astype(np.float32)


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


def read_noises(paths: Sequence[Path]) -> list[Samples]:
    """Read recordings of noise, all channels mixed, at 16 kHz."""
    return [decode(path.read_bytes(), sample_rate_hz=RATE_HZ).samples for path in paths]
