"""SEARCH KEYWORD over 100 000 transcripts: through the index, and by reading every row, in the same run.

    python -m benchmarks.keyword_search --json

Both are asked of the same server through the client. `SELECT * FROM (SELECT * FROM spoken) AS s` has the rows
of the table and is no plain read of it, so that its rows are read. The ratio is the time of reading divided
by that of the index; both answers are compared, row by row.
"""

import itertools
import random
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.reporting import arguments, in_turn, report, timed
from thanosql import LocalServer, ThanoSQL

ROWS = 100_000
WORDS = 20_000
READING = "SELECT * FROM (SELECT * FROM spoken) AS s"
INPUTS = {
    "rare_word": "w01000",
    "three_words": "w00001 w00100 w05000",
    "frequent_words": "w00000 w00001",
    "phrase": '"w00000 w00001"',
    "misspelled": "w010x0",
}
_BUILDING_S = 120.0


def table(rows: int = ROWS) -> pd.DataFrame:
    """Transcripts of 5 to 20 words, few of them frequent and most rare; the same at each run."""
    chance = random.Random(7)
    words = [f"w{number:05}" for number in range(WORDS)]
    weights = list(itertools.accumulate(1 / (number + 5) for number in range(WORDS)))
    texts = [
        " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(5, 20))) for _ in range(rows)
    ]
    return pd.DataFrame({"audio_path": [f"calls/{row:08}.wav" for row in range(rows)], "text": texts})


def statement(search_input: str, query: str) -> str:
    """The ten best rows of a query."""
    return f"SEARCH KEYWORD OPTIONS(search_input='{search_input}', top_k=10) AS {query}"


def wait_for_index(home: Path) -> None:
    """The first search asks for the index; its facts are written last."""
    end_s = time.monotonic() + _BUILDING_S
    while not list(home.glob("**/keyword_indexes/*/*/[0-9a-f]*/facts.json")):
        if time.monotonic() > end_s:
            raise TimeoutError(f"no index after {_BUILDING_S:.0f} s")
        time.sleep(0.1)


def main() -> None:
    """Run from the command line."""
    options = arguments(__doc__ or "")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        workspace = Path(folder) / "workspace"
        workspace.mkdir()
        table().to_parquet(workspace / "spoken.parquet")
        with (
            LocalServer(workspace=workspace, home=home) as server,
            ThanoSQL(server.address, token=server.token) as client,
        ):
            client.execute("COPY spoken FROM 'spoken.parquet'")
            client.execute(statement("w00000", "SELECT * FROM spoken"))
            wait_for_index(home)
            contests = [
                in_turn(
                    name,
                    "reading every row",
                    timed(partial(client.execute, statement(text, "SELECT * FROM spoken"))),
                    timed(partial(client.execute, statement(text, READING))),
                    options.rounds,
                )
                for name, text in INPUTS.items()
            ]
            same = all(answers_agree(client, text) for text in INPUTS.values())
    times = {f"{contest.name}_ms": 1000 * statistics.median(contest.ours_s) for contest in contests}
    report(contests, {**times, "same_rows": float(same)}, options.json)


def answers_agree(client: ThanoSQL, search_input: str) -> bool:
    """Whether both ways answer the same rows in the same order."""
    through, by_reading = (
        client.execute(statement(search_input, query)).to_pandas()["audio_path"].tolist()
        for query in ("SELECT * FROM spoken", READING)
    )
    return bool(through == by_reading)


if __name__ == "__main__":
    main()
