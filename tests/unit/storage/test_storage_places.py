"""Where tables are: what the settings say, or beside the objects, and never silently elsewhere."""

from pathlib import Path

import pyarrow as pa
import pytest

from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.placing import places
from services.storage.settings import StorageSettings
from tests.s3_servers import ignoring_conditions, new_bucket, s3_server
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError

LOCAL = ObjectSettings(uri="/srv/objects")
BUCKET = ObjectSettings(uri="s3://speech", endpoint="127.0.0.1:1")


@pytest.mark.parametrize(
    ("tables", "objects", "expected"),
    [
        ("", LOCAL, ("/srv/home/tables", "/srv/home/snapshots")),
        ("/data/tables", LOCAL, ("/data/tables", "/srv/home/snapshots")),
        ("", BUCKET, ("s3://speech/tables", "s3://speech/tables/snapshots")),
        ("/data/tables", BUCKET, ("/data/tables", "/srv/home/snapshots")),
        ("s3://other/team/a/", BUCKET, ("s3://other/team/a", "s3://other/team/a/snapshots")),
        ("s3://other", BUCKET, ("s3://other", "s3://other/snapshots")),
        ("s3://speech/team", BUCKET, ("s3://speech/team", "s3://speech/team/snapshots")),
    ],
)
def test_one_setting_chooses(tables: str, objects: ObjectSettings, expected: tuple[str, str]) -> None:
    chosen = places(StorageSettings(tables=tables), objects, Path("/srv/home"))
    assert (chosen.tables.uri, chosen.snapshots.uri) == expected


@pytest.mark.parametrize(("tables", "objects"), [("s3://bucket/tables", LOCAL), ("s3://", BUCKET)])
def test_a_bucket_needs_a_name_and_a_server(tables: str, objects: ObjectSettings) -> None:
    with pytest.raises(ThanosqlError, match="THANOSQL_OBJECTS__ENDPOINT") as caught:
        places(StorageSettings(tables=tables), objects, Path("/srv/home"))
    assert caught.value.reason is Reason.INVALID_ARGUMENT


@pytest.mark.parametrize("tables", ["s3://speech", "s3://speech/", "s3://speech//"])
def test_tables_are_not_among_the_files_of_users(tables: str) -> None:
    with pytest.raises(ThanosqlError, match="s3://speech/tables") as caught:
        places(StorageSettings(tables=tables), BUCKET, Path("/srv/home"))
    assert caught.value.reason is Reason.INVALID_ARGUMENT


def test_tables_of_an_earlier_release_are_not_left_behind(tmp_path: Path) -> None:
    rows = pa.table({"a": [1]})
    Tables(tmp_path / "tables").create("t", Rows(rows.schema, rows.to_batches()))
    with pytest.raises(ThanosqlError) as caught:
        places(StorageSettings(), BUCKET, tmp_path).check()
    assert caught.value.reason is Reason.INVALID_ARGUMENT
    assert f"THANOSQL_STORAGE__TABLES={tmp_path / 'tables'}" in caught.value.message
    places(StorageSettings(tables=str(tmp_path / "tables")), BUCKET, tmp_path).check()


def test_a_server_that_would_lose_commits_stops_the_start_only_where_it_keeps_tables(tmp_path: Path) -> None:
    with s3_server(ignoring_conditions) as endpoint:
        objects = new_bucket(endpoint)
        with pytest.raises(ThanosqlError, match="If-None-Match"):
            places(StorageSettings(), objects, tmp_path).check()
        places(StorageSettings(tables=str(tmp_path / "tables")), objects, tmp_path).check()
