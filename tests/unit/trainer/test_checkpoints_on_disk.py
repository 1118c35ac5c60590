"""Checkpoints on disk: whole or not at all, two kept, what is damaged is noticed."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from services.trainer.core import checkpoints
from services.trainer.core.checkpoints import MANIFEST_FILE, STATE_FILE, TENSORS_FILE, CheckpointFolder


def write(folder: CheckpointFolder, step: int) -> None:
    folder.write({"weight": torch.full((100,), float(step))}, b'{"step": %d}' % step)


def state_of(folder: CheckpointFolder) -> bytes | None:
    stored, _problems = folder.read()
    return stored.state if stored else None


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_the_newest_is_read(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    write(folder, 1)
    write(folder, 2)

    stored, problems = folder.read()
    assert problems == []
    assert stored is not None
    assert stored.state == b'{"step": 2}'
    assert torch.equal(stored.tensors["weight"], torch.full((100,), 2.0))


def test_where_none_was_written_there_is_none(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path / "checkpoints").read() == (None, [])


def test_two_are_kept(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    for step in range(1, 6):
        write(folder, step)
    assert names(tmp_path) == ["000004", "000005"]


@pytest.mark.parametrize("name", [TENSORS_FILE, STATE_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_one_gives_way_to_the_one_before(tmp_path: Path, name: str, damage: str) -> None:
    folder = CheckpointFolder(tmp_path)
    write(folder, 1)
    write(folder, 2)
    path = tmp_path / "000002" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flipped" else content[: len(content) // 2])

    stored, problems = folder.read()
    assert stored is not None
    assert stored.state == b'{"step": 1}'
    assert len(problems) == 1
    assert "checkpoint 2 is damaged" in problems[0]
    assert names(tmp_path) == ["000001"]


def test_one_that_was_being_written_when_the_process_was_killed_is_none(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    write(folder, 1)
    half = tmp_path / ".000002.new"
    half.mkdir()
    (half / TENSORS_FILE).write_bytes(b"half of it")

    assert state_of(folder) == b'{"step": 1}'
    write(folder, 2)
    assert names(tmp_path) == ["000001", "000002"]


@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("No space left on device")],
)
def test_one_that_cannot_be_written_leaves_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    folder = CheckpointFolder(tmp_path)
    write(folder, 1)

    def full(_tensors: object, path: Path) -> None:
        path.write_bytes(b"as much as there was room for")
        raise failure

    monkeypatch.setattr(checkpoints, "save_file", full)
    with pytest.raises(OSError, match="No space left"):
        write(folder, 2)
    assert names(tmp_path) == ["000001"]
    assert state_of(folder) == b'{"step": 1}'
