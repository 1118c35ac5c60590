"""Start the whole system in one process, run the tutorial through the public client, print every result.

    python scripts/demo.py
    python scripts/demo.py --workspace ../recordings --dataset librispeech_data

The dataset is a folder of the workspace with librispeech_train.csv and librispeech_test.csv.
The server, its tables and its models are gone at the end; `make serve` starts one that stays.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.syntax import Syntax

from thanosql import LocalServer, Result, ThanoSQL, ThanoSQLError
from thanosql.cli.output import write_result
from thanosql.cli.running import run_text

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = "tutorial_data/librispeech_data"
ROWS_SHOWN = 6


def statements(dataset: str) -> Iterator[str]:
    """The tutorial's statements as they are written, about the tables of `dataset`."""
    text = (ROOT / "examples" / "tutorial.sql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    for statement in "\n".join(lines).split(";"):
        if statement.strip():
            yield statement.strip().replace(SHIPPED, dataset)


def show_result(console: Console, result: Result) -> None:
    """Print the head of the table, what was played, and what the statement said of itself."""
    write_result(result.head(ROWS_SHOWN), "table")
    left = len(result) - ROWS_SHOWN
    if left > 0:
        console.print(f"[dim]and {left} more rows[/dim]")
    console.print(f"[dim]{result.elapsed_s:.1f} s[/dim]\n")


def tutorial(console: Console, db: ThanoSQL, dataset: str) -> list[Result]:
    """Print and run every statement."""
    results = []
    for statement in statements(dataset):
        console.print(Rule(style="dim"))
        console.print(Syntax(statement, "sql", background_color="default", word_wrap=True))
        results.extend(run_text(db, statement))
        show_result(console, results[-1])
    return results


def conclusion(results: list[Result], elapsed_s: float) -> str:
    """One sentence: what fine-tuning did, on recordings that it has not heard."""
    before, after = (result.scores.wer for result in results if result.scores is not None)
    return (
        f"word error rate on the test table: {before:.1%} before fine-tuning, {after:.1%} after; "
        f"the tutorial took {elapsed_s:.0f} s"
    )


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=ROOT / "examples", help="folder of recordings")
    parser.add_argument("--dataset", default=SHIPPED, help="folder of the two tables in the workspace")
    options = parser.parse_args()
    console = Console(highlight=False)
    console.print("starting gateway, parser, storage, trainer and predictor in one process ...")
    try:
        with LocalServer(workspace=options.workspace) as server, server.client() as db:
            console.print(f"the system answers at {server.address}\n")
            begun_s = time.monotonic()
            results = tutorial(console, db, options.dataset)
            console.print(Rule(style="dim"))
            console.print(conclusion(results, time.monotonic() - begun_s), style="bold")
    except ThanoSQLError as failure:
        print(failure.drawn(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
