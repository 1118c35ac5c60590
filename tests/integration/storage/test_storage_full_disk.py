"""A disk that is full: old tables stay whole, the reason is exact, and all goes on once there is space."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from services.storage.core.changing.assigning import Assignment
from services.storage.core.changing.changes import TableChanges
from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.spooling import Spool
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import IfExists
from tests.fakes.storage_recordings import recordings_at
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace
from thanosql_runtime.errors import Reason, ThanosqlError

SMALL = pa.table({"n": [1, 2, 3], "text": ["a", "b", "c"]})
# More than is left on the disk while it is full, and less than it has altogether.
LARGE = pa.table({"n": range(200), "text": [os.urandom(5000).hex() for _ in range(200)]})
PIECES = 20
NOISE = "text || (SELECT string_agg(md5(i::VARCHAR), '') FROM range(30000) r(i))"


def rows(table: pa.Table) -> Rows:
    return Rows(table.schema, table.to_batches())


def spooled(table: pa.Table) -> int:
    with Spool(table.schema) as spool:
        for batch in table.to_batches():
            spool.write(batch)
        spool.finish()
        return sum(batch.num_rows for batch in spool.batches())


class Disk:
    """A file system of 24 MB, with the tables and objects of a server."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = root.parent / "files"
        self.files.mkdir()
        self.tables = Tables(root / "tables")
        self.objects = LocalDirectory(root / "objects")

    @contextmanager
    def full(self) -> Iterator[None]:
        filler = self.root / "filler"
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 65536)
        # A little is left: enough to begin, too little to end.
        os.truncate(filler, filler.stat().st_size - 64 * 1024)
        try:
            yield
        finally:
            filler.unlink()

    def insert(self) -> None:
        self.tables.append("t", rows(LARGE))

    def update(self) -> None:
        changes = TableChanges(self.tables, QueryEngine(self.tables))
        changes.update("t", [Assignment(column="text", expression=NOISE)])

    def copy(self) -> None:
        lines = [f"{n},{text}" for n, text in zip(LARGE["n"], LARGE["text"], strict=True)]
        (self.files / "t.csv").write_text("\n".join(["n,text", *lines]))
        workspace = Workspace(LocalDirectory(self.files), self.objects)
        recordings = recordings_at(self.files.parent, workspace, self.objects)
        command = CopyCommand(self.tables, Quarantines(self.tables), workspace, recordings)
        command.run(CopyRequest(table="t", source="t.csv", if_exists=IfExists.REPLACE), lambda _: None)

    def store_audio(self) -> None:
        noise = np.random.default_rng(0).uniform(-1, 1, 1 << 19)
        (self.files / "calls").mkdir(exist_ok=True)
        soundfile.write(self.files / "calls" / "a.wav", noise, 16000)
        workspace = Workspace(LocalDirectory(self.files), self.objects)
        recordings = recordings_at(self.files.parent, workspace, self.objects)
        command = CopyCommand(self.tables, Quarantines(self.tables), workspace, recordings)
        request = CopyRequest(table="t", source="calls", if_exists=IfExists.REPLACE, store_audio=True)
        command.run(request, lambda _: None)

    def upload(self) -> None:
        self.objects.write("uploads/a.wav", [os.urandom(1 << 20)])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    root = tmp_path / "disk"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(root)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)


@pytest.mark.parametrize("change", [Disk.insert, Disk.update, Disk.copy, Disk.store_audio])
def test_a_change_leaves_the_old_table_and_works_when_there_is_space(
    disk: Disk, change: Callable[[Disk], None]
) -> None:
    disk.tables.create("t", rows(SMALL))
    with disk.full():
        with pytest.raises(ThanosqlError) as caught:
            change(disk)
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert "No space left" in caught.value.message
        assert "nothing was changed" in caught.value.message
        assert disk.tables.dataset("t").to_table().equals(SMALL)
        assert Tables(disk.root / "tables").names() == ["t"]
    change(disk)
    assert disk.tables.describe("t").version == 2


def test_an_upload_leaves_the_old_file_and_nothing_half(disk: Disk) -> None:
    disk.objects.write("uploads/a.wav", [b"old"])
    with disk.full():
        with pytest.raises(ThanosqlError) as caught:
            disk.upload()
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert "No space left" in caught.value.message
        assert disk.objects.read("uploads/a.wav") == b"old"
        assert list((disk.root / "objects" / ".incoming").iterdir()) == []
    disk.upload()
    assert disk.objects.stat("uploads/a.wav").size_bytes == 1 << 20


def test_a_compaction_leaves_the_table_and_is_made_when_there_is_space(disk: Disk) -> None:
    part = LARGE.slice(0, 20)
    disk.tables.create("t", rows(part))
    for _ in range(PIECES - 1):
        disk.tables.append("t", rows(part))
    with disk.full():
        with pytest.raises(ThanosqlError) as caught:
            disk.tables.compact("t")
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert "No space left" in caught.value.message
        dataset = disk.tables.dataset("t")
        assert (dataset.count_rows(), len(dataset.get_fragments())) == (20 * PIECES, PIECES)
    disk.tables.compact("t")
    dataset = disk.tables.dataset("t")
    assert (dataset.to_table().num_rows, len(dataset.get_fragments())) == (20 * PIECES, 1)


def test_temporary_storage_that_is_full_is_named(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(disk.root))
    with disk.full():
        with pytest.raises(ThanosqlError) as caught:
            spooled(LARGE)
        assert caught.value.reason is Reason.STORE_UNAVAILABLE
        assert "temporary storage failed" in caught.value.message
        assert list(disk.root.glob("thanosql-scratch-*")) == []
    assert spooled(LARGE) == LARGE.num_rows
