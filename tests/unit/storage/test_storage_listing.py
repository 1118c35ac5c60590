"""LIST TABLE: what it says of each table, and how often it asks a bucket for that."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.listing import TableListing
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from tests.s3_servers import Application, new_bucket, s3_server
from thanosql_objects.opening import open_place

ROWS = pa.table({"a": [1, 2, 3]})


class Counting:
    """Stands in front of a server and counts what it is asked for."""

    def __init__(self) -> None:
        self.requests = 0

    def __call__(self, application: Application) -> Application:
        def answer(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            self.requests += 1
            return application(environment, start)

        return answer

    def during(self, step: Callable[[], object]) -> int:
        before = self.requests
        step()
        return self.requests - before


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def counted_home(counting: Counting) -> Iterator[TableHome]:
    with s3_server(counting) as endpoint:
        settings = new_bucket(endpoint)
        yield TableHome(open_place(settings, f"{settings.uri}/tables"))


def listing_of(tables: Tables) -> TableListing:
    return TableListing(tables, Quarantines(tables))


def add(tables: Tables, name: str) -> None:
    tables.create(name, Rows(ROWS.schema, ROWS.to_batches()))


def test_a_table_more_costs_a_listing_no_more_requests_than_opening_it(
    counted_home: TableHome, counting: Counting
) -> None:
    tables = Tables(counted_home)
    add(tables, "a")
    opening = counting.during(lambda: tables.dataset("a"))
    one = counting.during(lambda: listing_of(tables).page())
    for name in ("b", "c", "d"):
        add(tables, name)
    four = counting.during(lambda: listing_of(tables).page())
    assert (four - one) / 3 == opening
    assert one - opening == 1


def test_a_listing_shows_what_other_processes_have_just_changed(counted_home: TableHome) -> None:
    ours, theirs = Tables(counted_home), Tables(counted_home)
    listing = listing_of(ours)
    add(theirs, "t")
    assert [(table.name, table.version, table.row_count) for table in listing.page().tables] == [("t", 1, 3)]
    theirs.append("t", Rows(ROWS.schema, ROWS.to_batches()))
    assert [(table.version, table.row_count) for table in listing.page().tables] == [(2, 6)]
    theirs.drop("t")
    assert listing.page().tables == ()


@pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)
def test_a_listing_leaves_out_what_a_writer_left_that_died_before_its_first_commit(
    tables: Tables, home: TableHome
) -> None:
    home.store.write("half.lance/data/rows.lance", [b"half"])
    add(tables, "whole")
    assert [table.name for table in listing_of(tables).page().tables] == ["whole"]


@pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)
def test_a_quarantine_whose_table_is_gone_has_an_entry_of_its_own(
    copying: CopyCommand, files: Path, tables: Tables, home: TableHome
) -> None:
    (files / "t.csv").write_text("a,b\n1,2\nbad\n")
    copying.run(CopyRequest(table="t", source="t.csv"), lambda _: None)
    assert [(table.name, table.quarantine) for table in listing_of(tables).page().tables] == [
        ("t", "t_quarantine")
    ]
    tables.drop("t")
    home.store.write("t.lance/data/rows.lance", [b"half"])
    assert [table.name for table in listing_of(tables).page().tables] == ["t_quarantine"]


def test_the_time_of_the_last_change_is_right_whatever_lies_beside_the_versions(
    tables: Tables, home: TableHome
) -> None:
    before_s = time.time()
    add(tables, "t")
    for number in range(1001):
        home.store.write(f"t.lance/_versions/.left{number:04}", [b""])
    after_s = time.time()
    assert before_s <= tables.describe("t").update_time_s <= after_s
