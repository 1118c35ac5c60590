"""Extracts answer what the tables answer, keep up with them, and stay within their bounds."""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from services.storage.core.changing.changes import TableChanges
from services.storage.core.extracts import making
from services.storage.core.extracts.extract_files import Extract, write_extract
from services.storage.core.extracts.extracts import Extracts
from services.storage.core.extracts.shelf import Shelf
from services.storage.core.queries import databases
from services.storage.core.queries.connections import QueryLimits, open_connection
from services.storage.core.queries.databases import Databases
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.history import TableHistory
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import OpenVersion, TableAtVersion
from thanosql_runtime.errors import Reason, ThanosqlError

Make = Callable[[str, pa.Table], None]

LIMITS = QueryLimits(threads=2)
DAY_US = 86_400_000_000
ALL = "SELECT * FROM calls"
QUERIES = [
    ALL,
    "SELECT * FROM calls WHERE id = 7",
    "SELECT * FROM calls WHERE text = 'LINE 7' LIMIT 3",
    "SELECT id, ratio FROM calls WHERE ratio > 0.5",
    "SELECT id FROM calls WHERE ratio < 0.0 OR ratio >= 1e9",
    "SELECT count(*) AS n FROM calls",
    "SELECT count(*), count(*) AS n FROM calls AS c",
    "SELECT count(text) AS n, count(DISTINCT text) AS d FROM calls",
    "SELECT id % 5 AS k, count(*) AS n, sum(id) AS s FROM calls GROUP BY k ORDER BY k",
    "SELECT id FROM calls WHERE heard > TIMESTAMP '1970-01-03 00:00:00'",
    "SELECT id FROM calls WHERE parts.k = 3 AND len(list) = 1",
    'SELECT c."ODD ""name" FROM calls c ORDER BY id DESC LIMIT 5',
    "SELECT a.id FROM calls a JOIN Calls b ON a.id = b.id + 1 WHERE b.id < 5 ORDER BY 1",
    "SELECT * FROM calls LIMIT 4 OFFSET 2",
    "WITH calls2 AS (SELECT id FROM calls) SELECT max(id) AS m FROM calls2",
    "SELECT id FROM calls WHERE id IN (SELECT max(id) FROM calls)",
    "SELECT typeof(price), typeof(zoned), typeof(list), typeof(parts) FROM calls LIMIT 1",
]


def rows(count: int = 60, first: int = 0) -> pa.Table:
    """Rows of every type that an extract holds, with what is easily lost."""
    ids = range(first, first + count)
    ratios = [float("nan"), -0.0, float("inf"), 1e308, None, *np.linspace(-1, 1, count - 5)]
    columns = {
        "id": pa.array(ids, pa.int64()),
        "text": pa.array([None if n % 11 == 10 else f"LINE {n}" for n in ids]),
        'odd "name': pa.array([f"{n}\0 '한국어'" for n in ids], pa.large_string()),
        "ratio": pa.array(ratios, pa.float64()),
        "small": pa.array(ratios, pa.float32()),
        "tiny": pa.array([n % 250 for n in ids], pa.uint8()),
        "big": pa.array([2**64 - 1 - n for n in ids], pa.uint64()),
        "flag": pa.array([None if n % 3 == 2 else n % 3 == 1 for n in ids]),
        "price": pa.array([Decimal(n) / 100 for n in ids], pa.decimal128(20, 2)),
        "bytes": pa.array([bytes([n % 256, 0]) for n in ids], pa.binary()),
        "day": pa.array([n - 3 for n in ids], pa.date32()),
        "heard": pa.array([n * DAY_US + 1 for n in ids], pa.timestamp("us")),
        "fine": pa.array([n * 1001 for n in ids], pa.timestamp("ns")),
        "zoned": pa.array([n * DAY_US for n in ids], pa.timestamp("us", tz="Asia/Seoul")),
        "clock": pa.array([n * 1000 for n in ids], pa.time64("us")),
        "list": pa.array([[None, "a"] if n % 2 else ["b"] for n in ids], pa.list_(pa.string())),
        "parts": pa.array([{"k": n, "l": [n, None]} if n % 4 else None for n in ids]),
    }
    return pa.table(columns)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=0)


