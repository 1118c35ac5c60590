"""DROP TABLE while the store goes away: what is said of the table is so."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from tests.s3_servers import GoneAtCommit, new_bucket, s3_server
from thanosql_objects.opening import directory_place, open_place
from thanosql_objects.ports import ObjectInfo
from thanosql_runtime.errors import Reason, ThanosqlError, error

ROWS = pa.table({"i": [1]})


class GoingStore:
    """A store that goes away at one of the removals that are asked of it.

    Attributes:
        left: How many removals happen before that one; None for all of them.
        keeps: Whether that one happens too.
        returns: Whether the store is back at once.
    """

    def __init__(self, store: Any) -> None:
        self.left: int | None = None
        self.keeps = self.returns = self.is_away = False
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def walk(self, prefix: str) -> Iterator[ObjectInfo]:
        self._require_there()
        return iter(list(self._store.walk(prefix)))

    def delete(self, key: str) -> None:
        self._require_there()
        goes, self.left = self.left == 0, None if self.left is None else self.left - 1
        if not goes or self.keeps:
            self._store.delete(key)
        self.is_away = goes and not self.returns
        if goes:
            raise error(Reason.STORE_UNAVAILABLE, "it went away")

    def _require_there(self) -> None:
        if self.is_away:
            raise error(Reason.STORE_UNAVAILABLE, "it is away")


@pytest.fixture
def store(tmp_path: Path) -> GoingStore:
    return GoingStore(directory_place(tmp_path / "tables").store)


@pytest.fixture
def dropped(store: GoingStore, tmp_path: Path) -> Tables:
    """Where a table `t` of three versions is."""
    tables = Tables(TableHome(replace(directory_place(tmp_path / "tables"), store=store)))
    tables.create("t", Rows(ROWS.schema, ROWS.to_batches()))
    for _ in range(2):
        tables.replace("t", Rows(ROWS.schema, ROWS.to_batches()))
    return tables


def failure(tables: Tables) -> ThanosqlError:
    with pytest.raises(ThanosqlError) as caught:
        Quarantines(tables).drop("t")
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    return caught.value


def test_a_bucket_that_is_away_leaves_the_table_as_it_was() -> None:
    server = GoneAtCommit(keeps=False)
    with s3_server(server) as endpoint:
        settings = new_bucket(endpoint).model_copy(update={"timeout_s": 1.0})
        tables = Tables(TableHome(open_place(settings, f"{settings.uri}/tables")))
        tables.create("t", Rows(ROWS.schema, ROWS.to_batches()))
        server.gone = True
        failed = failure(tables)
        assert "the table was not dropped: " in failed.message
        assert "table 't' is still there, and nothing was changed" in failed.message
        server.gone = False
        assert tables.describe("t").row_count == 1


def test_a_store_that_is_away_leaves_the_table_as_it_was(store: GoingStore, dropped: Tables) -> None:
    store.is_away = True
    failed = failure(dropped)
    assert (
        "the table was not dropped: it is away; table 't' is still there, and nothing was changed"
        in failed.message
    )
    store.is_away = False
    assert dropped.describe("t").version == 3


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize(("removals", "told"), [(0, "the oldest version"), (1, "the 2 oldest versions")])
def test_a_store_that_goes_before_the_newest_version_leaves_a_table_that_can_be_dropped(
    store: GoingStore, dropped: Tables, removals: int, told: str, keeps: bool
) -> None:
    store.left, store.keeps = removals, keeps
    failed = failure(dropped)
    assert f"is still there with its newest rows, but {told} of it may be gone" in failed.message
    store.is_away = False
    assert dropped.describe("t").row_count == 1
    assert Quarantines(dropped).drop("t")
    assert not dropped.exists("t")


@pytest.mark.parametrize("keeps", [True, False])
def test_of_a_store_that_goes_at_the_newest_version_nobody_knows(
    store: GoingStore, dropped: Tables, keeps: bool
) -> None:
    store.left, store.keeps = 2, keeps
    failed = failure(dropped)
    assert failed.metadata == {"outcome": "unknown"}
    assert "whether it is gone is not known" in failed.message
    assert "run DROP TABLE IF EXISTS t" in failed.message
    store.is_away = False
    assert dropped.exists("t") is not keeps


def test_a_removal_whose_answer_is_lost_has_happened(store: GoingStore, dropped: Tables) -> None:
    store.left, store.keeps, store.returns = 2, True, True
    assert Quarantines(dropped).drop("t")
    assert not dropped.exists("t")


def test_a_removal_that_did_not_happen_is_told(store: GoingStore, dropped: Tables) -> None:
    store.left, store.returns = 2, True
    assert "is still there with its newest rows" in failure(dropped).message
    assert dropped.describe("t").row_count == 1


def test_a_table_is_dropped_though_the_store_goes_before_its_files(
    store: GoingStore, dropped: Tables
) -> None:
    store.left = 3
    assert Quarantines(dropped).drop("t")
    store.is_away = False
    assert not dropped.exists("t")
    dropped.create("t", Rows(ROWS.schema, ROWS.to_batches()))
    assert dropped.describe("t").version == 1
