"""kill -9 in the midst of CREATE TABLE AS PREDICT: run again, it computes what is missing."""

import asyncio
import sqlite3
import wave
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.deployment import Program
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint
from tests.fakes.predictor_storage import babble, wav
from thanosql import Result, ThanoSQL, ThanoSQLError
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc
from thanosql_runtime.testing import PEER_TOKEN, peer_channel

MODEL = "tutorial_audio_recognition"
SHORT, LONG = 20, 6
LONG_S, LONG_RATE_HZ = 1800, 1000


def write_long(path: Path, seed: int) -> None:
    """Half an hour of noise in two megabytes: what is still at work when the others are kept."""
    samples = np.random.default_rng(seed).integers(0, 256, LONG_S * LONG_RATE_HZ, dtype=np.uint8)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(LONG_RATE_HZ)
        file.writeframes(samples.tobytes())


def write_table(folder: Path, name: str, paths: list[str]) -> None:
    rows = "\n".join(f"{path},{number}" for number, path in enumerate(paths))
    (folder / f"{name}.csv").write_text(f"audio_path,number\n{rows}\n")


def write_recordings(folder: Path, name: str, count: int) -> list[str]:
    """Short recordings, each of its own, and a table of them."""
    paths = [f"{name}{number:02}.wav" for number in range(count)]
    for number, path in enumerate(paths):
        (folder / path).write_bytes(wav(babble(1.0, seed=count * 100 + number)))
    write_table(folder, name, paths)
    return paths


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    paths = write_recordings(folder, "short", SHORT)
    longs = [f"long{number}.wav" for number in range(LONG)]
    for number, path in enumerate(longs):
        write_long(folder / path, number)
    write_table(folder, "calls", [*paths, *longs])
    return folder


@pytest.fixture
def environment(workspace: Path, tmp_path: Path) -> dict[str, str]:
    return {
        "THANOSQL_OBJECTS__WORKSPACE": str(workspace),
        "THANOSQL_STORAGE__BUNDLED_CHECKPOINT": str(write_tiny_checkpoint(tmp_path / "base")),
        "THANOSQL_SERVER__PEER_TOKEN": PEER_TOKEN,
        # One after another, so that the long ones are at work long after the short ones.
        "THANOSQL_PREDICTOR__ENGINE": "torch",
        "THANOSQL_PREDICTOR__DECODE_WORKERS": "1",
        "THANOSQL_PREDICTOR__ROWS_IN_FLIGHT": "2",
        "THANOSQL_PREDICTOR__THREADS": "1",
    }


@dataclass(kw_only=True)
class Server:
    """Everything in one process; it may be killed and started again."""

    home: Path
    environment: dict[str, str]
    token: str = ""

    def start(self) -> None:
        self.program = Program("all", self.home, self.environment)
        self.address = self.program.wait_for("listening on")
        # Told once, at the first start.
        self.token = self.token or self.program.wait_for("token:")
        self.program.wait_for("ready")

    def kill(self) -> None:
        self.program.process.kill()
        self.program.process.wait(timeout=60)

    def run(self, statement: str) -> Result | ThanoSQLError:
        with ThanoSQL(self.address, token=self.token) as db:
            try:
                return db.execute(statement)
            except ThanoSQLError as failure:
                return failure

    def answer(self, statement: str) -> Result:
        result = self.run(statement)
        assert isinstance(result, Result), result
        return result

    def computed(self) -> int:
        """Recordings that this process has computed."""

        async def ask() -> int:
            async with peer_channel(self.address) as channel:
                stub = predictor_pb2_grpc.PredictorServiceStub(channel)
                response = await stub.GetStatistics(predictor_pb2.GetStatisticsRequest())
                return sum(model.rows_succeeded for model in response.models)

        return asyncio.run(ask())

    def kept(self) -> int:
        """Transcripts that a kill leaves, as the file says."""
        path = self.home / "storage" / "transcripts.sqlite"
        if not path.exists():
            return 0
        with closing(sqlite3.connect(path, timeout=30)) as database:
            try:
                return int(database.execute("SELECT count(*) FROM transcripts").fetchone()[0])
            except sqlite3.OperationalError:  # it is being made
                return 0


@contextmanager
def started(home: Path, environment: dict[str, str]) -> Iterator[Server]:
    home.parent.mkdir()
    server = Server(home=home, environment=environment)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def kill_once_something_is_kept(server: Server, statement: "Future[Result | ThanoSQLError]") -> None:
    while not server.kept():
        assert not statement.done(), statement.result()
    server.kill()
    assert isinstance(statement.result(), ThanoSQLError)


@pytest.mark.timeout(600)
def test_a_killed_prediction_is_run_again_and_computes_what_is_missing(
    workspace: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    create = f"CREATE TABLE heard AS PREDICT USING {MODEL} AS SELECT * FROM calls"
    with started(tmp_path / "server" / "home", environment) as server, ThreadPoolExecutor(2) as threads:
        server.answer("COPY calls FROM 'calls.csv'")
        kill_once_something_is_kept(server, threads.submit(server.run, create))
        survived = server.kept()
        assert 0 < survived < SHORT + LONG
        server.start()
        assert [row["name"] for row in server.answer("LIST TABLE").rows] == ["calls"]

        again = server.answer(create)
        assert server.computed() == SHORT + LONG - survived
        assert (again.rows_changed, again.rows_reused) == (SHORT + LONG, survived)
        rows = server.answer("SELECT * FROM heard").rows
        assert [row["number"] for row in rows] == list(range(SHORT + LONG))
        assert all(row["error"] is None for row in rows)

        short = "SELECT * FROM calls WHERE audio_path LIKE 'short%'"
        anew = server.answer(f"PREDICT USING {MODEL} OPTIONS(reuse=False) AS {short}")
        assert [row["predicted"] for row in anew.rows] == [row["predicted"] for row in rows[:SHORT]]

        before = server.computed()
        (workspace / "short03.wav").write_bytes(wav(babble(1.0, seed=1000)))
        changed = server.answer(f"PREDICT USING {MODEL} AS {short}")
        assert (server.computed() - before, changed.rows_reused) == (1, SHORT - 1)

        before = server.computed()
        write_recordings(workspace, "fresh", 40)
        server.answer("COPY fresh FROM 'fresh.csv'")
        tables = [f"CREATE TABLE {name} AS PREDICT USING {MODEL} AS SELECT * FROM fresh" for name in "ab"]
        assert [result.rows_changed for result in threads.map(server.answer, tables)] == [40, 40]
        assert server.computed() - before == 40
        both = "SELECT count(*) AS same FROM a JOIN b USING (audio_path, number, predicted)"
        assert server.answer(both).rows == [{"same": 40}]

        only_new = "OPTIONS(only_new=True)"
        steps = server.answer(
            f"EXPLAIN INSERT INTO a PREDICT USING {MODEL} {only_new} AS SELECT * FROM fresh"
        )
        assert "leave out those whose recording stands in column 'audio_path' of table 'a'" in str(steps.rows)
        steps = server.answer(f"EXPLAIN PREDICT USING {MODEL} {only_new} AS SELECT * FROM fresh")
        assert "leave out those of which this version had made a transcript before" in str(steps.rows)
