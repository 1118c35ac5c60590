"""Speech heard differently each time: other speeds, microphones, rooms, noises and lines.

Whole batches are changed at once, on the device that learns from them. What is drawn is drawn on the host;
only the recordings that a change was drawn for are computed.

Legend of shapes: b recordings, s samples, f frequencies, k knots, t samples of an echo.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from scripts.base_model.devices import put
from scripts.base_model.noise import RATE_HZ, NoiseBank

_KNOTS = 7
_LONGEST_ECHO_S = 0.35
# An 8 kHz line carries all below the first and nothing above the second.
_LINE_HZ = (3500.0, 4000.0)
_VARIANCE_FLOOR = 1e-7


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Heard:
    """Recordings, one behind the other for each view.

    Attributes:
        samples_bs: Zero after the end of each.
        lengths: Samples of each.
    """

    samples_bs: Tensor
    lengths: list[int]


class Augmenter:
    """Changes speech at random.

    Args:
        bank: Noise, on the device that the speech is on.
        chances: How often and how far.
    """

    def __init__(self, bank: NoiseBank, chances: Chances | None = None) -> None:
        self._bank = bank
        self._chances = chances or Chances()

    @torch.no_grad()
    def vary(self, speech: Heard, silent: Sequence[bool], views: int, random: np.random.Generator) -> Heard:
        """Return the speech as other speakers could have said it, each heard in `views` places.

        The views of a recording are equally fast: their frames say the same.

        Args:
            speech: As it was recorded.
            silent: Which recordings hold no speech: noise alone takes their places.
            views: How many there are of each.
            random: Draws.
        """
        said = self._at_other_speeds(speech, silent, random)
        samples_bs = said.samples_bs.repeat(views, 1)
        lengths, nobody = said.lengths * views, np.tile(np.asarray(silent, bool), views)
        samples_bs = self._elsewhere(samples_bs, lengths, ~nobody, random)
        rows = _rows(nobody, samples_bs.device)
        if len(rows):
            samples_bs[rows] = self._bank.windows(len(rows), samples_bs.shape[1], random)
        self._bank.refresh(random)
        return normalised(Heard(samples_bs=samples_bs, lengths=lengths))

    def _at_other_speeds(self, speech: Heard, silent: Sequence[bool], random: np.random.Generator) -> Heard:
        chances, count = self._chances, len(speech.lengths)
        speeds = random.uniform(chances.slowest, chances.fastest, count)
        kept = (random.random(count) >= chances.speed) | np.asarray(silent, bool)
        return resped(speech, np.where(kept, 1.0, speeds).tolist())

    def _elsewhere(
        self,
        samples_bs: Tensor,
        lengths: list[int],
        spoken: npt.NDArray[np.bool_],
        random: np.random.Generator,
    ) -> Tensor:
        chances, device = self._chances, samples_bs.device
        true_bs = _true(lengths, samples_bs)

        def drawn(chance: float) -> Tensor:
            return _rows(spoken & (random.random(len(lengths)) < chance), device)

        if len(rows := drawn(chances.colour)):
            samples_bs[rows] = coloured(samples_bs[rows], random)
        if len(rows := drawn(chances.room)):
            samples_bs[rows] = in_rooms(samples_bs[rows], random) * true_bs[rows]
        if len(rows := drawn(chances.noise)):
            samples_bs[rows] += self._noise_for(samples_bs[rows], true_bs[rows], random)
        if len(rows := drawn(chances.telephone)):
            samples_bs[rows] = telephoned(samples_bs[rows])
        return samples_bs

    def _noise_for(self, samples_bs: Tensor, true_bs: Tensor, random: np.random.Generator) -> Tensor:
        """Return noise as loud, against the speech, as was drawn."""
        chances, (rows, samples) = self._chances, samples_bs.shape
        noise_bs = self._bank.windows(rows, samples, random) * true_bs
        level_db = random.uniform(chances.loudest_noise_db, chances.quietest_noise_db, (rows, 1))
        ratio_b1 = (
            samples_bs.square().sum(1, keepdim=True) / (noise_bs.square().sum(1, keepdim=True) + 1e-9)
        ).sqrt()
        return noise_bs * ratio_b1 * _floats(10 ** (-level_db / 20), samples_bs.device)


def normalised(heard: Heard) -> Heard:
    """Shift and scale each recording as `thanosql_ctc.waveform.normalise_waveform` does."""
    true_bs = _true(heard.lengths, heard.samples_bs)
    counts_b1 = true_bs.sum(1, keepdim=True)
    samples_bs = heard.samples_bs * true_bs
    centred_bs = (samples_bs - samples_bs.sum(1, keepdim=True) / counts_b1) * true_bs
    variance_b1 = centred_bs.square().sum(1, keepdim=True) / counts_b1
    return Heard(samples_bs=centred_bs / (variance_b1 + _VARIANCE_FLOOR).sqrt(), lengths=heard.lengths)


def resped(speech: Heard, speeds: Sequence[float]) -> Heard:
    """Play faster or slower, pitch and formants along with it: another size of speaker.

    Linear interpolation is taken for its price; what it smears lies above most of speech.
    """
    lengths = [max(1, int(length / speed)) for length, speed in zip(speech.lengths, speeds, strict=True)]
    steps = [(old - 1) / max(1, new - 1) for old, new in zip(speech.lengths, lengths, strict=True)]
    device = speech.samples_bs.device
    place_s = torch.arange(max(lengths), device=device, dtype=torch.float64)
    last_b1 = put(torch.tensor(speech.lengths), device)[:, None] - 1
    # Places in float64: in float32 those of a long recording are off by hundredths of a sample.
    places_bs = place_s * put(torch.tensor(steps, dtype=torch.float64), device)[:, None]
    below_bs = torch.minimum(places_bs.long(), last_b1)
    above_bs = torch.minimum(below_bs + 1, last_b1)
    share_bs = (places_bs - below_bs).float()
    low_bs, high_bs = speech.samples_bs.gather(1, below_bs), speech.samples_bs.gather(1, above_bs)
    played_bs = low_bs + share_bs * (high_bs - low_bs)
    return Heard(samples_bs=played_bs * _true(lengths, played_bs), lengths=lengths)


def coloured(samples_bs: Tensor, random: np.random.Generator) -> Tensor:
    """Play through other microphones: smooth curves of up to 10 dB up or down over the mel scale."""
    rows, device = len(samples_bs), samples_bs.device
    size = _smooth(samples_bs.shape[1])
    mels_f = torch.log1p(torch.fft.rfftfreq(size, 1 / RATE_HZ, device=device) / 700)
    places_f = mels_f / mels_f[-1] * (_KNOTS - 1)
    weights_kf = (1 - (places_f - torch.arange(_KNOTS, device=device)[:, None]).abs()).clamp(min=0)
    knots_db = random.uniform(-1, 1, (rows, _KNOTS)) * random.uniform(2, 10, (rows, 1))
    gain_bf = torch.pow(10.0, _floats(knots_db / 20, device) @ weights_kf)
    return _filtered(samples_bs, gain_bf, size)


def in_rooms(samples_bs: Tensor, random: np.random.Generator) -> Tensor:
    """Convolve with responses of rooms: the direct sound, then noise that dies away (Polack's model)."""
    rows, device = len(samples_bs), samples_bs.device
    echo_bt = np.zeros((rows, int(_LONGEST_ECHO_S * RATE_HZ)), np.float32)
    for echo_t in echo_bt:
        decay = int(random.uniform(0.05, _LONGEST_ECHO_S) * RATE_HZ)
        tail = random.standard_normal(decay) * np.exp(-6.9 * np.arange(decay) / decay)
        echo_t[:decay] = tail * random.uniform(0.15, 0.9) / (np.sqrt(np.sum(tail**2)) + 1e-9)
        echo_t[: int(0.002 * RATE_HZ)] = 0
        echo_t[0] = 1.0
    size = _smooth(samples_bs.shape[1] + echo_bt.shape[1])
    return _filtered(samples_bs, torch.fft.rfft(put(torch.from_numpy(echo_bt), device), size), size)


def telephoned(samples_bs: Tensor) -> Tensor:
    """Take away what an 8 kHz line does not carry; the length stays to the sample."""
    size = _smooth(samples_bs.shape[1])
    hertz_f = torch.fft.rfftfreq(size, 1 / RATE_HZ, device=samples_bs.device)
    passed, stopped = _LINE_HZ
    return _filtered(samples_bs, ((stopped - hertz_f) / (stopped - passed)).clamp(0, 1), size)


def _filtered(samples_bs: Tensor, gain_bf: Tensor, size: int) -> Tensor:
    heard_bs: Tensor = torch.fft.irfft(torch.fft.rfft(samples_bs, size) * gain_bf, size)
    return heard_bs[:, : samples_bs.shape[1]]


def _smooth(samples: int) -> int:
    """Return a length not much above with small factors: such transforms are fast, and few differ."""
    step = 1 << max(0, samples.bit_length() - 4)
    return -(-samples // step) * step


def _true(lengths: list[int], samples_bs: Tensor) -> Tensor:
    """1 where a recording is, 0 behind its end."""
    device = samples_bs.device
    ends_b1 = put(torch.tensor(lengths), device)[:, None]
    return (torch.arange(samples_bs.shape[1], device=device) < ends_b1).to(samples_bs.dtype)


def _rows(chosen: npt.NDArray[np.bool_], device: torch.device) -> Tensor:
    return put(torch.from_numpy(np.flatnonzero(chosen)), device)


def _floats(numbers: npt.NDArray[np.float64], device: torch.device) -> Tensor:
    return put(torch.from_numpy(numbers.astype(np.float32)), device)
