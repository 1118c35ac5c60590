"""Compaction and clean-up: what goes, what stays, and that no reader notices."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from services.storage.core.models.holds import ModelHolds
from services.storage.core.models.models import ModelCatalog
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.history import TableHistory
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.maintenance import Keeping, Maintenance, replaced
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import ModelKind, ModelVersion, TableAtVersion, TableVersion
from thanosql_objects.directory import LocalDirectory
from thanosql_runtime.errors import Reason, ThanosqlError

both_homes = pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)
Make = Callable[[str, pa.Table], None]
Maintain = Callable[..., Maintenance]
MANY = 200_000
HOUR_S = 3600.0


def numbers(count: int, first: int = 0) -> pa.Table:
    return pa.table({"n": pa.array(range(first, first + count), pa.int64())})


def versions_of(history: TableHistory, name: str = "t") -> list[int]:
    return [version.version for version in history.page(name).versions]


@pytest.fixture
def history(tables: Tables) -> TableHistory:
    return TableHistory(tables)


@pytest.fixture
def models(tmp_path: Path) -> ModelCatalog:
    store = LocalDirectory(tmp_path / "objects")
    return ModelCatalog(store, ModelHolds(store))


@pytest.fixture
def maintain(tables: Tables, models: ModelCatalog) -> Maintain:
    """Maintenance as it is some hours from now, where versions are kept for one hour."""

    def make(hours: float = 2.0, *, named_by_models: bool = True) -> Maintenance:
        keeping = Keeping(replaced_s=HOUR_S, named_by_models=named_by_models)
        return Maintenance(
            tables, TableHistory(tables), models, keeping, clock=lambda: time.time() + hours * HOUR_S
        )

    return make


def test_an_old_version_that_was_replaced_just_now_stays() -> None:
    moments = [(1, 0.0), (2, 10.0), (4, 5000.0), (5, 9000.0)]
    assert replaced(moments, before_s=5000.0) == {1, 2}
    assert replaced(moments, before_s=9999.0) == {1, 2, 4}
    assert replaced(moments[:1], before_s=9999.0) == set()


@both_homes
def test_versions_replaced_long_ago_go_and_the_newest_stays(
    make: Make, maintain: Maintain, history: TableHistory, tables: Tables
) -> None:
    for _ in range(4):
        make("t", numbers(3))
    assert maintain(0.5).run() == 0
    assert maintain().run() == 3
    assert versions_of(history) == [4]
    assert tables.describe("t").row_count == 3
    with pytest.raises(ThanosqlError, match="version 2 of table 't' was cleaned up; it has: 4"):
        history.restore("t", 2)


@both_homes
def test_a_version_that_a_model_names_stays_unless_settings_say_otherwise(
    make: Make, maintain: Maintain, history: TableHistory, models: ModelCatalog
) -> None:
    for _ in range(3):
        make("t", numbers(3))
    built_from = (TableVersion(table="t", version=2), TableVersion(table="other", version=1))
    models.register(ModelVersion(name="m", version=0, kind=ModelKind.TRAINED, built_from=built_from))
    # An older version of a model counts as well.
    models.register(ModelVersion(name="m", version=0, kind=ModelKind.TRAINED), overwrite=True)
    maintain().run()
    assert versions_of(history) == [3, 2]
    assert history.restore("t", 2).row_count == 3
    maintain(named_by_models=False).run()
    assert versions_of(history) == [4]


@both_homes
def test_a_version_stays_while_a_query_reads_it_and_goes_afterwards(
    make: Make, maintain: Maintain, history: TableHistory, engine: QueryEngine
) -> None:
    make("t", numbers(MANY))
    make("t", numbers(1))
    at = TableAtVersion(relation="__version_1_of_t", table="t", version=1)
    with engine.run("SELECT n FROM __version_1_of_t", (), versions=history.open([at])) as running:
        rows = iter(running)
        read = next(rows).num_rows
        make("t", numbers(2))
        assert maintain().run() == 1
        assert versions_of(history) == [3, 1]
        read += sum(batch.num_rows for batch in rows)
    assert read == MANY
    del running, rows
    assert maintain().run() == 1
    assert versions_of(history) == [3]


def test_the_newest_version_stays_for_its_reader_when_it_is_replaced(
    make: Make, maintain: Maintain, engine: QueryEngine, history: TableHistory
) -> None:
    make("t", numbers(MANY))
    with engine.run("SELECT n FROM t", ("t",)) as running:
        rows = iter(running)
        read = next(rows).num_rows
        make("t", numbers(1))
        assert maintain().run() == 0
        read += sum(batch.num_rows for batch in rows)
    assert read == MANY
    assert versions_of(history) == [2, 1]


def test_readers_of_any_version_see_it_whole_or_not_at_all(
    make: Make, maintain: Maintain, engine: QueryEngine, history: TableHistory
) -> None:
    sizes = {version: 1000 * version for version in range(1, 31)}
    make("t", numbers(sizes[1]))
    ended = []

    def read(seed: int) -> int:
        chosen, seen = random.Random(seed), 0
        while not ended:
            try:
                version = chosen.randint(1, history.moments("t")[-1][0])
                at = TableAtVersion(relation="__old", table="t", version=version)
                with engine.run("SELECT n FROM __old", (), versions=history.open([at])) as running:
                    assert sum(batch.num_rows for batch in running) == sizes[version]
                seen += 1
            except ThanosqlError as problem:
                if problem.reason is not Reason.TABLE_NOT_FOUND:
                    raise
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read, seed) for seed in range(3)]
        try:
            for version in range(2, 31):
                make("t", numbers(sizes[version]))
                maintain().run()
        finally:
            ended.append(True)
        assert sum(reader.result() for reader in readers) > 0
    maintain().run()
    assert versions_of(history) == [30]


def test_small_pieces_become_one_and_rows_and_history_stay(
    tables: Tables, maintain: Maintain, history: TableHistory
) -> None:
    tables.create("t", Rows(numbers(1).schema, numbers(1).to_batches()))
    for first in range(1, 20):
        more = numbers(1, first)
        tables.append("t", Rows(more.schema, more.to_batches()))
    maintain(0.0).run()
    assert len(tables.dataset("t").get_fragments()) == 1
    assert tables.dataset("t").to_table().column("n").to_pylist() == list(range(20))
    assert history.dataset("t", 7).count_rows() == 7
    assert history.page("t").versions[0].operation == "MAINTENANCE"
    maintain(0.0).run()
    assert tables.describe("t").version == history.page("t").versions[0].version


def test_a_table_that_cannot_be_maintained_does_not_stop_the_others(
    make: Make, maintain: Maintain, history: TableHistory, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        make(name, numbers(3))
        make(name, numbers(3))
    manifest = min((tmp_path / "tables" / "a.lance" / "_versions").glob("*.manifest"))
    manifest.write_bytes(b"not a manifest")
    assert maintain().run() == 1
    assert versions_of(history, "b") == [2]


def test_a_table_is_not_made_anew_between_the_choice_of_its_versions_and_their_clean_up(
    make: Make, maintain: Maintain, history: TableHistory, tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        make("t", numbers(1))
    clean, made_anew = tables.clean, threading.Event()

    def make_anew() -> None:
        tables.drop("t")
        for _ in range(3):
            make("t", numbers(2))
        made_anew.set()

    def outrun(name: str, versions: Collection[int]) -> int:
        free = name not in tables.being_written()
        later = pool.submit(make_anew)
        if free:
            later.result()
        return clean(name, versions)

    monkeypatch.setattr(tables, "clean", outrun)
    with ThreadPoolExecutor(1) as pool:
        assert maintain().clean("t") == 2
    assert made_anew.is_set()
    assert versions_of(history) == [3, 2, 1]


def test_who_opens_a_version_that_is_being_cleaned_up_waits_for_the_end_of_that(
    make: Make, tables: Tables, home: TableHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("t", numbers(1))
    opened, opens, open_table = threading.Event(), itertools.count(), home.open

    def counted(folded: str, version: int | None = None) -> Any:
        if folded == "t":
            next(opens)
        dataset = open_table(folded, version)
        opened.set()
        return dataset

    monkeypatch.setattr(home, "open", counted)
    with ThreadPoolExecutor(1) as pool:
        with tables._readers.cleaning("t", {1}):
            reader = pool.submit(tables.dataset, "t")
            opened.wait()
            make("other", numbers(MANY))  # Takes long enough to open the other many times.
        assert reader.result().count_rows() == 1
    assert next(opens) == 2


def test_a_table_with_a_damaged_file_does_not_end_the_round(
    tables: Tables, tmp_path: Path, make: Make, maintain: Maintain, capsys: pytest.CaptureFixture[str]
) -> None:
    make("a", numbers(10))
    for first in range(10, 200, 10):
        rows = numbers(10, first)
        tables.append("a", Rows(rows.schema, rows.to_batches()))
    for file in (tmp_path / "tables" / "a.lance" / "data").iterdir():
        whole = file.read_bytes()
        file.write_bytes(whole[:-40] + bytes(8) + whole[-32:])
    make("b", numbers(10))
    make("b", numbers(20))
    assert maintain().run() == 1
    assert "table_not_maintained" in capsys.readouterr().out
