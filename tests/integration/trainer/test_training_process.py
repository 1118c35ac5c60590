"""The training process and its parent."""

import os
import subprocess
from pathlib import Path

from services.trainer.core.runner import WORKER_COMMAND
from services.trainer.core.spec import SPEC_FILE


def test_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / SPEC_FILE)  # it waits here for its order
    worker = subprocess.Popen([*WORKER_COMMAND, str(tmp_path)], stdin=subprocess.PIPE)
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(timeout=100) == 70
