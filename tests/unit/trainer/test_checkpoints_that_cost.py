"""Uploaded checkpoints that are small on disk and large in memory are refused before they grow."""

import errno
import json
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from services.trainer.core.uploading.checking import describe, failed
from services.trainer.core.uploading.gathering import checkpoint_files, copy_files
from services.trainer.core.uploading.pickled import convert_pickled
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError


def test_a_tensor_that_repeats_few_numbers_is_not_written_out(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1).expand(1_000_000)}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ThanosqlError, match="4000000 bytes of weights") as caught:
        convert_pickled(tmp_path)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT
    assert [path.name for path in tmp_path.iterdir()] == ["pytorch_model.bin"]


def test_weights_under_two_names_are_converted(tmp_path: Path) -> None:
    weight = torch.zeros(100, 100)
    torch.save({"a": weight, "b": weight.t()}, tmp_path / "pytorch_model.bin")
    convert_pickled(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_model_of_too_many_frames_is_refused_by_its_configuration(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "tiny")
    content = json.loads((folder / "config.json").read_text())
    content["conv_stride"] = [1] * len(content["conv_stride"])
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(ThanosqlError, match="16000 frames a second") as caught:
        describe(folder)
    assert caught.value.reason is Reason.INVALID_CHECKPOINT


def test_a_file_that_grows_is_not_copied_beyond_what_was_counted(tmp_path: Path) -> None:
    folder = write_tiny_checkpoint(tmp_path / "files" / "tiny")
    workspace = open_objects(
        ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path / "files"))
    ).workspace
    files = checkpoint_files(workspace, "tiny", 1 << 30)
    with (folder / "model.safetensors").open("ab") as weights:
        weights.write(b"0")
    with pytest.raises(ThanosqlError, match="grows while it is read") as caught:
        copy_files(workspace, files, tmp_path / "copy")
    assert caught.value.reason is Reason.INVALID_CHECKPOINT


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("I/O error: File too large (os error 27)"),
    ],
)
def test_a_full_disk_is_not_told_as_a_fault_of_the_checkpoint(full: Exception) -> None:
    told = failed(full)
    assert told.reason == Reason.OVERLOADED.value
    assert "no room" in told.message


def test_what_a_library_raises_is_told_by_its_kind_and_first_line() -> None:
    told = failed(ZeroDivisionError("integer modulo by zero\n  File /srv/secret.py"))
    assert told.reason == Reason.INVALID_CHECKPOINT.value
    assert told.message == "the checkpoint cannot be run: ZeroDivisionError: integer modulo by zero"
