"""Recordings of every shape, and everything that only claims to be one."""

import csv
import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from tests.deployment import SHARED_DATA
from thanosql_audio.decoding import decode, probe
from thanosql_runtime.errors import Reason, ThanosqlError

TRUE_RATES_ONLY = {"formats/pocketsphinx__awful.wav"}


def formats() -> list[dict[str, str]]:
    listing = SHARED_DATA / "formats.csv"
    if not listing.exists():
        return []
    with listing.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def tone(rate_hz: int, duration_s: float, channels: int = 1) -> np.ndarray:
    time_s = np.arange(int(rate_hz * duration_s)) / rate_hz
    wave = 0.5 * np.sin(2 * np.pi * 220 * time_s)
    return np.repeat(wave[:, None], channels, axis=1).astype(np.float32)


def encoded(samples: np.ndarray, rate_hz: int, container: str = "WAV", subtype: str | None = None) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, samples, rate_hz, format=container, subtype=subtype)
    return target.getvalue()


@pytest.mark.shared_data
@pytest.mark.skipif(not SHARED_DATA.exists(), reason="no shared recordings on this machine")
@pytest.mark.parametrize("row", formats(), ids=lambda row: Path(row["audio_path"]).name)
def test_every_format_is_decoded_or_refused_as_listed(row: dict[str, str]) -> None:
    recording = (SHARED_DATA / row["audio_path"]).read_bytes()
    if row["readable"] == "yes" and row["audio_path"] not in TRUE_RATES_ONLY:
        audio = decode(recording)
        assert audio.duration_s == pytest.approx(float(row["seconds"]), abs=0.02)
        assert len(audio.samples) == pytest.approx(audio.duration_s * 16_000, abs=2)
        assert (audio.source_rate_hz, audio.channels) == (int(row["sample_rate"]), int(row["channels"]))
        return
    with pytest.raises(ThanosqlError) as caught:
        decode(recording)
    expected = Reason.AUDIO_EMPTY if row["readable"] == "empty" else Reason.AUDIO_UNREADABLE
    assert caught.value.reason is expected


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_any_width_channel_count_and_rate_gives_one_tone(subtype: str, channels: int, rate_hz: int) -> None:
    audio = decode(encoded(tone(rate_hz, 0.5, channels), rate_hz, subtype=subtype))
    assert audio.samples.dtype == np.float32
    assert audio.samples.ndim == 1
    inside = slice(800, 7_200)
    expected = tone(16_000, 0.5)[inside, 0]
    assert np.abs(audio.samples[inside] - expected).max() < 0.03


def test_channels_are_mixed_by_their_mean() -> None:
    stereo = np.stack([np.full(1600, 0.6), np.full(1600, 0.2)], axis=1).astype(np.float32)
    audio = decode(encoded(stereo, 16_000, subtype="FLOAT"))
    assert audio.samples == pytest.approx(np.full(1600, 0.4), abs=1e-6)


def test_blocks_are_resampled_as_one_recording() -> None:
    noise = np.random.default_rng(1).standard_normal(44_100 * 14).astype(np.float32) * 0.1
    audio = decode(encoded(noise, 44_100, subtype="FLOAT"))
    whole = soxr.resample(noise, 44_100, 16_000)
    assert len(audio.samples) == pytest.approx(len(whole), abs=1)
    shorter = min(len(whole), len(audio.samples))
    assert np.abs(audio.samples[:shorter] - whole[:shorter]).max() < 1e-4


def test_a_source_that_cannot_seek_is_read() -> None:
    class Response(io.BytesIO):
        def seekable(self) -> bool:
            return False

    assert decode(Response(encoded(tone(16_000, 0.1), 16_000))).duration_s == pytest.approx(0.1)


def test_the_source_stays_open_for_its_owner() -> None:
    source = io.BytesIO(encoded(tone(16_000, 0.1), 16_000))
    decode(source)
    assert not source.closed


def test_a_failure_of_the_source_is_not_taken_for_a_bad_recording() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise ConnectionResetError("the store went away")

    with pytest.raises(ConnectionResetError, match="went away"):
        decode(Broken(encoded(tone(16_000, 0.1), 16_000)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_refused(value: float) -> None:
    samples = tone(16_000, 0.1)
    samples[100] = value
    with pytest.raises(ThanosqlError, match="NaN or infinite") as caught:
        decode(encoded(samples, 16_000, subtype="FLOAT"))
    assert caught.value.reason is Reason.AUDIO_UNREADABLE


def wav_with(offset: int, layout: str, value: int) -> bytes:
    recording = bytearray(encoded(tone(16_000, 0.1), 16_000))
    struct.pack_into(layout, recording, offset, value)
    return bytes(recording)


@pytest.mark.parametrize(
    "recording",
    [
        b"",
        b"not audio at all",
        b"RIFF\x00\x00\x00\x00WAVE",
        encoded(tone(16_000, 0.1), 16_000)[:20],
        wav_with(24, "<I", 1_000_000),
        wav_with(24, "<I", 10),
        wav_with(40, "<I", 2_000_000_000),
        encoded(tone(16_000, 1.0), 16_000)[:1000],
        encoded(tone(16_000, 1.0), 16_000, "FLAC")[:1500],
        encoded(tone(16_000, 1.0), 16_000, "AIFF")[:1000],
    ],
    ids=[
        "empty",
        "text",
        "no-chunks",
        "cut-header",
        "1-MHz",
        "10-Hz",
        "2e9-bytes",
        "cut-wav",
        "cut-flac",
        "cut-aiff",
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason_in_words(recording: bytes) -> None:
    with pytest.raises(ThanosqlError, match=r"the recording cannot be read: .{5,}") as caught:
        decode(recording)
    assert caught.value.reason is Reason.AUDIO_UNREADABLE


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_size_left_open_by_a_pipe_is_no_truncation(size: int) -> None:
    assert decode(wav_with(40, "<I", size)).duration_s == pytest.approx(0.1)


def test_a_header_without_samples_is_empty() -> None:
    with pytest.raises(ThanosqlError) as caught:
        decode(encoded(tone(16_000, 1.0), 16_000)[:44])
    assert caught.value.reason is Reason.AUDIO_EMPTY


def test_the_longest_duration_is_kept() -> None:
    recording = encoded(tone(8_000, 1.0), 8_000)
    assert decode(recording, max_duration_s=1.0).duration_s == pytest.approx(1.0)
    with pytest.raises(ThanosqlError, match=r"longer than 0\.9 s") as caught:
        decode(recording, max_duration_s=0.9)
    assert caught.value.reason is Reason.AUDIO_TOO_LONG


def test_a_clip_of_five_milliseconds_is_decoded() -> None:
    assert len(decode(encoded(tone(16_000, 0.005), 16_000)).samples) == 80


def test_a_rate_that_makes_no_sense_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="sample_rate_hz"):
        decode(b"", sample_rate_hz=0)


def test_probe_reads_the_header() -> None:
    info = probe(encoded(tone(44_100, 0.5, 2), 44_100, "FLAC"))
    assert (info.sample_rate_hz, info.channels, info.format) == (44_100, 2, "FLAC")
    assert info.duration_s == pytest.approx(0.5)


def test_probe_refuses_what_is_no_audio() -> None:
    with pytest.raises(ThanosqlError) as caught:
        probe(b"words")
    assert caught.value.reason is Reason.AUDIO_UNREADABLE
