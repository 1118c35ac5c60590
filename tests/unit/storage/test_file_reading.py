"""Files on their way out: one that changes meanwhile is told from one that does not."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from services.storage.core.files.reading import FileRange, FileReading
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError

CONTENT = bytes(range(256)) * 16384


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    path = tmp_path / "files" / "a.bin"
    path.write_bytes(CONTENT)
    os.utime(path, (1e9, 1e9))
    return path


@pytest.fixture
def reading(path: Path, tmp_path: Path) -> FileReading:
    workspace = Workspace(LocalDirectory(path.parent), LocalDirectory(tmp_path / "objects"))
    return FileReading(workspace, FileRange(path="a.bin"))


def overwritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"another")
        file.seek(-7, os.SEEK_END)
        file.write(b"another")


def cut(path: Path) -> None:
    os.truncate(path, 2_000_000)


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize("change", [overwritten, cut, grown])
def test_a_file_that_changes_while_it_is_read_is_not_said_to_be_whole(
    reading: FileReading, path: Path, change: Callable[[Path], None]
) -> None:
    blocks = reading.blocks()
    next(blocks)
    change(path)
    with pytest.raises(ThanosqlError, match="changed while it was read") as caught:
        list(blocks)
    reading.close()
    assert caught.value.reason is Reason.CONFLICT


def test_a_file_that_is_replaced_is_read_to_its_end_as_it_was(reading: FileReading, path: Path) -> None:
    blocks = reading.blocks()
    first = next(blocks)
    (path.parent / "b.bin").write_bytes(b"another")
    (path.parent / "b.bin").replace(path)
    assert first + b"".join(blocks) == CONTENT
    assert reading.sha256 == hashlib.sha256(CONTENT).hexdigest()
    reading.close()
