"""Storage at work: COPY, queries, searches, files and commits, each against a peer of the same run.

    python -m benchmarks.storage                           everything, at full size: about ten minutes
    python -m benchmarks.storage queries search --json     some of it
    python -m benchmarks.storage queries --rows 100000     a smaller one

The service runs in a process of its own and is asked over a socket; the peers run without one. A ratio is the
peer's seconds divided by ours: above 1, ours is faster. Behind it stands the bar, where there is one: a least
ratio, or the most that an answer may take.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import storage_objects, storage_queries, storage_searches, storage_writes
from benchmarks.reporting import Contest, parser_of, report

ROWS = 1_000_000
TRANSCRIPTS = 100_000
MIB = 256
COMMITS = 25


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one part has measured."""

    contests: list[Contest]
    more: Mapping[str, float] = field(default_factory=dict)


def copy(options: argparse.Namespace, _folder: Path) -> Outcome:
    """COPY of a csv, against DuckDB's and pandas."""
    contests = storage_writes.copies(options.rows, options.rounds)
    return Outcome(contests=contests, more={"copy_rows_per_s": options.rows / _median_s(contests[0])})


def queries(options: argparse.Namespace, folder: Path) -> Outcome:
    """Queries, against DuckDB on parquet."""
    contests = storage_queries.queries(folder, options.rows, options.rounds)
    return Outcome(contests=contests, more=_milliseconds(contests))


def search(options: argparse.Namespace, folder: Path) -> Outcome:
    """Searches for words and for embeddings, against comparing every row."""
    contests, recall = storage_searches.searches(folder, options.transcripts, options.rounds)
    return Outcome(contests=contests, more={**_milliseconds(contests), "least_recall_at_10": recall})


def objects(options: argparse.Namespace, folder: Path) -> Outcome:
    """Files up and down, against plain copies and MinIO's client."""
    size_bytes = options.mib << 20
    contests = storage_objects.in_directory(folder / "directory", size_bytes, options.rounds)
    with storage_objects.bucket() as settings:
        if settings is None:
            print("no bucket: Debian's packages radosgw, ceph-mon and ceph-osd are not installed")
        else:
            contests += storage_objects.in_bucket(folder / "bucket", settings, size_bytes, options.rounds)
    return Outcome(
        contests=contests,
        more={f"{contest.name}_mib_per_s": options.mib / _median_s(contest) for contest in contests},
    )


def commits(options: argparse.Namespace, folder: Path) -> Outcome:
    """Commits of eight writers, against Lance without a service."""
    contest = storage_writes.commits(folder, options.commits, options.rounds)
    per_s = storage_writes.WRITERS * options.commits / _median_s(contest)
    return Outcome(contests=[contest], more={"commits_per_s": per_s})


PARTS: Mapping[str, Callable[[argparse.Namespace, Path], Outcome]] = {
    "copy": copy,
    "queries": queries,
    "search": search,
    "objects": objects,
    "commits": commits,
}


def _median_s(contest: Contest) -> float:
    return statistics.median(contest.ours_s)


def _milliseconds(contests: list[Contest]) -> dict[str, float]:
    return {f"{contest.name}_ms": 1000 * _median_s(contest) for contest in contests}


def _options() -> argparse.Namespace:
    parser = parser_of(__doc__ or "")
    names = ", ".join(PARTS)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of: {names} (default: all)")
    parser.add_argument("--rows", type=int, default=ROWS, help=f"rows of a table (default {ROWS:,})")
    parser.add_argument(
        "--transcripts", type=int, default=TRANSCRIPTS, help=f"rows searched (default {TRANSCRIPTS:,})"
    )
    parser.add_argument("--mib", type=int, default=MIB, help=f"MiB of a file (default {MIB})")
    parser.add_argument("--commits", type=int, default=COMMITS, help=f"of each writer (default {COMMITS})")
    options = parser.parse_args()
    unknown = [part for part in options.parts if part not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are {names}")
    return options


def main() -> None:
    """Run from the command line."""
    options = _options()
    contests: list[Contest] = []
    more: dict[str, float] = {}
    for name in options.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="thanosql-bench-") as folder:
            outcome = PARTS[name](options, Path(folder))
        contests += outcome.contests
        more |= outcome.more
    report(contests, more, options.json)


if __name__ == "__main__":
    main()
