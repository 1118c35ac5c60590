"""How the services start processes of their own, beside files of the user."""

import subprocess
from pathlib import Path

import pytest

from services.predictor.core.decoding.beam import processes
from services.trainer.core import runner
from services.trainer.core.uploading import uploads

COMMANDS = [processes.WORKER_COMMAND, runner.WORKER_COMMAND, uploads.CHECK_COMMAND]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[-1])
def test_files_in_the_current_folder_are_not_run(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "json.py").write_text("open('was-run', 'w')")
    # Another module in place of the last word: the same interpreter and switches, at once.
    subprocess.run([*command[:-1], "json.tool", "--help"], cwd=tmp_path, capture_output=True, check=False)
    assert not (tmp_path / "was-run").exists()
