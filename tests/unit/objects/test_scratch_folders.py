"""Temporary folders: those in use stay, those of a killed process go."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from thanosql_objects.scratch import ScratchFolder, remove_abandoned

# Makes a folder, writes into it, and waits to be killed.
MAKER = """
import sys
from pathlib import Path
from thanosql_objects.scratch import ScratchFolder
folder = ScratchFolder("query")
(Path(folder.name) / "spill").write_bytes(b"x" * 1000)
print(folder.name, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def killed_maker(temporary: Path) -> Path:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    folder = Path(process.stdout.readline().strip())
    assert list(remove_abandoned(temporary, fresh_s=0)) == []
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    return folder


def test_a_folder_is_there_while_it_is_used_and_no_longer(temporary: Path) -> None:
    with ScratchFolder("spool") as name:
        (Path(name) / "rows").write_bytes(b"x")
        assert list(remove_abandoned(fresh_s=0)) == []
        assert Path(name).parent == temporary
    assert list(temporary.iterdir()) == []


def test_the_folder_of_a_killed_process_goes(temporary: Path) -> None:
    folder = killed_maker(temporary)
    assert folder.is_dir()
    assert list(remove_abandoned(fresh_s=60)) == []
    assert list(remove_abandoned(fresh_s=0)) == [(folder.name, 1000)]
    assert not folder.exists()


def test_other_folders_are_no_concern_of_ours(temporary: Path) -> None:
    for name in ("thanosql-abc", "other"):
        (temporary / name).mkdir()
    (temporary / "thanosql-scratch-query-link").symlink_to(temporary / "other")
    assert list(remove_abandoned(fresh_s=0)) == []
    assert (temporary / "other").is_dir()
