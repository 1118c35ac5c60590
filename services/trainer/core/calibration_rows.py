"""Which of the rows that a model learned from may calibrate it later: a few, named beside its weights."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import structlog

from services.trainer.core.dataset import Example
from thanosql_ctc.calibration import CalibrationRecording, write_calibration
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("calibration")
_MOST = 24


def name_calibration(folder: Path, examples: Sequence[Example], workspace: Workspace) -> None:
    """Write paths and digests of recordings from all over the rows; one that is gone is left out."""
    spread = examples[:: -(-len(examples) // _MOST)]
    named = [_named(path, workspace) for path in dict.fromkeys(example.path for example in spread)]
    write_calibration(folder, [recording for recording in named if recording is not None])


def _named(path: str, workspace: Workspace) -> CalibrationRecording | None:
    try:
        with workspace.open(path) as source:
            digest = hashlib.file_digest(source, "sha256")  # type: ignore[arg-type] # a binary file does
    except (ThanosqlError, OSError) as failure:
        _log.warning("recording left out", problem=str(failure))
        return None
    return CalibrationRecording(audio_path=path, sha256=digest.hexdigest())
