"""What is left when a process dies, a disk fills or a folder cannot be written."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import IfExists
from tests.fakes.storage_recordings import recordings_at
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError

ROOT = Path(__file__).resolve().parents[3]

# Replaces table `t` with endless rows and says so once rows are flowing into Lance.
ENDLESS_WRITER = """
import sys
from pathlib import Path
import pyarrow as pa
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables

schema = pa.schema([("a", pa.int64())])

def rows():
    number = 0
    while True:
        yield pa.record_batch([pa.array(range(100_000), pa.int64())], schema=schema)
        number += 1
        if number == 30:
            print("writing", flush=True)

tables = Tables(Path(sys.argv[1]))
getattr(tables, sys.argv[2])(sys.argv[3], Rows(schema, rows()))
"""


def kill_while_writing(folder: Path, action: str, table: str) -> None:
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "libs", "sdk"))
    writer = subprocess.Popen(
        [sys.executable, "-c", ENDLESS_WRITER, str(folder), action, table],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        cwd=ROOT,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline().strip() == "writing"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()


@pytest.mark.parametrize("action", ["replace", "append"])
def test_a_killed_writer_leaves_the_old_table_whole(tmp_path: Path, action: str) -> None:
    rows = pa.table({"a": [1, 2, 3]})
    Tables(tmp_path).create("t", Rows(rows.schema, rows.to_batches()))
    kill_while_writing(tmp_path, action, "t")
    tables = Tables(tmp_path)
    assert tables.dataset("t").to_table().to_pydict() == {"a": [1, 2, 3]}
    tables.append("t", Rows(rows.schema, rows.to_batches()))
    assert tables.describe("t").row_count == 6


def test_a_killed_first_writer_leaves_no_table(tmp_path: Path) -> None:
    kill_while_writing(tmp_path, "create", "fresh")
    tables = Tables(tmp_path)
    assert tables.names() == []
    rows = pa.table({"b": ["x"]})
    assert tables.create("fresh", Rows(rows.schema, rows.to_batches())).row_count == 1


def test_a_workspace_that_cannot_be_written_is_enough_for_a_copy(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.csv").write_text("a\n1\n")
    before = sorted(files.rglob("*"))
    files.chmod(0o555)
    try:
        workspace = Workspace(LocalDirectory(files, read_only=True), LocalDirectory(tmp_path / "objects"))
        tables = Tables(tmp_path / "tables")
        command = CopyCommand(tables, Quarantines(tables), workspace, recordings_at(tmp_path, workspace))
        outcome = command.run(CopyRequest(table="t", source="a.csv"), lambda progress: None)
    finally:
        files.chmod(0o755)
    assert outcome.rows_copied == 1
    assert sorted(files.rglob("*")) == before


def test_a_full_disk_leaves_nothing_half_visible(tmp_path: Path) -> None:
    """A file system of 8 MB stands for the full disk, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        tables = Tables(disk / "tables")
        small = pa.table({"a": [1, 2, 3]})
        tables.create("t", Rows(small.schema, small.to_batches()))
        noise = pa.table({"a": pa.array([os.urandom(1 << 20) for _ in range(16)], pa.binary())})
        for write, name in ((tables.replace, "t"), (tables.create, "fresh")):
            with pytest.raises(ThanosqlError) as caught:
                write(name, Rows(noise.schema, noise.to_batches(max_chunksize=1)))
            assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert Tables(disk / "tables").names() == ["t"]
        assert tables.dataset("t").to_table().equals(small)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


async def test_readers_see_whole_tables_while_copies_replace_them(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    for size in (10, 2000):
        (files / f"{size}.csv").write_text("a\n" + "1\n" * size)
    tables = Tables(tmp_path / "tables")
    workspace = Workspace(LocalDirectory(files, read_only=True), LocalDirectory(tmp_path / "o"))
    command = CopyCommand(tables, Quarantines(tables), workspace, recordings_at(tmp_path, workspace))

    def copy(size: int) -> None:
        request = CopyRequest(table="t", source=f"{size}.csv", if_exists=IfExists.REPLACE)
        command.run(request, lambda progress: None)

    copy(10)
    copies = [asyncio.to_thread(copy, size) for size in (2000, 10) * 8]
    counts = [asyncio.to_thread(lambda: tables.dataset("t").to_table().num_rows) for _ in range(40)]
    answers = await asyncio.gather(*counts, *copies)
    assert set(answers[:40]) <= {10, 2000}
