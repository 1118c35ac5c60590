"""Which rows a trained model names for its calibration."""

import hashlib
from pathlib import Path

from services.trainer.core.calibration_rows import name_calibration
from services.trainer.core.dataset import Example
from thanosql_ctc.calibration import CalibrationRecording, read_calibration
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace


def example(number: int, path: str) -> Example:
    return Example(number=number, path=path, text="A", labels=(1,), samples=16_000, duration_s=1.0)


def named(tmp_path: Path, paths: list[str]) -> list[CalibrationRecording]:
    workspace = Workspace(LocalDirectory(tmp_path / "files"), LocalDirectory(tmp_path / "objects"))
    name_calibration(tmp_path, [example(number, path) for number, path in enumerate(paths)], workspace)
    return read_calibration(tmp_path)


def put(tmp_path: Path, paths: list[str]) -> list[str]:
    (tmp_path / "files").mkdir()
    for path in paths:
        (tmp_path / "files" / path).write_bytes(path.encode())
    return paths


def test_recordings_from_all_over_the_rows_are_named_with_their_digests(tmp_path: Path) -> None:
    paths = put(tmp_path, [f"{number}.wav" for number in range(100)])
    recordings = named(tmp_path, paths)
    assert 16 <= len(recordings) <= 24
    assert recordings[0].audio_path == "0.wav"
    assert int(recordings[-1].audio_path.removesuffix(".wav")) >= 90
    assert recordings[0].sha256 == hashlib.sha256(b"0.wav").hexdigest()


def test_few_rows_are_all_named_each_recording_once(tmp_path: Path) -> None:
    put(tmp_path, ["a.wav", "b.wav"])
    assert [item.audio_path for item in named(tmp_path, ["a.wav", "b.wav", "a.wav"])] == ["a.wav", "b.wav"]


def test_a_recording_that_went_since_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, ["a.wav"])
    assert [item.audio_path for item in named(tmp_path, ["gone.wav", "a.wav"])] == ["a.wav"]
