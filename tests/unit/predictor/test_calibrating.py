"""Speech to round a model by: its own training rows, unchanged and readable, else the tutorial's."""

import hashlib
import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import soundfile

from services.predictor.core.calibrating import Calibrator
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from thanosql_ctc.calibration import CalibrationRecording, read_calibration, write_calibration
from thanosql_ctc.checkpoint import Checkpoint, load_checkpoint
from thanosql_runtime.errors import Reason, error

RATE_HZ = 16_000


class Shelf:
    """Recordings by path."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def open(self, path: str) -> BinaryIO:
        if path not in self.files:
            raise error(Reason.FILE_NOT_FOUND, f"no {path}")
        return io.BytesIO(self.files[path])

    def put(self, path: str, seconds: float, seed: int) -> CalibrationRecording:
        noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ)) * 0.1
        content = io.BytesIO()
        soundfile.write(content, noise, RATE_HZ, format="WAV")
        self.files[path] = content.getvalue()
        return CalibrationRecording(audio_path=path, sha256=hashlib.sha256(content.getvalue()).hexdigest())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_tiny_checkpoint(tmp_path / "model")


@pytest.fixture
def checkpoint(files: Path) -> Checkpoint:
    return load_checkpoint(files)


def test_a_model_is_rounded_by_some_of_its_rows_and_judged_by_others(
    files: Path, checkpoint: Checkpoint
) -> None:
    shelf = Shelf()
    write_calibration(files, [shelf.put(f"{number}.wav", 1 + number / 10, number) for number in range(8)])
    speech = Calibrator(shelf).speech(files, checkpoint)
    assert (len(speech.seen), len(speech.unseen)) == (6, 2)
    lengths = {len(waveform) for waveform in [*speech.seen, *speech.unseen]}
    assert len(lengths) == 8, "every row once"
    assert speech.is_whole


def test_rows_that_are_gone_changed_or_broken_are_passed_over(files: Path, checkpoint: Checkpoint) -> None:
    shelf = Shelf()
    named = [shelf.put(f"{number}.wav", 1 + number / 10, number) for number in range(7)]
    del shelf.files["0.wav"]
    shelf.files["1.wav"] += b"more"
    shelf.files["2.wav"] = b"no audio"
    named[2] = CalibrationRecording(audio_path="2.wav", sha256=hashlib.sha256(b"no audio").hexdigest())
    write_calibration(files, named)
    speech = Calibrator(shelf).speech(files, checkpoint)
    assert len(speech.seen) + len(speech.unseen) == 4
    assert not speech.is_whole


def test_speech_of_our_own_helps_where_too_few_rows_are_left(files: Path, checkpoint: Checkpoint) -> None:
    speech = Calibrator(Shelf()).speech(files, checkpoint)
    assert speech.seen
    assert speech.unseen
    assert all(len(waveform) > RATE_HZ / 2 for waveform in [*speech.seen, *speech.unseen])


def test_a_path_that_no_file_can_have_is_passed_over(files: Path, checkpoint: Checkpoint) -> None:
    class Disk(Shelf):
        def open(self, path: str) -> BinaryIO:
            return Path(path).open("rb")

    write_calibration(files, [CalibrationRecording(audio_path="a\0b.wav", sha256="0" * 64)])
    speech = Calibrator(Disk()).speech(files, checkpoint)
    assert speech.seen
    assert not speech.is_whole


def test_a_list_without_end_is_read_only_so_far(tmp_path: Path) -> None:
    write_calibration(tmp_path, [CalibrationRecording(audio_path="a.wav", sha256="0" * 64)] * 10_000)
    assert len(read_calibration(tmp_path)) == 64


def test_long_recordings_and_many_of_them_are_cut_short(files: Path, checkpoint: Checkpoint) -> None:
    shelf = Shelf()
    write_calibration(files, [shelf.put(f"{number}.wav", 20, number) for number in range(12)])
    speech = Calibrator(shelf).speech(files, checkpoint)
    waveforms = [*speech.seen, *speech.unseen]
    assert max(map(len, waveforms)) < 17 * RATE_HZ
    assert sum(map(len, waveforms)) < 120 * RATE_HZ


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2, "recordings": []}', '{"format": 1}'])
def test_a_list_that_is_not_understood_names_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "calibration.json").write_text(content)
    assert read_calibration(tmp_path) == []
