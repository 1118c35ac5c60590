"""Recordings of any rate, width and number of channels into one channel of float32.

Everything is read in blocks, so that memory follows what the file holds and never what its header claims.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import numpy as np
import soundfile
import soxr

from thanosql_audio.sources import FaithfulReader, open_reader
from thanosql_audio.types import Audio, AudioInfo, Samples
from thanosql_runtime.errors import Reason, ThanosqlError, error

DEFAULT_SAMPLE_RATE_HZ = 16_000
DEFAULT_MAX_DURATION_S = 3600.0
LOWEST_RATE_HZ = 1_000
HIGHEST_RATE_HZ = 384_000
MOST_CHANNELS = 256
_BLOCK_SAMPLES = 1 << 18
# Writers that cannot seek back (pipes) leave the largest size, or one near it, in the header.
_UNKNOWN_SIZE = 0x7FFF0000
_SHORT_DATA = re.compile(r"^\s*(?:data|SSND)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)


class _OpenFile(Protocol):
    """The part of `soundfile.SoundFile`, which ships no types, that is used here."""

    samplerate: int
    channels: int
    frames: int
    format: str
    subtype: str
    extra_info: str

    def read(self, frames: int, dtype: str, always_2d: bool) -> Samples: ...
    def close(self) -> None: ...


def probe(source: BinaryIO | bytes) -> AudioInfo:
    """Read the header alone.

    Raises:
        ThanosqlError: AUDIO_UNREADABLE for what is no audio, or for a header that cannot be true: one that
            promises more than the file holds.
    """
    opened = _open(open_reader(source))
    try:
        _check_truncation_in_header(opened)
        return AudioInfo(
            sample_rate_hz=opened.samplerate,
            channels=opened.channels,
            duration_s=max(0, opened.frames) / opened.samplerate,
            format=opened.format,
            subtype=opened.subtype,
        )
    finally:
        opened.close()


def decode(
    source: BinaryIO | bytes,
    *,
    sample_rate_hz: int = DEFAULT_SAMPLE_RATE_HZ,
    max_duration_s: float = DEFAULT_MAX_DURATION_S,
) -> Audio:
    """Decode, mix down to one channel by the mean, and resample.

    Args:
        source: The bytes of a recording, or a binary file at its start; the caller closes it.
        sample_rate_hz: Rate of the answer.
        max_duration_s: Longest recording taken.

    Raises:
        ThanosqlError: AUDIO_UNREADABLE (not audio, damaged, truncated, samples that are no numbers),
            AUDIO_EMPTY (no sample in it) or AUDIO_TOO_LONG. What the source itself raises passes through.
    """
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise ValueError(
            f"sample_rate_hz must lie in {LOWEST_RATE_HZ}..{HIGHEST_RATE_HZ}, got {sample_rate_hz}"
        )
    reader = open_reader(source)
    opened = _open(reader)
    try:
        _check_truncation_in_header(opened)
        return _decode_open(opened, reader, sample_rate_hz, max_duration_s)
    finally:
        opened.close()


def _open(reader: FaithfulReader) -> _OpenFile:
    try:
        opened: _OpenFile = soundfile.SoundFile(reader)
    except soundfile.LibsndfileError as failure:
        reader.check()
        raise _unreadable(failure.error_string) from failure
    reader.check()
    try:
        _check_header(opened)
    except ThanosqlError:
        opened.close()
        raise
    return opened


def _check_header(opened: _OpenFile) -> None:
    if not LOWEST_RATE_HZ <= opened.samplerate <= HIGHEST_RATE_HZ:
        limits = f"{LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ} Hz"
        raise _unreadable(f"its header names a rate of {opened.samplerate} Hz; rates of {limits} are read")
    if not 1 <= opened.channels <= MOST_CHANNELS:
        raise _unreadable(f"its header names {opened.channels} channels; 1 to {MOST_CHANNELS} are read")


def _check_truncation_in_header(opened: _OpenFile) -> None:
    """Look in the log of libsndfile: it mends a too large data chunk silently."""
    mended = _SHORT_DATA.search(opened.extra_info)
    if mended is None:
        return
    promised, held = int(mended[1]), int(mended[2])
    if held < promised < _UNKNOWN_SIZE and held > 0:
        raise _unreadable(f"it is truncated: its header promises {promised} bytes of audio, it holds {held}")


def _decode_open(opened: _OpenFile, reader: FaithfulReader, rate_hz: int, max_duration_s: float) -> Audio:
    resampler = _Resampler(opened.samplerate, rate_hz)
    pieces: list[Samples] = []
    frames = 0
    for mono in _mono_blocks(opened, reader):
        frames += len(mono)
        if frames > max_duration_s * opened.samplerate:
            raise error(
                Reason.AUDIO_TOO_LONG,
                f"the recording is longer than {max_duration_s:g} s; split it into shorter ones",
                max_duration_s=f"{max_duration_s:g}",
            )
        pieces.append(resampler.take(mono))
    if frames == 0:
        raise error(Reason.AUDIO_EMPTY, "the recording holds no audio: its length is 0 s")
    _check_count(opened, frames)
    pieces.append(resampler.finish())
    return Audio(
        samples=np.ascontiguousarray(np.concatenate(pieces), dtype=np.float32),
        sample_rate_hz=rate_hz,
        duration_s=frames / opened.samplerate,
        source_rate_hz=opened.samplerate,
        channels=opened.channels,
    )


def _mono_blocks(opened: _OpenFile, reader: FaithfulReader) -> Iterator[Samples]:
    block_frames = max(1, _BLOCK_SAMPLES // opened.channels)
    while True:
        try:
            block = opened.read(block_frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as failure:
            reader.check()
            raise _unreadable(failure.error_string) from failure
        reader.check()
        if len(block) == 0:
            return
        mono = block[:, 0] if opened.channels == 1 else block.mean(axis=1, dtype=np.float64)
        if not np.isfinite(mono).all():
            raise _unreadable("it holds samples that are no numbers (NaN or infinite)")
        yield mono.astype(np.float32, copy=False)


def _check_count(opened: _OpenFile, frames: int) -> None:
    # The length of an mp3 is an estimate, that of ogg comes from its last page: neither is a promise.
    if opened.format not in {"MP3", "OGG"} and 0 < frames < opened.frames < _UNKNOWN_SIZE:
        raise _unreadable(f"it is truncated: its header promises {opened.frames} frames, it holds {frames}")


class _Resampler:
    """Block by block, so that only the result is ever whole in memory."""

    def __init__(self, source_hz: int, target_hz: int) -> None:
        self._stream = (
            None if source_hz == target_hz else soxr.ResampleStream(source_hz, target_hz, 1, dtype="float32")
        )

    def take(self, mono: Samples) -> Samples:
        if self._stream is None:
            return mono
        resampled: Samples = self._stream.resample_chunk(mono)
        return resampled

    def finish(self) -> Samples:
        if self._stream is None:
            return np.zeros(0, dtype=np.float32)
        rest: Samples = self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        return rest


def _unreadable(why: str) -> ThanosqlError:
    words = why.removeprefix("Error : ").strip().rstrip(".")
    return error(Reason.AUDIO_UNREADABLE, f"the recording cannot be read: {words}", detail=words)
