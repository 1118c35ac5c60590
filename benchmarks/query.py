"""SQL over a table of 200 000 rows, through the client and the gateway, against DuckDB on parquet in process.

    python -m benchmarks.query --json

The ratio is DuckDB's time divided by ours: 1 would mean that four services and a socket cost nothing.
"""

import random
import tempfile
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.reporting import arguments, in_turn, report, timed
from thanosql import LocalServer, ThanoSQL

ROWS = 200_000
QUERIES = {
    "limit": "SELECT * FROM calls LIMIT 10",
    "point": "SELECT * FROM calls WHERE audio_path = 'calls/00123456.wav'",
    "filter": "SELECT audio_path, duration_s FROM calls WHERE duration_s > 29.9",
    "group_by": "SELECT speaker, count(*) AS n, avg(duration_s) AS mean_s FROM calls GROUP BY speaker",
}


def table() -> pd.DataFrame:
    """A call centre's worth of rows, the same at each run."""
    chance = random.Random(7)
    return pd.DataFrame(
        {
            "audio_path": [f"calls/{row:08}.wav" for row in range(ROWS)],
            "text": [
                " ".join(chance.choices(("HELLO", "LINE", "BILL", "THANKS"), k=12)) for _ in range(ROWS)
            ],
            "speaker": [chance.randrange(200) for _ in range(ROWS)],
            "duration_s": [chance.uniform(0.5, 30) for _ in range(ROWS)],
        }
    )


def collected(peer: duckdb.DuckDBPyConnection, sql: str) -> object:
    """The peer's rows as Arrow, which is what our client holds too."""
    return peer.sql(sql).to_arrow_table()


def main() -> None:
    """Run from the command line."""
    options = arguments(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "calls.parquet"
        table().to_parquet(path)
        peer = duckdb.connect()
        peer.execute(f"CREATE VIEW calls AS SELECT * FROM '{path}'")
        with LocalServer(workspace=folder) as server, ThanoSQL(server.address, token=server.token) as db:
            db.execute("COPY calls FROM 'calls.parquet'")
            contests = [
                in_turn(
                    name,
                    "DuckDB on parquet",
                    timed(partial(db.execute, sql)),
                    timed(partial(collected, peer, sql)),
                    options.rounds,
                )
                for name, sql in QUERIES.items()
            ]
    report(contests, {}, options.json)


if __name__ == "__main__":
    main()
