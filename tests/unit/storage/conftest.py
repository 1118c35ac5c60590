"""Storage's core on temporary directories, without gRPC."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.changing.changes import TableChanges
from services.storage.core.copying.command import CopyCommand
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.homes import TableHome, directory_home
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from tests.fakes.storage_recordings import recordings_at
from tests.s3_servers import new_bucket, s3_server
from thanosql_objects.directory import LocalDirectory
from thanosql_objects.opening import open_place
from thanosql_objects.workspace import Workspace

Select = Callable[..., list[dict[str, object]]]


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture(params=["directory"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> TableHome:
    """Where tables are; modules of tests that are about that name other homes."""
    if request.param == "directory":
        return directory_home(tmp_path / "tables")
    settings = new_bucket(request.getfixturevalue("s3_endpoint"))
    return TableHome(open_place(settings, f"{settings.uri}/tables"))


@pytest.fixture
def tables(home: TableHome) -> Tables:
    return Tables(home)


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
    workspace = Workspace(LocalDirectory(files, read_only=True), LocalDirectory(tmp_path / "objects"))
    return CopyCommand(tables, Quarantines(tables), workspace, recordings_at(tmp_path, workspace))


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
