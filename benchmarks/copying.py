"""COPY of a million csv rows: seconds and peak memory, against DuckDB's own COPY and pandas writing parquet.

    python -m benchmarks.copying --json
    python -m benchmarks.copying --rows 100000 --rounds 1

Each way runs in a process of its own, so that its peak is its own; what the process took before it
began is not counted. All three read the same file, infer its types, and end with the rows on disk. A
ratio is the peer's seconds, or its memory, divided by ours: above 1, ours is faster, or smaller.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROWS = 1_000_000
PEERS = ("DuckDB's COPY", "pandas writing parquet")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one run took."""

    seconds: float
    peak_mib: float


def write_rows(path: Path, rows: int) -> None:
    """Write a call centre's worth of rows, the same at each run."""
    with path.open("w", encoding="utf-8") as file:
        file.write("audio_path,text,speaker,duration_s,day\n")
        for row in range(rows):
            text = f"HELLO LINE BILL THANKS NUMBER {row * 7919 % 1_000_003}"
            file.write(
                f"calls/{row:08}.wav,{text},{row % 200},{row % 3000 / 100 + 0.5},2026-01-{row % 28 + 1:02}\n"
            )


def ours(source: Path, folder: Path) -> None:
    """COPY as the storage service runs it, into Lance."""
    from services.storage.core.copying.command import CopyCommand, CopyRequest
    from services.storage.core.keeping.digests import Digests
    from services.storage.core.keeping.keepers import Keepers
    from services.storage.core.keeping.recordings import KeptRecordings
    from services.storage.core.tables.quarantines import Quarantines
    from services.storage.core.tables.tables import Tables
    from thanosql_objects.directory import LocalDirectory
    from thanosql_objects.workspace import Workspace

    store = LocalDirectory(folder / "objects")
    workspace = Workspace(LocalDirectory(source.parent, read_only=True), store)
    tables = Tables(folder / "tables")
    keepers = Keepers(store, LocalDirectory(folder / "tables"))
    recordings = KeptRecordings(workspace, store, Digests(folder / "recordings.sqlite"), keepers)
    command = CopyCommand(tables, Quarantines(tables), workspace, recordings)
    command.run(CopyRequest(table="calls", source=source.name), lambda _progress: None)


def duckdb_copy(source: Path, folder: Path) -> None:
    """COPY into a database file of DuckDB."""
    import duckdb

    with duckdb.connect(str(folder / "peer.duckdb"), config={"threads": 2}) as connection:
        connection.execute(f"CREATE TABLE calls AS SELECT * FROM read_csv('{source}') LIMIT 0")
        connection.execute(f"COPY calls FROM '{source}'")


def pandas_parquet(source: Path, folder: Path) -> None:
    """Read a frame, write parquet."""
    import pandas as pd

    pd.read_csv(source).to_parquet(folder / "peer.parquet")


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "ours": ours,
    PEERS[0]: duckdb_copy,
    PEERS[1]: pandas_parquet,
}
IMPORTS = {
    "ours": "services.storage.core.copying.command",
    PEERS[0]: "duckdb",
    PEERS[1]: "pandas",
}


def run_alone(way: str, source: Path) -> None:
    """Run one way in this process, and print what it took."""
    __import__(IMPORTS[way])
    with tempfile.TemporaryDirectory() as folder:
        before_mib, begun_s = _peak_mib(), time.perf_counter()
        WAYS[way](source, Path(folder))
        seconds = time.perf_counter() - begun_s
        print(json.dumps({"seconds": seconds, "peak_mib": _peak_mib() - before_mib}))


def measured(way: str, source: Path) -> Measured:
    """Run one way in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.copying", "--alone", way, "--source", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def runs(rows: int, rounds: int) -> dict[str, list[Measured]]:
    """Run every way in turn, as often as there are rounds, on one file."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "calls.csv"
        write_rows(source, rows)
        taken = [{way: measured(way, source) for way in WAYS} for _ in range(rounds)]
    return {way: [each[way] for each in taken] for way in WAYS}


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(runs: dict[str, list[Measured]], rows: int, as_json: bool) -> None:
    """Print the medians, and the ratios of the rounds."""
    medians = {
        way: Measured(
            seconds=statistics.median(run.seconds for run in taken),
            peak_mib=statistics.median(run.peak_mib for run in taken),
        )
        for way, taken in runs.items()
    }
    for way, median in medians.items():
        speed = f"{rows / median.seconds:,.0f} rows/s"
        print(f"{way}: {median.seconds:.2f} s ({speed}), {median.peak_mib:.0f} MiB above its start (medians)")
    ratios = {}
    for peer in PEERS:
        pairs = list(zip(runs[peer], runs["ours"], strict=True))
        ratios[f"seconds, {peer}"] = statistics.median(a.seconds / b.seconds for a, b in pairs)
        ratios[f"memory, {peer}"] = statistics.median(a.peak_mib / b.peak_mib for a, b in pairs)
    for name, ratio in ratios.items():
        print(f"ratio of {name}: {ratio:.2f}")
    if as_json:
        print(json.dumps({name: round(ratio, 3) for name, ratio in ratios.items()}))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one object of named ratios last")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of the file (default 1,000,000)")
    parser.add_argument("--alone", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--source", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        run_alone(options.alone, options.source)
        return
    report(runs(options.rows, options.rounds), options.rows, options.json)


if __name__ == "__main__":
    main()
