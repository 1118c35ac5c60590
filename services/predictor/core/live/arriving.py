"""Bytes of live audio, cut anywhere, into samples at the model's rate; and what is kept of them."""

import numpy as np
import soxr

from thanosql_ctc.waveform import Samples

_BYTES_PER_SAMPLE = 2
_FULL_SCALE = 32_768.0
_DROPPED_AT_ONCE = 1 << 16
_NOTHING = np.zeros(0, dtype=np.float32)


class Arriving:
    """16 bit samples, little endian, one channel; blocking, for one thread at a time.

    Args:
        source_hz: Rate of what comes.
        target_hz: Rate of the answer.
    """

    def __init__(self, source_hz: int, target_hz: int) -> None:
        self._rates = (source_hz, target_hz)
        self._rest = b""
        self._resampler = self._new_resampler()

    def take(self, audio: bytes) -> Samples:
        """Turn a message into samples; half a sample waits for its other half."""
        whole = self._rest + audio
        end = len(whole) - len(whole) % _BYTES_PER_SAMPLE
        self._rest = whole[end:]
        samples = np.frombuffer(whole[:end], dtype="<i2").astype(np.float32) / np.float32(_FULL_SCALE)
        return self._resampled(samples, last=False)

    def flush(self) -> Samples:
        """Give what the resampler holds back: at the end of an utterance nothing may be missing."""
        if self._resampler is None:
            return _NOTHING
        samples = self._resampled(_NOTHING, last=True)
        self._resampler = self._new_resampler()
        return samples

    def _resampled(self, samples: Samples, *, last: bool) -> Samples:
        if self._resampler is None:
            return samples
        resampled: Samples = self._resampler.resample_chunk(samples, last=last)
        return resampled

    def _new_resampler(self) -> "soxr.ResampleStream | None":
        source_hz, target_hz = self._rates
        return None if source_hz == target_hz else soxr.ResampleStream(source_hz, target_hz, 1, "float32")


class Tape:
    """The last part of a stream, addressed by samples from the stream's start."""

    def __init__(self) -> None:
        self._kept: Samples = _NOTHING
        self._newest: list[Samples] = []
        self._begin = 0
        self._end = 0

    @property
    def end(self) -> int:
        """Samples of the stream so far."""
        return self._end

    @property
    def begin(self) -> int:
        """The first sample that is still kept."""
        return self._begin

    def append(self, samples: Samples) -> None:
        """Add what came."""
        if len(samples):
            self._newest.append(samples)
            self._end += len(samples)

    def part(self, begin: int, end: int) -> Samples:
        """Give a part that is still kept."""
        self._join()
        return self._kept[begin - self._begin : end - self._begin]

    def forget_before(self, begin: int) -> None:
        """Drop what will not be asked for any more."""
        if begin - self._begin < _DROPPED_AT_ONCE:
            return
        self._join()
        dropped = min(begin, self._end) - self._begin
        self._kept = self._kept[dropped:].copy()
        self._begin += dropped

    def _join(self) -> None:
        # Not with every message, which would copy half a minute 50 times a second.
        if self._newest:
            self._kept = np.concatenate([self._kept, *self._newest])
            self._newest.clear()
