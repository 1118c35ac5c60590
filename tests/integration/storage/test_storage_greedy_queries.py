"""Queries that want 10 GB: each fails alone, with what to do, and the process around it hardly grows."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment import ROOT
from thanosql_runtime.errors import Reason

LIMIT_BYTES = 64 << 20
GREEDY = [
    "SELECT length(string_agg(repeat('x', 100000) || r, '')) FROM range(100000) t(r)",
    "SELECT len(list(r)) FROM range(1500000000) t(r)",
    "SELECT count(DISTINCT repeat('x', 100000) || r) FROM range(100000) t(r)",
    "SELECT repeat('x', 100000) || r FROM range(100000) t(r)",
]
_LITERALS = ", ".join("'" + "x" * 2000 + f"' AS a{number}" for number in range(100))
_TEXTS = "(SELECT repeat('x', 100000) || r AS a, r FROM range(100) t(r))"
# Each makes at least 500 MB of few values, which many rows of the answer share.
REPEATING = [
    "SELECT repeat('x', 100000) AS a, repeat('y', 100000) AS b FROM range(4500)",
    f"SELECT '{'x' * 100000}' AS a FROM range(8000)",
    f"SELECT {_LITERALS} FROM range(8000)",
    f"SELECT {', '.join(['a'] * 300)} FROM (SELECT repeat('x', 500) || r AS a FROM range(8000) t(r))",
    "SELECT (SELECT repeat('x', 100000) || max(r) FROM range(3) t(r)) AS a FROM range(8000)",
    "SELECT CASE WHEN r % 2 = 0 THEN repeat('x', 100000) ELSE repeat('y', 100000) END FROM range(8000) t(r)",
    "SELECT repeat('x', 100000)::BLOB AS a FROM range(8000)",
    f"SELECT '{'b' * 100000}'::ENUM('{'b' * 100000}') AS a FROM range(8000)",
    "SELECT range(100000) AS a FROM range(1500)",
    "SELECT [repeat('x', 100000), repeat('y', 100000)] AS a FROM range(4000)",
    "SELECT {'a': repeat('x', 100000)} AS a FROM range(8000)",
    "SELECT [{'a': map([1], [repeat('x', 100000)])}] AS a FROM range(8000)",
    "SELECT union_value(a := repeat('x', 100000)) AS a FROM range(8000)",
    "SELECT repeat('x', 100000) AS a, unnest(range(8000)) AS i FROM range(2)",
    "SELECT max(repeat('x', 100000)) OVER () AS a FROM range(8000)",
    "SELECT list(r) OVER () AS a FROM range(20000) t(r)",
    "SELECT repeat('x', 100000) AS a FROM range(4000) UNION ALL SELECT repeat('y', 100000) FROM range(4000)",
    f"SELECT {', '.join(['a'] * 20)} FROM {_TEXTS}, range(9)",
    f"SELECT * FROM (VALUES ('{'x' * 100000}'), ('{'y' * 100000}')) v(a), range(4000)",
]
# As much, and yet each of its steps is small enough.
LARGE = [f"SELECT a FROM {_TEXTS}, range(60)"]
# What they take, DuckDB counts, or does not; they would run for hours.
GROWING = [
    "SELECT count(DISTINCT repeat('x', 1000) || r) FROM range(1000000000) t(r)",
    "SELECT sum(length(upper(repeat('x', 100000) || r))) FROM range(1000000000) t(r)",
]
# Runs queries one after another, and prints for each how it ended and by how much the process grew.
RUNNER = """
import json, sys, tempfile
from pathlib import Path
from services.storage.core.queries.connections import QueryLimits
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.tables import Tables
from thanosql_runtime.errors import ThanosqlError

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

limit = int(sys.argv[1])
limits = QueryLimits(memory_bytes=limit, spill_bytes=limit, **json.loads(sys.argv[3]))
engine = QueryEngine(Tables(Path(sys.argv[2])), limits)

def run(sql):
    with engine.run(sql) as running:
        return sum(batch.num_rows for batch in running)

run("SELECT 1")
before = peak()
for sql in json.load(sys.stdin):
    try:
        told = str(run(sql))
    except ThanosqlError as problem:
        told = f"{problem.reason.value} {problem.message}"
    print(json.dumps([sql, told, peak() - before, run("SELECT 1")]), flush=True)
"""


def answers(
    queries: list[str], folder: Path, limit_bytes: int = LIMIT_BYTES, **limits: int
) -> Iterator[tuple[str, str, int, int]]:
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "libs", "sdk"))
    ran = subprocess.run(
        [sys.executable, "-c", RUNNER, str(limit_bytes), str(folder), json.dumps(limits)],
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(folder)},
        cwd=ROOT,
        check=True,
    )
    found = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]  # Or a log.
    assert [sql for sql, *_ in found] == queries
    return iter(found)


@pytest.mark.timeout(300)
def test_each_fails_alone_and_the_process_stays_small(tmp_path: Path) -> None:
    for sql, told, grown_bytes, alive in answers(GREEDY, tmp_path):
        assert told.startswith(Reason.QUERY_TOO_LARGE.value), sql
        assert grown_bytes < 4 * LIMIT_BYTES, sql
        assert alive == 1


@pytest.mark.timeout(300)
def test_values_that_many_rows_share_are_not_copied_beyond_the_limit(tmp_path: Path) -> None:
    for sql, told, grown_bytes, alive in answers(REPEATING, tmp_path):
        assert told.startswith(Reason.QUERY_TOO_LARGE.value), sql[:200]
        assert grown_bytes < 2 * LIMIT_BYTES, sql[:200]
        assert alive == 1


@pytest.mark.timeout(300)
def test_an_answer_of_any_size_leaves_in_steps_that_are_small_enough(tmp_path: Path) -> None:
    for sql, told, grown_bytes, _alive in answers(LARGE, tmp_path):
        assert told == "6000", sql
        assert grown_bytes < 2 * LIMIT_BYTES, sql


@pytest.mark.timeout(300)
def test_a_query_is_stopped_when_the_process_grows_too_much(tmp_path: Path) -> None:
    limit_bytes = 2 << 30
    for sql, told, _grown_bytes, alive in answers(GROWING, tmp_path, limit_bytes, growth_bytes=LIMIT_BYTES):
        assert told.startswith(Reason.QUERY_TOO_LARGE.value), sql
        assert "grew by more than 64 MiB" in told, sql
        assert alive == 1
