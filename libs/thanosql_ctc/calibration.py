"""The recordings that a model may be calibrated with: some of those it learned from, beside its weights.

They are named, not copied: who may read a model may not therefore hear its recordings.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

CALIBRATION_FILE = "calibration.json"
_FORMAT = 1
# More would only take time: a file that names a million is not one that a training wrote.
_MOST = 64


@dataclass(frozen=True, kw_only=True)
class CalibrationRecording:
    """A recording: its path as statements name it, and the SHA-256 of its bytes."""

    audio_path: str
    sha256: str


def write_calibration(folder: Path, recordings: Sequence[CalibrationRecording]) -> None:
    """Name recordings in the folder of a model."""
    content = {"format": _FORMAT, "recordings": [asdict(recording) for recording in recordings]}
    (folder / CALIBRATION_FILE).write_text(
        json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )


def read_calibration(folder: Path) -> list[CalibrationRecording]:
    """Read which recordings a model names; none where it names none, or not in a way that is understood."""
    try:
        content: Any = json.loads((folder / CALIBRATION_FILE).read_bytes())  # Any: json
        if content["format"] != _FORMAT:
            return []
        return [
            CalibrationRecording(audio_path=str(item["audio_path"]), sha256=str(item["sha256"]))
            for item in content["recordings"][:_MOST]
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return []