@pytest.fixture
def extracts(shelf: Shelf) -> Iterator[Extracts]:
    made = Extracts(shelf, partial(open_connection, LIMITS), least_rows=20)
    yield made
    made.close()


@pytest.fixture
def quick(tables: Tables, extracts: Extracts) -> Iterator[QueryEngine]:
    """An engine that reads extracts."""
    engine = QueryEngine(tables, LIMITS, extracts=extracts)
    yield engine
    engine.close()


def answer(engine: QueryEngine, sql: str = ALL, **more: object) -> pa.Table:
    with engine.run(sql, ("calls",), **more) as running:  # type: ignore[arg-type]
        schema = running.schema
        return pa.Table.from_batches(list(running), schema)


def files(shelf: Shelf, table: str = "calls") -> list[Path]:
    return sorted(shelf.folder(table).glob("*"))


def read(extracts: Extracts, tables: Tables) -> list[bool]:
    """Which fragments of the table are read from extracts."""
    version = OpenVersion(table="calls", dataset=tables.dataset("calls"))
    return [part.extract is not None for part in extracts.parts(version, is_scan=False)]


def build(quick: QueryEngine, extracts: Extracts, sql: str = ALL) -> None:
    """Ask twice, and wait for what that begins."""
    answer(quick, sql)
    answer(quick, sql)
    extracts.wait()


def same(left: pa.Table, right: pa.Table) -> None:
    assert left.schema.equals(right.schema)
    # NaN, minus zero and the order of rows count.
    assert repr(left.to_pylist()) == repr(right.to_pylist())


@pytest.mark.parametrize("sql", QUERIES)
def test_an_extract_answers_what_its_table_answers(
    engine: QueryEngine, quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make, sql: str
) -> None:
    make("calls", rows())
    build(quick, extracts)
    assert read(extracts, tables) == [True]
    same(answer(quick, sql), answer(engine, sql))


@pytest.mark.parametrize("sql", QUERIES)
def test_fragments_without_an_extract_are_read_beside(
    engine: QueryEngine, quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make, sql: str
) -> None:
    make("calls", rows(10))
    for first, count in ((10, 30), (40, 8), (48, 9), (57, 40)):
        more = rows(count, first)
        tables.append("calls", Rows(more.schema, more.to_batches()))
    build(quick, extracts)
    assert read(extracts, tables) == [False, True, False, False, True]
    same(answer(quick, sql), answer(engine, sql))


def test_a_filter_that_lance_refuses_reaches_it_not(
    engine: QueryEngine, quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make
) -> None:
    make("calls", rows(20_000))
    more = rows(10, 20_000)
    tables.append("calls", Rows(more.schema, more.to_batches()))
    build(quick, extracts)
    assert read(extracts, tables) == [True, False]
    for condition in ("id > 5", "clock >= TIME '00:00:00.010'", "ratio > 0.05", "tiny = 3"):
        sql = f"SELECT * FROM calls WHERE {condition}"
        same(answer(quick, sql), answer(engine, sql))


@pytest.mark.parametrize("home", ["directory", "bucket"], indirect=True)
def test_extracts_keep_up_with_every_change(
    engine: QueryEngine,
    quick: QueryEngine,
    extracts: Extracts,
    tables: Tables,
    changes: TableChanges,
    make: Make,
) -> None:
    make("calls", rows())
    steps: list[Callable[[], object]] = [
        lambda: changes.delete("calls", "id < 5"),
        lambda: tables.append("calls", Rows(rows(30, 100).schema, rows(30, 100).to_batches())),
        lambda: changes.add_column("calls", "more", "VARCHAR"),
        lambda: changes.rename_column("calls", "tiny", "little"),
        lambda: changes.drop_column("calls", "big"),
        lambda: changes.add_column("calls", "big", "DOUBLE"),
        lambda: tables.restore("calls", 2),
        lambda: make("calls", rows(40, 7)),
    ]
    for step in steps:
        build(quick, extracts)
        assert all(read(extracts, tables))
        same(answer(quick), answer(engine))
        step()
        same(answer(quick), answer(engine))


