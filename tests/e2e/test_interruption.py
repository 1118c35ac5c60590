"""Interrupted work: by the user at the client, and by the operator at the server."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deployment import ROOT, one_process
from thanosql import Progress, ThanoSQL, ThanoSQLError

EXAMPLES = ROOT / "examples"
COPY = "COPY t OPTIONS(overwrite=True) FROM 'tutorial_data/librispeech_data/librispeech_train.csv'"
BUILD = "BUILD MODEL slow USING Wav2Vec2En OPTIONS (epochs=50, batch_size=4) AS SELECT * FROM t"


def read_until(process: subprocess.Popen[bytes], start: bytes) -> bytes:
    """What it says on its error output, up to the line that begins so; raises where it ends without one."""
    assert process.stderr is not None
    said = b""
    for line in process.stderr:
        said += line
        if line.startswith(start):
            return said
    raise AssertionError(f"it ended with {process.wait()} and without {start!r}:\n{said.decode()}")


@pytest.mark.timeout(300)
def test_ctrl_c_in_the_terminal_cancels_the_training(tmp_path: Path) -> None:
    environment = {"THANOSQL_OBJECTS__WORKSPACE": str(EXAMPLES)}
    with (
        one_process(tmp_path / "home", environment) as running,
        ThanoSQL(running.address, token=running.token) as db,
    ):
        db.execute(COPY)
        command = [sys.executable, "-m", "thanosql", "sql", BUILD]
        client = {"THANOSQL_ADDRESS": running.address, "THANOSQL_API_TOKEN": running.token}
        # Unbuffered: what was not read line by line is left for `communicate`.
        with (
            subprocess.Popen(
                command, env={**os.environ, **client}, stderr=subprocess.PIPE, bufsize=0
            ) as typed,
            ExitStack() as at_last,
        ):
            at_last.callback(typed.kill)
            said = read_until(typed, b"training:")
            typed.send_signal(signal.SIGINT)
            said += typed.communicate(timeout=120)[1]
        assert (typed.returncode, said.decode().splitlines()[-1]) == (
            130,
            "interrupted; the work was cancelled",
        ), said.decode()
        (job,) = db.jobs()
        states = [job.state, *(seen.state for seen in db.watch_job(job.job_id))]
        assert states[-1].upper() == "CANCELLED"
        with pytest.raises(ThanoSQLError, match="slow"):
            db.execute("DESCRIBE MODEL slow")


@pytest.mark.timeout(300)
def test_a_server_told_to_stop_does_not_wait_for_a_training(tmp_path: Path) -> None:
    environment = {"THANOSQL_OBJECTS__WORKSPACE": str(EXAMPLES), "THANOSQL_SERVER__GRACE_S": "250"}
    training = threading.Event()
    failures: list[ThanoSQLError] = []

    def build(db: ThanoSQL) -> None:
        try:
            db.execute(BUILD, on_event=note)
        except ThanoSQLError as failure:
            failures.append(failure)
        finally:
            training.set()

    def note(event: object) -> None:
        if isinstance(event, Progress) and event.stage == "training":
            training.set()

    with (
        one_process(tmp_path / "home", environment) as running,
        ThanoSQL(running.address, token=running.token) as db,
    ):
        db.execute(COPY)
        building = threading.Thread(target=build, args=(db,))
        building.start()
        assert training.wait(timeout=120)
        assert failures == []
        running.programs["all"].process.send_signal(signal.SIGTERM)
        assert running.programs["all"].process.wait(timeout=120) == 0
        building.join(timeout=60)
    assert len(failures) == 1
