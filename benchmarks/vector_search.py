"""SEARCH AUDIO over 100 000 embeddings: through the index, and by comparing every row, in the same run.

    python -m benchmarks.vector_search --json

Both are asked of the same server through the client; the recording is a third of a second, whose embedding is
part of both times. `SELECT * FROM (SELECT * FROM heard) AS s` has the rows of the table and is no plain read
of it, so that its rows are compared one by one. The ratio is the time of that divided by that of the index.
`recall` is the share of the hundred nearest, as numpy finds them in memory, that the index answers.
"""

import statistics
import tempfile
import time
import wave
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.reporting import arguments, in_turn, report, timed
from thanosql import LocalServer, ThanoSQL

ROWS = 100_000
PLAIN = "SELECT * FROM heard"
READING = "SELECT * FROM (SELECT * FROM heard) AS s"
USING = "USING tutorial_audio_recognition"
BEST = (10, 100, 1000)
_BUILDING_S = 120.0
_RATE_HZ = 16_000

Vectors = npt.NDArray[np.float32]


def write_recording(path: Path) -> None:
    """A third of a second of a sound that rises."""
    time_s = np.arange(_RATE_HZ // 3) / _RATE_HZ
    samples = (8000 * np.sin(2 * np.pi * (200 + 900 * time_s) * time_s)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE_HZ)
        file.writeframes(samples.tobytes())


def vectors_near(center: Vectors, rows: int = ROWS) -> Vectors:
    """Embeddings as alike as those of speech, the same at each run."""
    noise = np.random.default_rng(7).normal(size=(rows, len(center)))
    near = center + noise * np.random.default_rng(8).uniform(0.02, 0.08, size=(rows, 1))
    vectors: Vectors = (near / np.linalg.norm(near, axis=1, keepdims=True)).astype(np.float32)
    return vectors


def statement(query: str, top_k: int) -> str:
    """The best rows of a query."""
    return f"SEARCH AUDIO {USING} OPTIONS(search_input='sound.wav', top_k={top_k}) AS {query}"


def wait_for_index(home: Path) -> None:
    """The first search asks for the index; its facts are written last."""
    end_s = time.monotonic() + _BUILDING_S
    while not list(home.glob("**/vector_indexes/*/*/[0-9a-f]*/facts.json")):
        if time.monotonic() > end_s:
            raise TimeoutError(f"no index after {_BUILDING_S:.0f} s")
        time.sleep(0.1)


def fill(client: ThanoSQL, workspace: Path) -> tuple[Vectors, Vectors]:
    """Make the table; answers its embeddings, and that of the recording."""
    write_recording(workspace / "sound.wav")
    converted = client.execute(f"CONVERT {USING} AS SELECT 'sound.wav' AS audio_path")
    center = np.array(converted.rows[0]["convert_result"], np.float32)
    vectors = vectors_near(center)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), len(center))
    paths = [f"calls/{row:08}.wav" for row in range(ROWS)]
    pq.write_table(pa.table({"audio_path": paths, "convert_result": column}), workspace / "heard.parquet")
    client.execute("COPY heard FROM 'heard.parquet'")
    return vectors, center


def recall(client: ThanoSQL, vectors: Vectors, center: Vectors) -> float:
    """The share of the hundred nearest that the index answers."""
    nearest = set(np.argsort(-(vectors.astype(np.float64) @ center), kind="stable")[:100].tolist())
    answered = client.execute(statement(PLAIN, 100)).rows
    return len(nearest & {int(row["audio_path"][6:14]) for row in answered}) / len(nearest)


def main() -> None:
    """Run from the command line."""
    options = arguments(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        home, workspace = Path(folder) / "home", Path(folder) / "workspace"
        workspace.mkdir()
        with (
            LocalServer(workspace=workspace, home=home) as server,
            ThanoSQL(server.address, token=server.token) as client,
        ):
            vectors, center = fill(client, workspace)
            client.execute(statement(PLAIN, 1))
            wait_for_index(home)
            contests = [
                in_turn(
                    f"best_{top_k}",
                    "comparing every row",
                    timed(partial(client.execute, statement(PLAIN, top_k))),
                    timed(partial(client.execute, statement(READING, top_k))),
                    options.rounds,
                )
                for top_k in BEST
            ]
            found = recall(client, vectors, center)
    times = {f"{contest.name}_ms": 1000 * statistics.median(contest.ours_s) for contest in contests}
    report(contests, {**times, "recall": found}, options.json)


if __name__ == "__main__":
    main()