def test_deletions_of_lance_itself_are_left_out(
    engine: QueryEngine, quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make
) -> None:
    make("calls", rows())
    build(quick, extracts)
    with tables.change("calls") as table:
        table.delete("id = 3")
    assert read(extracts, tables) == []
    build(quick, extracts)
    assert read(extracts, tables) == [True]
    same(answer(quick), answer(engine))
    assert answer(quick, "SELECT count(*) AS n FROM calls").to_pylist() == [{"n": 59}]


def test_a_version_is_read_by_its_own_extracts(
    quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make
) -> None:
    make("calls", rows())
    build(quick, extracts)
    make("calls", rows(30, 500))
    build(quick, extracts)
    history = TableHistory(tables)
    old = history.open([TableAtVersion(relation="before", table="calls", version=1)])
    sql = "SELECT (SELECT min(id) FROM before) AS a, (SELECT min(id) FROM calls) AS b"
    assert answer(quick, sql, versions=old).to_pylist() == [{"a": 0, "b": 500}]


def test_a_table_that_is_read_once_gets_none(quick: QueryEngine, extracts: Extracts, make: Make) -> None:
    make("calls", rows())
    answer(quick)
    extracts.wait()
    assert files(extracts.shelf) == []


def test_rows_of_a_limit_and_counts_make_none(quick: QueryEngine, extracts: Extracts, make: Make) -> None:
    make("calls", rows())
    build(quick, extracts, "SELECT * FROM calls LIMIT 5")
    build(quick, extracts, "SELECT count(*) FROM calls")
    assert files(extracts.shelf) == []


def test_small_tables_and_embeddings_have_none(
    engine: QueryEngine, quick: QueryEngine, extracts: Extracts, make: Make
) -> None:
    for table in (
        rows(19),
        rows().append_column("emb", pa.array([[0.5, 1.0]] * 60, pa.list_(pa.float32(), 2))),
    ):
        make("calls", table)
        build(quick, extracts)
        assert files(extracts.shelf) == []
        same(answer(quick), answer(engine))


@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_nan_keeps_its_sign_and_payload(
    quick: QueryEngine, extracts: Extracts, make: Make, kind: str, is_nested: bool
) -> None:
    bits = {"f4": (0xFFC00001, "u4"), "f8": (0xFFF8000000000001, "u8")}[kind]
    odd = pa.array(np.full(5000, bits[0], bits[1]).view(kind))
    plain = pa.array(np.full(5000, np.nan, kind))
    for numbers, count in ((odd, 0), (plain, 1)):
        column = pa.StructArray.from_arrays([numbers], ["x"]) if is_nested else numbers
        make("calls", pa.table({"x": column}))
        build(quick, extracts)
        assert len(files(extracts.shelf)) == count
        got = answer(quick, "SELECT x.x AS x FROM calls" if is_nested else ALL)["x"].to_numpy()
        assert got.view(bits[1]).tolist() == numbers.to_numpy().view(bits[1]).tolist()


def test_a_limit_of_zero_bytes_turns_extracts_off(tmp_path: Path, tables: Tables, make: Make) -> None:
    extracts = Extracts(Shelf(tmp_path / "none", 0), partial(open_connection, LIMITS), least_rows=1)
    make("calls", rows())
    build(QueryEngine(tables, LIMITS, extracts=extracts), extracts)
    assert not list((tmp_path / "none").rglob("*.db"))


def test_an_update_reads_the_table_itself(
    quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make
) -> None:
    make("calls", rows())
    build(quick, extracts)
    spoil(files(extracts.shelf)[0])
    assert TableChanges(tables, quick).update("calls", [], "id = 1") == 1


