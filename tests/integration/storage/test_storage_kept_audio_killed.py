"""kill -9 in the middle of a COPY that takes recordings into keeping."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.tables import Tables
from services.storage.core.types import IfExists
from tests.deployment import ROOT
from tests.fakes.storage_recordings import recordings_at
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.unfinished import IncomingFiles
from thanosql_objects.workspace import Workspace

RECORDINGS = 20
# Stops for ever when recordings have been read, and one is about to be put in its place.
HALTING = """
import sys, threading
from pathlib import Path
from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.tables import Tables
from services.storage.core.types import IfExists
from tests.fakes.storage_recordings import recordings_at
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace

root = Path(sys.argv[1])

class Halting(LocalDirectory):
    taken = 0

    def take(self, key, path, sha256):
        self.taken += 1
        if self.taken > 5:
            print("taking", flush=True)
            threading.Event().wait()
        return super().take(key, path, sha256)

store = Halting(root / "objects")
workspace, tables = Workspace(LocalDirectory(root / "files"), store), Tables(root / "tables")
copying = CopyCommand(tables, Quarantines(tables), workspace, recordings_at(root, workspace, store))
request = CopyRequest(table="t", source="calls", store_audio=True, if_exists=IfExists.REPLACE)
copying.run(request, lambda _: None)
"""


def copied(root: Path, source: str) -> None:
    store = LocalDirectory(root / "objects")
    workspace, tables = Workspace(LocalDirectory(root / "files"), store), Tables(root / "tables")
    copying = CopyCommand(tables, Quarantines(tables), workspace, recordings_at(root, workspace, store))
    request = CopyRequest(table="t", source=source, store_audio=True, if_exists=IfExists.REPLACE)
    copying.run(request, lambda _: None)


def kill_in_the_middle(root: Path) -> None:
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "libs", "sdk"))
    process = subprocess.Popen(
        [sys.executable, "-c", HALTING, str(root)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "taking\n"
    process.kill()
    process.wait()


def test_the_old_table_is_whole_and_what_is_kept_is_whole(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    for folder, count in (("before", 1), ("calls", RECORDINGS)):
        (tmp_path / "files" / folder).mkdir(parents=True)
        for number in range(count):
            path = tmp_path / "files" / folder / f"{number:02}.wav"
            soundfile.write(path, noise.uniform(-1, 1, 8000), 16000)
    copied(tmp_path, "before")
    kill_in_the_middle(tmp_path)
    rows = Tables(tmp_path / "tables").dataset("t").to_table().to_pylist()
    assert [row["source_path"] for row in rows] == ["before/00.wav"]
    for path in (tmp_path / "objects" / "audio").rglob("*.wav"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    assert list(IncomingFiles(tmp_path / "objects").find())
    copied(tmp_path, "calls")
    assert Tables(tmp_path / "tables").dataset("t").count_rows() == RECORDINGS
    assert len(list((tmp_path / "objects" / "audio").rglob("*.wav"))) == RECORDINGS + 1
