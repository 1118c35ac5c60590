"""Queries that want 10 GB: each fails alone, with what to do, and the process around it hardly grows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment import ROOT
from thanosql_runtime.errors import Reason

LIMIT_BYTES = 64 << 20
GREEDY = [
    "SELECT length(string_agg(repeat('x', 1000000) || r, '')) FROM range(10000) t(r)",
    "SELECT len(list(r)) FROM range(1500000000) t(r)",
    "SELECT count(DISTINCT repeat('x', 100000) || r) FROM range(100000) t(r)",
    "SELECT repeat('x', 1000000) || r FROM range(10000) t(r)",
]
# Runs queries one after another, and prints for each how it ended and by how much the process grew.
RUNNER = """
import json, sys, tempfile
from pathlib import Path
from services.storage.core.connections import QueryLimits
from services.storage.core.queries import QueryEngine
from services.storage.core.tables import Tables
from thanosql_runtime.errors import ThanosqlError

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

limit = int(sys.argv[1])
engine = QueryEngine(Tables(Path(sys.argv[2])), QueryLimits(memory_bytes=limit, spill_bytes=limit))

def run(sql):
    with engine.run(sql) as running:
        return sum(batch.num_rows for batch in running)

run("SELECT 1")
before = peak()
for sql in json.loads(sys.argv[3]):
    try:
        told = str(run(sql))
    except ThanosqlError as problem:
        told = problem.reason.value
    print(json.dumps([sql, told, peak() - before, run("SELECT 1")]), flush=True)
"""


@pytest.mark.timeout(300)
def test_each_fails_alone_and_the_process_stays_small(tmp_path: Path) -> None:
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "libs", "sdk"))
    ran = subprocess.run(
        [sys.executable, "-c", RUNNER, str(LIMIT_BYTES), str(tmp_path), json.dumps(GREEDY)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path)},
        cwd=ROOT,
        check=True,
    )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [sql for sql, *_ in answers] == GREEDY
    for sql, told, grown_bytes, alive in answers:
        assert told == Reason.QUERY_TOO_LARGE.value, sql
        assert grown_bytes < 4 * LIMIT_BYTES, sql
        assert alive == 1
