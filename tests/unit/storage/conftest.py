"""Storage's core on temporary directories, without gRPC."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.changes import TableChanges
from services.storage.core.copying.command import CopyCommand
from services.storage.core.queries import QueryEngine
from services.storage.core.rows import Rows
from services.storage.core.tables import Tables
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.workspace import Workspace

Select = Callable[..., list[dict[str, object]]]


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path / "tables")


@pytest.fixture
def engine(tables: Tables) -> QueryEngine:
    return QueryEngine(tables)


@pytest.fixture
def changes(tables: Tables, engine: QueryEngine) -> TableChanges:
    return TableChanges(tables, engine)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


@pytest.fixture
def copying(tables: Tables, files: Path, tmp_path: Path) -> CopyCommand:
    store = LocalDirectory(tmp_path / "objects")
    return CopyCommand(tables, Workspace(LocalDirectory(files, read_only=True), store))


@pytest.fixture
def select(engine: QueryEngine, tables: Tables) -> Select:
    """Run a query over every table and collect its rows."""

    def run(sql: str) -> list[dict[str, object]]:
        with engine.run(sql, tuple(tables.names())) as running:
            return [row for batch in running for row in batch.to_pylist()]

    return run


@pytest.fixture
def make(tables: Tables) -> Callable[[str, pa.Table], None]:
    """Make or replace a table."""

    def write(name: str, rows: pa.Table) -> None:
        tables.replace(name, Rows(rows.schema, rows.to_batches()))

    return write
