"""kill -9 in the middle of a COPY: the table and its quarantine are as they were, whole."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.homes import directory_home
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.tables import Tables
from services.storage.core.types import IfExists
from tests.deployment import ROOT, Program
from tests.fakes.storage_client import StorageClient
from tests.fakes.storage_recordings import recordings_at
from thanosql.v1 import parser_pb2, storage_pb2, storage_pb2_grpc
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace
from thanosql_runtime.testing import PEER_TOKEN, peer_channel

OLD = "a,b\n1,2\nold\n"
NEW = "a,b\n" + "3,4\n" * 100_000 + "new\n"

# Copies, and stops for ever while it writes the table, or when it begins to write the quarantine.
HALTING_COPY = """
import sys, threading
from pathlib import Path
from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.homes import directory_home
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.tables import Tables
from services.storage.core.types import IfExists
from tests.fakes.storage_recordings import recordings_at
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace

root, if_exists, committed = Path(sys.argv[1]), IfExists(sys.argv[2]), sys.argv[3] == "True"
tables = Tables(directory_home(root / "tables"))

def stop():
    print("writing", flush=True)
    threading.Event().wait()

def halt(_progress):
    if tables.left_out.waiting("t_quarantine") and not committed:
        stop()

def batches(_left_out):
    stop()

tables.left_out.batches = batches

workspace = Workspace(LocalDirectory(root / "files"), LocalDirectory(root / "objects"))
copying = CopyCommand(tables, Quarantines(tables), workspace, recordings_at(root, workspace))
copying.run(CopyRequest(table="t", source="new.csv", if_exists=if_exists), halt)
"""


def write_files(folder: Path) -> None:
    folder.mkdir()
    (folder / "old.csv").write_text(OLD)
    (folder / "new.csv").write_text(NEW)


def copied(root: Path, source: str, if_exists: IfExists = IfExists.FAIL) -> None:
    workspace = Workspace(LocalDirectory(root / "files"), LocalDirectory(root / "objects"))
    request = CopyRequest(table="t", source=source, if_exists=if_exists)
    tables = Tables(directory_home(root / "tables"))
    copying = CopyCommand(tables, Quarantines(tables), workspace, recordings_at(root, workspace))
    copying.run(request, lambda _: None)


def kill_between_the_commits(root: Path, if_exists: IfExists, *, committed: bool = False) -> None:
    paths = os.pathsep.join(str(ROOT / part) for part in (".", "libs", "sdk"))
    process = subprocess.Popen(
        [sys.executable, "-c", HALTING_COPY, str(root), if_exists.value, str(committed)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "writing"
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("if_exists", [IfExists.REPLACE, IfExists.APPEND])
def test_both_tables_are_as_they_were(tmp_path: Path, if_exists: IfExists) -> None:
    write_files(tmp_path / "files")
    copied(tmp_path, "old.csv")
    kill_between_the_commits(tmp_path, if_exists)
    tables = Tables(directory_home(tmp_path / "tables"))
    assert Quarantines(tables).recover() == []
    assert tables.dataset("t").to_table().to_pydict() == {"a": [1], "b": [2]}
    assert tables.dataset("t_quarantine").to_table()["raw"].to_pylist() == ["old"]
    copied(tmp_path, "new.csv", if_exists)
    rows = 100_000 + (if_exists is IfExists.APPEND)
    assert Tables(directory_home(tmp_path / "tables")).describe("t").row_count == rows


@pytest.mark.parametrize(
    ("if_exists", "kept"), [(IfExists.REPLACE, ["new"]), (IfExists.APPEND, ["old", "new"])]
)
def test_both_tables_are_as_the_copy_made_them(tmp_path: Path, if_exists: IfExists, kept: list[str]) -> None:
    write_files(tmp_path / "files")
    copied(tmp_path, "old.csv")
    kill_between_the_commits(tmp_path, if_exists, committed=True)
    tables = Tables(directory_home(tmp_path / "tables"))
    assert Quarantines(tables).recover() == ["t"]
    assert tables.describe("t").row_count == 100_000 + (if_exists is IfExists.APPEND)
    assert tables.dataset("t_quarantine").to_table()["raw"].to_pylist() == kept


def test_there_is_no_table_where_there_was_none(tmp_path: Path) -> None:
    write_files(tmp_path / "files")
    kill_between_the_commits(tmp_path, IfExists.FAIL)
    tables = Tables(directory_home(tmp_path / "tables"))
    Quarantines(tables).recover()
    assert tables.names() == []


@asynccontextmanager
async def storage(home: Path, files: Path) -> AsyncIterator[tuple[Program, StorageClient]]:
    environment = {
        "THANOSQL_SERVER__PEER_TOKEN": PEER_TOKEN,
        "THANOSQL_OBJECTS__WORKSPACE": str(files),
        "THANOSQL_OBJECTS__URI": str(home / "objects"),
    }
    program = Program("storage", home, environment)
    try:
        address = program.wait_for("listening on")
        program.wait_for("ready")
        async with peer_channel(address) as channel:
            yield program, StorageClient(storage_pb2_grpc.StorageServiceStub(channel))
    finally:
        program.process.kill()
        program.process.wait()


@pytest.mark.parametrize("if_exists", [parser_pb2.IF_EXISTS_REPLACE, parser_pb2.IF_EXISTS_APPEND])
async def test_a_killed_server_comes_back_with_both_tables(tmp_path: Path, if_exists: int) -> None:
    write_files(tmp_path / "files")
    async with storage(tmp_path / "home", tmp_path / "files") as (program, client):
        await client.copy("t", "old.csv")
        request = storage_pb2.CopyTableRequest(table="t", source="new.csv")
        request.if_exists = if_exists  # type: ignore[assignment]
        call = client.stub.CopyTable(request)
        assert (await anext(aiter(call))).WhichOneof("part") == "progress"
        program.process.kill()
        with pytest.raises(grpc.aio.AioRpcError):
            assert not [part async for part in call if part.HasField("result")], "it was over before the kill"
    async with storage(tmp_path / "home", tmp_path / "files") as (_, client):
        assert (await client.query("SELECT * FROM t", "t")).to_pydict() == {"a": [1], "b": [2]}
        kept = await client.query("SELECT raw FROM t_quarantine", "t_quarantine")
        assert kept.to_pydict() == {"raw": ["old"]}
        result = await client.copy("t", "new.csv", if_exists)
        assert (result.rows_copied, result.quarantine) == (100_000, "t_quarantine")
