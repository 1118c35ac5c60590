"""kill -9 in the middle of compaction and clean-up: no row is lost, and the next round ends the work."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.history import TableHistory
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from tests.deployment import ROOT

# Does the work of a round of maintenance on table `t`.
WORKER = """
import sys
from pathlib import Path
from services.storage.core.tables.tables import Tables

tables, newest = Tables(Path(sys.argv[1])), int(sys.argv[3])
tables.names()
print("begun", flush=True)
if sys.argv[2] == "compact":
    tables.compact("t")
else:
    tables.clean("t", range(1, newest))
"""
PIECES = 40


def piece(number: int) -> pa.Table:
    numbers = range(number * 1000, (number + 1) * 1000)
    return pa.table({"n": numbers, "noise": [os.urandom(1000) for _ in numbers]})


def rows(table: pa.Table) -> Rows:
    return Rows(table.schema, table.to_batches())


def killed(root: Path, work: str, newest: int, is_time: Callable[[], bool]) -> None:
    """Let another process work, and kill it at the right time."""
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "libs", "sdk"))
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(root), work, str(newest)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "begun"
    while not is_time():
        assert process.poll() is None, "it had ended before the kill"
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_killed_compaction_loses_no_row_and_the_next_one_ends_it(tmp_path: Path) -> None:
    tables = Tables(tmp_path)
    tables.create("t", rows(piece(0)))
    for number in range(1, PIECES):
        tables.append("t", rows(piece(number)))
    before = tables.dataset("t").to_table()
    data = tmp_path / "t.lance" / "data"
    files = len(os.listdir(data))
    killed(tmp_path, "compact", 0, lambda: len(os.listdir(data)) > files)
    tables = Tables(tmp_path)
    assert tables.dataset("t").to_table().equals(before)
    assert TableHistory(tables).dataset("t", 7).count_rows() == 7000
    tables.append("t", rows(piece(PIECES)))
    tables.compact("t")
    dataset = tables.dataset("t")
    assert dataset.count_rows() == (PIECES + 1) * 1000
    assert len(dataset.get_fragments()) < 16


@pytest.mark.parametrize("folder", ["data", "_versions"])
def test_a_killed_clean_up_takes_no_row_of_the_newest_and_the_next_one_ends_it(
    tmp_path: Path, folder: str
) -> None:
    tables = Tables(tmp_path)
    for number in range(PIECES):
        tables.replace("t", rows(piece(number)))
    newest, watched = tables.dataset("t").to_table(), tmp_path / "t.lance" / folder
    files = len(os.listdir(watched))
    killed(tmp_path, "clean", PIECES, lambda: len(os.listdir(watched)) < files)
    tables = Tables(tmp_path)
    assert tables.dataset("t").to_table().equals(newest)
    with QueryEngine(tables).run("SELECT count(*) AS n FROM t", ("t",)) as running:
        assert [batch.to_pylist() for batch in running] == [[{"n": 1000}]]
    listed = [number for number, _ in TableHistory(tables).moments("t")]
    tables.clean("t", set(listed) - {PIECES})
    assert [number for number, _ in TableHistory(tables).moments("t")] == [PIECES]
    tables.append("t", rows(piece(PIECES)))
    assert tables.describe("t").row_count == 2000
