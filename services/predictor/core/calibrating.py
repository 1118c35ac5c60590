"""Speech to round a model by, and other speech to judge that by: of its own training rows where it can be."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile
import structlog

from services.predictor.core.ports import Recordings
from thanosql_audio.decoding import decode
from thanosql_ctc.calibration import CalibrationRecording, read_calibration
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_ctc.waveform import Samples, normalise_waveform, with_margins
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("calibrating")
SPEECH = Path(__file__).with_name("verification.flac")
_LARGEST_FILE_BYTES = 64 << 20
_LONGEST_S = 15.0
_ENOUGH_S = 90.0
_FEWEST = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationSpeech:
    """Waveforms as the model takes them.

    Attributes:
        seen: What a model is rounded by.
        unseen: What shows whether it still hears the same; some of the same where there is little in all.
        is_whole: Whether all that the model names could be read.
    """

    seen: list[Samples]
    unseen: list[Samples]
    is_whole: bool


class Calibrator:
    """Finds speech for models. Blocking.

    Args:
        recordings: The users' recordings.
    """

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    def speech(self, files: Path, checkpoint: Checkpoint) -> CalibrationSpeech:
        """Read what the model in a folder names; speech of our own where too little of that is left.

        A recording that is gone, or has other bytes by now, is passed over.
        """
        named = read_calibration(files)
        passed_over: list[CalibrationRecording] = []
        own = list(_enough(self._read(named, passed_over, checkpoint), checkpoint.sample_rate_hz))
        _log.info("calibrating", named=len(named), readable=len(own))
        is_whole = not passed_over
        if len(own) >= _FEWEST:
            seen = [one for index, one in enumerate(own) if index % 4]
            return CalibrationSpeech(seen=seen, unseen=own[::4], is_whole=is_whole)
        whole, *parts = _pieces(checkpoint)
        return CalibrationSpeech(seen=[*own, whole, *parts], unseen=[*own, whole], is_whole=is_whole)

    def _read(
        self,
        named: Iterable[CalibrationRecording],
        passed_over: list[CalibrationRecording],
        checkpoint: Checkpoint,
    ) -> Iterator[Samples]:
        for recording in named:
            try:
                yield _waveform(self._bytes(recording), checkpoint)
            except (ThanosqlError, OSError, ValueError) as failure:
                passed_over.append(recording)
                _log.warning("recording passed over", problem=str(failure))

    def _bytes(self, recording: CalibrationRecording) -> bytes:
        with self._recordings.open(recording.audio_path) as source:
            content = source.read(_LARGEST_FILE_BYTES)
        if hashlib.sha256(content).hexdigest() != recording.sha256:
            raise OSError("a recording has other bytes than when the model learned from it")
        return content


def _enough(waveforms: Iterable[Samples], rate_hz: int) -> Iterator[Samples]:
    seconds = 0.0
    for waveform in waveforms:
        yield waveform
        seconds += len(waveform) / rate_hz
        if seconds >= _ENOUGH_S:
            return


def _waveform(content: bytes, checkpoint: Checkpoint) -> Samples:
    """What the model is given when it transcribes the recording, or its beginning."""
    audio = decode(content, sample_rate_hz=checkpoint.sample_rate_hz)
    beginning = audio.samples[: round(_LONGEST_S * checkpoint.sample_rate_hz)]
    waveform = with_margins(beginning, checkpoint.sample_rate_hz)
    return normalise_waveform(waveform) if checkpoint.do_normalize else waveform


def _pieces(checkpoint: Checkpoint) -> list[Samples]:
    """Speech of the tutorial: all of it, which is three seconds, and its parts."""
    samples, _ = soundfile.read(SPEECH, dtype="float32")
    third = len(samples) // 3
    pieces = [samples, samples[: 2 * third], samples[third:]]
    return [normalise_waveform(piece) if checkpoint.do_normalize else piece for piece in pieces]
