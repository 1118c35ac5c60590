"""Processes that train together never outlive the call that started them."""

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

_CALL = """
import fcntl
import sys
from pathlib import Path
from threading import Event

from scripts.base_model import ranks

FOLDER = Path(__file__).parent


def work(rank: int) -> None:
    with (FOLDER / "held").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        print("at work", flush=True)
        Event().wait()


if __name__ == "__main__":
    ranks.start(work, ranks.Meeting(place=FOLDER / "meeting_point", ranks=1))
"""


def ignore_interrupts() -> None:
    """Do what a shell does for what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.timeout(120)
def test_a_rank_ends_when_its_call_is_killed(tmp_path: Path) -> None:
    (tmp_path / "call.py").write_text(_CALL)
    call = subprocess.Popen(
        [sys.executable, tmp_path / "call.py"],
        cwd=Path(__file__).parents[3],
        env={"PYTHONPATH": ":".join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=ignore_interrupts,
    )
    assert call.stdout is not None
    with call.stdout:
        assert call.stdout.readline() == "at work\n"
        call.kill()
        call.wait()
        with (tmp_path / "held").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # waits as long as the rank lives
        assert call.stdout.read() == ""
