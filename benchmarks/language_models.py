"""What a language model gives, and what it costs: EVALUATE with no search, with one, and with words.

    python -m benchmarks.language_models --shared ../shared/data --rows 60

Through the client, on the dev rows of `librispeech_opus.csv`; the language model is made of the texts of its
train rows, other speakers. The peer is the same statement without a search, so that a ratio below 1 is the
price of searching by the clock, on a machine with processors to spare for the processes that search.
"""

import tempfile
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.reporting import in_turn, parser_of, report, timed
from scripts.make_language_model import KneserNey
from thanosql import LocalServer, ThanoSQL

TABLE = "librispeech_opus.csv"
MODEL = "uploads/train.arpa"
MANNERS = {
    "search": "beam_width=64",
    "search_with_words": f"language_model='{MODEL}'",
}


def evaluate(client: ThanoSQL, manner: str, rows: int) -> float:
    """The word error rate of the rows."""
    options = f"OPTIONS({manner}) " if manner else ""
    query = f"SELECT * FROM speech WHERE split = 'dev' LIMIT {rows}"
    answer = client.execute(f"EVALUATE USING tutorial_audio_recognition {options}AS {query}")
    return float(answer.to_pandas()["wer"][0])


def words_of(shared: Path, goal: Path) -> Path:
    """A language model of the texts that people of the train rows read."""
    table = pd.read_csv(shared / TABLE)
    texts = table[table["split"] == "train"]["text"]
    model = KneserNey((text.split() for text in texts), order=3)
    goal.write_text("\n".join(model.lines()) + "\n", encoding="utf-8")
    return goal


def main() -> None:
    """Run from the command line."""
    parser = parser_of(__doc__ or "")
    parser.add_argument(
        "--shared", type=Path, default=Path("../shared/data"), help="folder of the recordings"
    )
    parser.add_argument("--rows", type=int, default=60, help="rows to evaluate (default 60)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        words = words_of(options.shared, Path(folder) / Path(MODEL).name)
        with (
            LocalServer(workspace=options.shared, home=Path(folder) / "home") as server,
            ThanoSQL(server.address, token=server.token) as client,
        ):
            client.upload(words, MODEL)
            client.execute(f"COPY speech FROM '{TABLE}'")
            run = partial(evaluate, client, rows=options.rows)
            contests = [
                in_turn(
                    name, "no search", timed(partial(run, manner)), timed(partial(run, "")), options.rounds
                )
                for name, manner in MANNERS.items()
            ]
            rates = {f"{name}_wer": run(manner) for name, manner in {"no_search": "", **MANNERS}.items()}
    report(contests, rates, options.json)


if __name__ == "__main__":
    main()
