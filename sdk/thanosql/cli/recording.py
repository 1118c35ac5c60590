"""Samples for a dictation: a wav file, or raw samples, from a file or from the standard input."""

import sys
import time
import wave
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from io import FileIO, UnsupportedOperation
from typing import IO, Protocol, cast

from thanosql.errors import InvalidData

_CHUNK_S = 0.1
_BYTES_PER_SAMPLE = 2


class _Reads(Protocol):
    """What bytes come from; each read may give fewer than asked for."""

    def read(self, size: int, /) -> bytes | None: ...


class _Whole:
    """Reads as many bytes as asked for, fewer only at the end."""

    def __init__(self, source: _Reads) -> None:
        self._source = source
        self._first = b""

    def peek(self, size: int) -> bytes:
        """The next bytes, which stay."""
        self._first = self.read(size)
        return self._first

    def read(self, size: int) -> bytes:
        """The next bytes."""
        parts, self._first = [self._first[:size]], self._first[size:]
        missing = size - len(parts[0])
        while missing and (part := self._source.read(missing)):
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """16 bit samples of one channel, in chunks of a tenth of a second."""

    sample_rate_hz: int
    chunks: Iterator[bytes] = field(repr=False)


def open_recording(name: str, raw_rate_hz: int) -> Recording:
    """Open a file, or the standard input for `-`; what does not begin as a wav file is taken as raw samples.

    Raises:
        InvalidData: A wav file of another kind than 16 bit.
        OSError: The file cannot be read.
    """
    source = _Whole(_standard_input() if name == "-" else FileIO(name))
    if source.peek(4) == b"RIFF":
        return _wav(name, source)
    size = round(_CHUNK_S * raw_rate_hz) * _BYTES_PER_SAMPLE
    return Recording(sample_rate_hz=raw_rate_hz, chunks=iter(lambda: source.read(size), b""))


def in_real_time(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Give each chunk when a microphone would."""
    begun_s = time.monotonic()
    for number, chunk in enumerate(chunks, start=1):
        time.sleep(max(0.0, begun_s + number * _CHUNK_S - time.monotonic()))
        yield chunk


def _standard_input() -> _Reads:
    # Without a buffer: a thread that waits in one for a microphone would hold its lock when Python ends.
    try:
        return FileIO(sys.stdin.fileno(), closefd=False)
    except UnsupportedOperation:  # not a real one
        return sys.stdin.buffer


def _wav(name: str, source: _Whole) -> Recording:
    try:
        opened = wave.Wave_read(cast("IO[bytes]", source))  # all that it calls is `read`
    except (wave.Error, EOFError) as failure:
        raise _not_readable(name, str(failure) or "it is cut short") from failure
    if opened.getsampwidth() != _BYTES_PER_SAMPLE:
        raise _not_readable(name, f"its samples have {8 * opened.getsampwidth()} bits, not 16")
    rate_hz, channels = opened.getframerate(), opened.getnchannels()
    frames, frame_bytes = round(_CHUNK_S * rate_hz), _BYTES_PER_SAMPLE * channels
    read = partial(opened.readframes, frames)
    if not opened.getnframes():  # as a recorder leaves it that could not go back: samples follow to the end
        read = partial(source.read, frames * frame_bytes)
    return Recording(sample_rate_hz=rate_hz, chunks=_mono_chunks(read, channels))


def _mono_chunks(read: Callable[[], bytes], channels: int) -> Iterator[bytes]:
    frame_bytes = _BYTES_PER_SAMPLE * channels
    while chunk := read():
        whole = chunk[: len(chunk) // frame_bytes * frame_bytes]  # a file may be cut inside a frame
        yield whole if channels == 1 else _mixed_down(whole, channels)


def _mixed_down(chunk: bytes, channels: int) -> bytes:
    samples = array("h", chunk)
    if sys.byteorder == "big":
        samples.byteswap()
    mixed = array("h", (sum(samples[i : i + channels]) // channels for i in range(0, len(samples), channels)))
    if sys.byteorder == "big":
        mixed.byteswap()
    return mixed.tobytes()


def _not_readable(name: str, why: str) -> InvalidData:
    message = f"{name} cannot be dictated: {why}; `thanosql transcribe` reads every format"
    return InvalidData(reason="AUDIO_UNREADABLE", message=message)