def spoil(path: Path) -> None:
    """Damage every block but the header, in a file of its own."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:12288] + bytes(255 - byte for byte in content[12288:]))


@pytest.mark.parametrize("damage", [spoil, lambda path: path.write_bytes(b"short"), Path.unlink])
def test_a_damaged_extract_is_removed_and_made_again(
    tmp_path: Path, engine: QueryEngine, tables: Tables, make: Make, damage: Callable[[Path], object]
) -> None:
    now_s = 0.0
    shelf = Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=0)
    extracts = Extracts(shelf, partial(open_connection, LIMITS), 20, lambda: now_s)
    make("calls", rows())
    build(QueryEngine(tables, LIMITS, extracts=extracts), extracts)
    damage(files(shelf)[0])
    fresh = QueryEngine(tables, LIMITS, extracts=extracts)
    with contextlib.suppress(ThanosqlError):  # What says that the next query answers.
        same(answer(fresh), answer(engine))
    same(answer(fresh), answer(engine))
    now_s = 601.0
    build(fresh, extracts)
    assert read(extracts, tables) == [True]
    same(answer(fresh), answer(engine))


def test_damage_that_a_query_meets_is_told_as_such(
    quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make
) -> None:
    make("calls", rows(5000))
    build(quick, extracts)
    path = files(extracts.shelf)[0]
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.seek(12288 + (1 << 18))  # The second block: of rows, not of what is read to open the file.
        file.write(bytes(255 - byte for byte in content[file.tell() : file.tell() + 4096]))
    with pytest.raises(ThanosqlError, match="extract of a table was damaged") as caught:
        answer(QueryEngine(tables, LIMITS, extracts=extracts))
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert files(extracts.shelf) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT error('Corrupt database file: ' || id) FROM calls",
        "SELECT ('IO Error: Could not read enough bytes from file ' || id)::INT FROM calls",
        "SELECT CASE WHEN id = 49999 THEN error('Corrupt database file: ') END FROM calls",
    ],
)
def test_words_of_a_query_are_no_damage(quick: QueryEngine, extracts: Extracts, make: Make, sql: str) -> None:
    make("calls", pa.table({"id": range(50_000)}))
    build(quick, extracts)
    with pytest.raises(ThanosqlError) as caught:
        answer(quick, sql)
    assert "damaged" not in caught.value.message
    assert len(files(extracts.shelf)) == 1


def test_damage_that_is_met_behind_the_first_rows_is_told_as_such(
    quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make
) -> None:
    ids = np.random.default_rng(0).integers(0, 1 << 60, 1_000_000)
    make("calls", pa.table({"id": ids}))
    build(quick, extracts)
    path = files(extracts.shelf)[0]
    with path.open("r+b") as file:
        file.seek(12288 + 20 * (1 << 18) + 500)
        file.write(bytes(64))
    engine = QueryEngine(tables, QueryLimits(threads=1), extracts=extracts)
    with engine.run(ALL, ("calls",)) as running:
        batches = iter(running)
        next(batches)
        with pytest.raises(ThanosqlError, match="extract of a table was damaged"):
            list(batches)
    assert path not in files(extracts.shelf)


def test_an_extract_that_cannot_be_opened_for_now_is_kept(
    engine: QueryEngine,
    tables: Tables,
    quick: QueryEngine,
    extracts: Extracts,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise duckdb.IOException('IO Error: Cannot open file "x": Too many open files')

    make("calls", rows())
    build(quick, extracts)
    with monkeypatch.context() as patch:
        patch.setattr(databases, "attach", refuse)
        fresh = QueryEngine(tables, LIMITS, extracts=extracts)
        same(answer(fresh), answer(engine))
        fresh.close()
    assert len(files(extracts.shelf)) == 1


def test_a_query_goes_on_when_its_extract_is_removed(
    quick: QueryEngine, extracts: Extracts, make: Make
) -> None:
    make("calls", rows(50_000))
    build(quick, extracts)
    with quick.run("SELECT id FROM calls", ("calls",)) as running:
        batches = iter(running)
        count = next(batches).num_rows
        extracts.shelf.forget_others(list)
        assert count + sum(batch.num_rows for batch in batches) == 50_000
    assert answer(quick, "SELECT sum(id) AS s FROM calls").to_pylist() == [{"s": 50_000 * 49_999 // 2}]


def opened(extracts: Extracts, tables: Tables) -> set[Extract]:
    version = OpenVersion(table="calls", dataset=tables.dataset("calls"))
    return {part.extract for part in extracts.parts(version, is_scan=False) if part.extract}


def test_duckdb_itself_opens_no_file_while_a_query_runs(
    quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("calls", rows())
    build(quick, extracts)
    kept = Databases(LIMITS, extracts)
    loan = kept.lend(opened(extracts, tables))
    alias = next(iter(loan.opened)).alias
    assert loan.connection.sql(f"SELECT count(*) FROM {alias}.rows").fetchall() == [(60,)]
    (file,) = files(extracts.shelf)
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    setting = str(loan.connection.sql("SELECT current_setting('allowed_directories')").fetchall())
    scratch = (tmp_path / "extracts" / "scratch").iterdir()
    (folder,) = [path for path in scratch if str(path) in setting]
    assert list(folder.iterdir()) == []
    tries = [
        f"ATTACH '{file}' AS again (READ_ONLY)",
        f"ATTACH '{folder}/../../tables/calls/{file.name}' AS again (READ_ONLY)",
        f"SELECT * FROM '{file}'",
        f"SELECT * FROM read_blob('{file}')",
        f"SELECT * FROM read_csv('{other}')",
        f"SELECT * FROM read_csv('{folder}/../../../other.csv')",
        "SELECT * FROM read_text('/etc/passwd')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        "SET allowed_directories = ['/']",
        "SET allowed_paths = ['/etc/passwd']",
        "SET enable_external_access = true",
        f"INSERT INTO {alias}.rows SELECT * FROM {alias}.rows",
    ]
    for sql in tries:
        with pytest.raises(Exception, match=r"disabled|locked|read-only|[Cc]annot change"):
            loan.connection.execute(sql).fetchall()
    loan.close()
    kept.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM {alias}.rows",
        "SELECT * FROM {alias}.main.rows",
        'SELECT * FROM "{alias}"."rows"',
        "SELECT * FROM rows",
        "SELECT * FROM __part_0_0",
        "SELECT * FROM '{file}'",
        'SELECT * FROM "{file}"',
        "SELECT rowid FROM calls",
        "SELECT * FROM calls, {alias}.rows",
    ],
)
def test_a_query_cannot_name_an_extract(
    quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make, sql: str
) -> None:
    make("calls", rows())
    more = rows(5, 60)
    tables.append("calls", Rows(more.schema, more.to_batches()))
    build(quick, extracts)
    (extract,) = opened(extracts, tables)
    with pytest.raises(ThanosqlError) as caught:
        answer(quick, sql.format(alias=extract.alias, file=extract.path))
    assert caught.value.reason in {Reason.QUERY_REJECTED, Reason.TABLE_NOT_FOUND, Reason.COLUMN_NOT_FOUND}


def test_a_query_that_reads_another_table_has_no_extract_open(
    quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make
) -> None:
    make("calls", rows())
    build(quick, extracts)
    kept = Databases(LIMITS, extracts)
    first = kept.lend(opened(extracts, tables))
    first.is_clean = True
    first.close()
    second = kept.lend()
    databases = second.connection.sql("SELECT database_name FROM duckdb_databases() WHERE NOT internal")
    assert databases.fetchall() == [("memory",)]
    second.close()
    kept.close()


def test_a_database_that_does_not_close_its_extracts_is_closed(
    quick: QueryEngine,
    extracts: Extracts,
    tables: Tables,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise duckdb.Error("no")

    make("calls", rows())
    build(quick, extracts)
    monkeypatch.setattr(databases, "_MOST_OPEN_BYTES", 0)
    monkeypatch.setattr(databases, "detach", refuse)
    kept = Databases(LIMITS, extracts)
    loan = kept.lend(opened(extracts, tables))
    loan.is_clean = True
    loan.close()
    with pytest.raises(duckdb.Error, match="losed"):
        loan._database.connect().sql("SELECT 1").fetchall()
    kept.close()


def test_the_least_recently_read_extract_makes_room(
    tmp_path: Path, engine: QueryEngine, tables: Tables, make: Make
) -> None:
    now_s = time.time()
    shelf = Shelf(tmp_path / "extracts", 3 << 20, spare_bytes=0, clock=lambda: now_s)
    extracts = Extracts(shelf, partial(open_connection, LIMITS), least_rows=20)
    made = []
    for first in range(6):
        make("calls", rows(200, first))
        build(QueryEngine(tables, LIMITS, extracts=extracts), extracts)
        assert read(extracts, tables) == [True]
        (new,) = set(files(shelf)) - set(made)
        made.append(new)
        os.utime(new, (now_s, now_s))
        now_s += 4000
    sizes = [path.stat().st_size for path in files(shelf)]
    assert sum(sizes) <= 3 << 20
    assert files(shelf) == sorted(made[-len(sizes) :])
    assert 0 < len(sizes) < 6


def test_what_is_read_makes_no_room_for_others(tmp_path: Path, tables: Tables, make: Make) -> None:
    shelf = Shelf(tmp_path / "extracts", 1 << 20, spare_bytes=0)
    extracts = Extracts(shelf, partial(open_connection, LIMITS), least_rows=20)
    kept = []
    for first in range(4):
        make("calls", rows(200, first))
        build(QueryEngine(tables, LIMITS, extracts=extracts), extracts)
        kept.append(files(shelf))
    assert kept[0]
    assert set(kept[0]) <= set(kept[-1])
    assert len(kept[-1]) < 4


def test_large_rows_are_read_a_few_at_a_time(
    quick: QueryEngine, extracts: Extracts, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []

    def write(connection: object, rows: pa.RecordBatchReader, path: Path) -> int:
        batches = list(rows)
        counts.extend(batch.num_rows for batch in batches)
        return write_extract(connection, pa.RecordBatchReader.from_batches(rows.schema, batches), path)

    monkeypatch.setattr(making, "write_extract", write)
    make("calls", pa.table({"id": range(64), "bytes": [os.urandom(1 << 19) for _ in range(64)]}))
    build(quick, extracts)
    assert sum(counts) == 64
    assert max(counts) <= 16


def test_nothing_is_made_where_the_file_system_has_no_links(
    quick: QueryEngine, extracts: Extracts, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def refuse(*_: object) -> None:
        tries.append(1)
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    make("calls", rows())
    build(quick, extracts)
    answer(quick)
    assert files(extracts.shelf) == []
    assert len(tries) == 1


def test_nothing_is_made_on_a_full_disk(tmp_path: Path, tables: Tables, make: Make) -> None:
    shelf = Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=1 << 60)
    extracts = Extracts(shelf, partial(open_connection, LIMITS), least_rows=20)
    make("calls", rows())
    build(QueryEngine(tables, LIMITS, extracts=extracts), extracts)
    assert list((tmp_path / "extracts").rglob("*.db")) == []


def test_extracts_of_dropped_tables_and_unread_ones_go(
    quick: QueryEngine, extracts: Extracts, make: Make, shelf: Shelf
) -> None:
    make("calls", rows())
    build(quick, extracts)
    (file,) = files(shelf)
    shelf.forget_others(lambda: ["calls"])
    shelf.forget_unread(3600.0)
    assert files(shelf) == [file]
    os.utime(file, (0, 0))
    shelf.forget_unread(3600.0)
    assert files(shelf) == []
    build(quick, extracts)
    shelf.forget_others(lambda: ["others"])
    assert files(shelf) == []


def test_an_extract_that_cannot_be_removed_does_not_keep_the_others(
    quick: QueryEngine, extracts: Extracts, make: Make, tmp_path: Path
) -> None:
    make("calls", rows())
    build(quick, extracts)
    (file,) = files(extracts.shelf)
    stuck = file.with_name("stuck.db")
    stuck.mkdir()  # No unlink removes a directory.
    os.utime(stuck, (0, 0))
    Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=1 << 60).forget_unread(-1.0)
    assert files(extracts.shelf) == [stuck]


def test_extracts_give_way_when_the_disk_is_nearly_full(
    quick: QueryEngine, extracts: Extracts, make: Make, tmp_path: Path
) -> None:
    make("calls", rows())
    build(quick, extracts)
    Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=1 << 60).forget_unread(3600.0)
    assert files(extracts.shelf) == []


def test_what_a_killed_process_was_making_is_never_read_and_goes(
    quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("calls", rows())
    version = OpenVersion(table="calls", dataset=tables.dataset("calls"))
    abandoned = tmp_path / "extracts" / "scratch" / "thanosql-scratch-extract-killed"
    abandoned.mkdir(parents=True)
    (abandoned / "made.db").write_bytes(b"half")
    os.utime(abandoned, (0, 0))
    assert extracts.parts(version, is_scan=True) == ()
    extracts.shelf.forget_unread(3600.0)
    assert not abandoned.exists()
    build(quick, extracts)
    assert read(extracts, tables) == [True]


def test_another_process_reads_the_same_extracts(
    engine: QueryEngine, quick: QueryEngine, extracts: Extracts, tables: Tables, make: Make, tmp_path: Path
) -> None:
    make("calls", rows())
    build(quick, extracts)
    shelf = Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=0)
    others = Extracts(shelf, partial(open_connection, LIMITS), least_rows=20)
    assert read(others, tables) == [True]
    other = QueryEngine(tables, LIMITS, extracts=others)
    with quick.run(ALL, ("calls",)) as running:
        same(answer(other), answer(engine))
        assert sum(batch.num_rows for batch in running) == 60


def test_closing_ends_what_is_being_made(tmp_path: Path, tables: Tables, make: Make) -> None:
    make("calls", rows(20_000))
    shelf = Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=0)
    extracts = Extracts(shelf, partial(open_connection, LIMITS), least_rows=20)
    engine = QueryEngine(tables, LIMITS, extracts=extracts)
    answer(engine)
    answer(engine)
    extracts.close()
    answer(engine)
    engine.close()
    assert not [path for path in (tmp_path / "extracts" / "scratch").rglob("*") if path.suffix == ".db"]


def test_a_damaged_extract_that_the_disk_keeps_is_not_read_again(
    quick: QueryEngine,
    engine: QueryEngine,
    extracts: Extracts,
    tables: Tables,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    make("calls", rows())
    build(quick, extracts)
    version = OpenVersion(table="calls", dataset=tables.dataset("calls"))
    found = [part.extract for part in extracts.parts(version, is_scan=True) if part.extract]
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        extracts.damaged(found)
    assert read(extracts, tables) == []
    same(answer(quick), answer(engine))


def test_an_extract_that_was_made_again_is_read_though_the_damaged_one_had_stayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    shelf = Shelf(tmp_path / "extracts", 1 << 30, spare_bytes=0)
    extract = Extract(name="e", path=shelf.folder("calls") / "e.db")
    made = tmp_path / "made"
    made.write_bytes(b"damaged")
    shelf.keep(made, extract)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        shelf.forget(extract)
    assert not shelf.has(extract)
    made.write_bytes(b"whole")
    shelf.keep(made, extract)
    assert shelf.has(extract)


def test_a_disk_that_tells_nothing_fails_neither_a_query_nor_maintenance(
    quick: QueryEngine, engine: QueryEngine, extracts: Extracts, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_path: object) -> object:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(shutil, "disk_usage", fail)
    make("calls", rows())
    build(quick, extracts)
    assert files(extracts.shelf) == []
    extracts.shelf.forget_unread(3600.0)
    same(answer(quick), answer(engine))
