"""Queries through extracts answer what the tables answer, for any values and any sequence of changes."""

import struct
import tempfile
from functools import partial
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import initialize, invariant, precondition, rule

from services.storage.core.changing.changes import TableChanges
from services.storage.core.extracts.extracts import Extracts
from services.storage.core.extracts.shelf import Shelf
from services.storage.core.queries.connections import QueryLimits, open_connection
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import TableAtVersion
from tests.property.storage.test_storage_history_machine import COLUMNS, HistoryMachine

LIMITS = QueryLimits(threads=2)


def doubles(bits: int, form: str) -> st.SearchStrategy[float]:
    """Floating point of every pattern of bits, NaN of either sign among them."""
    whole = st.integers(0, 2**bits - 1).map(lambda n: struct.unpack(form, n.to_bytes(bits // 8, "little"))[0])
    return st.floats(width=bits) | whole  # type: ignore[arg-type]


INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
COLUMN_TYPES = {
    pa.bool_(): st.booleans(),
    pa.int8(): st.integers(-128, 127),
    pa.int64(): INT64,
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float32(): doubles(32, "<f"),
    pa.float64(): doubles(64, "<d"),
    pa.decimal128(38, 5): st.decimals(-(10**20), 10**20, places=5),
    pa.string(): TEXT,
    pa.large_string(): TEXT,
    pa.binary(): st.binary(max_size=30),
    pa.date32(): st.dates(),
    pa.time64("us"): st.times(),
    pa.timestamp("us"): st.datetimes(),
    pa.timestamp("s"): st.integers(-(2**35), 2**35),
    pa.timestamp("ms", tz="UTC"): st.integers(-(2**45), 2**45),
    pa.timestamp("ns"): st.integers(-(2**61), 2**61),
    pa.list_(pa.float32()): st.lists(st.none() | doubles(32, "<f"), max_size=4),
    pa.list_(pa.list_(pa.string())): st.lists(st.none() | st.lists(st.none() | TEXT, max_size=3), max_size=3),
    pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))]): st.fixed_dictionaries(
        {"a": st.none() | st.integers(-9, 9), "b": st.none() | st.lists(TEXT, max_size=3)}
    ),
}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), kind=st.sampled_from(list(COLUMN_TYPES)))
def test_values_of_every_type_come_back_as_they_are(data: st.DataObject, kind: pa.DataType) -> None:
    values = data.draw(st.lists(st.none() | COLUMN_TYPES[kind], min_size=1, max_size=20))
    with tempfile.TemporaryDirectory(prefix="thanosql-extracts-") as name:
        tables = Tables(Path(name) / "tables")
        schema = pa.schema([("n", pa.int64()), ("v", kind)])
        columns = [pa.array(range(len(values)), pa.int64()), pa.array(values, kind)]
        tables.create("t", Rows(schema, [pa.record_batch(columns, schema=schema)]))
        extracts = extracts_in(Path(name) / "extracts")
        quick, plain = QueryEngine(tables, LIMITS, extracts=extracts), QueryEngine(tables, LIMITS)
        for _ in range(2):
            found = collected(quick)
        extracts.wait()
        assert len(list(Path(name).glob("extracts/tables/t/*.db"))) == 1
        expected = collected(plain)
        assert collected(quick) == found == expected
        extracts.close()


def collected(engine: QueryEngine) -> tuple[pa.Schema, object]:
    """An answer, with every bit of its values."""
    with engine.run("SELECT * FROM t", ("t",)) as running:
        schema = running.schema
        answer = pa.Table.from_batches(list(running), schema)
    values = answer["v"]
    if pa.types.is_timestamp(values.type):  # Python's own hold fewer moments.
        values = values.cast(pa.int64())
    return schema, (answer["n"].to_pylist(), bitwise(values.to_pylist()))


def bitwise(value: object) -> object:
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, dict):
        return {key: bitwise(part) for key, part in value.items()}
    return [bitwise(part) for part in value] if isinstance(value, list) else value


def extracts_in(folder: Path) -> Extracts:
    return Extracts(Shelf(folder, 1 << 30, spare_bytes=0), partial(open_connection, LIMITS), least_rows=1)


class ExtractsMachine(HistoryMachine):
    """The same history, read through extracts of every fragment that was asked for before."""

    @initialize()
    def open(self) -> None:
        self.extracts_folder = tempfile.TemporaryDirectory(prefix="thanosql-extracts-")
        super().open()

    @rule()
    def reopen(self) -> None:
        self.stop()
        super().reopen()
        self.extracts = extracts_in(Path(self.extracts_folder.name))
        self.engine = QueryEngine(self.tables, LIMITS, extracts=self.extracts)
        self.changes = TableChanges(self.tables, self.engine)

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def make_extracts_of_a_version(self, data: st.DataObject) -> None:
        version = data.draw(st.integers(1, len(self.past)))
        for _ in range(2):
            self.read(version)
        self.extracts.wait()

    @precondition(lambda self: self.past and self.past[-1][1] in ("v", "w"))
    @rule(column=COLUMNS)
    def rename(self, column: str) -> None:
        before = self.past[-1]
        if column != before[1]:
            self.changes.rename_column("t", before[1], column)
            self.past.append(("ALTER TABLE", column, before[2]))

    @invariant()
    def every_version_is_read_as_it_was(self) -> None:
        for version in range(1, len(getattr(self, "past", [])) + 1):
            _, column, values = self.past[version - 1]
            rows = self.read(version)
            assert [tuple(row) for row in rows] == [("k", column)] * len(values)
            assert [tuple(row.values()) for row in rows] == values

    def read(self, version: int) -> list[dict[str, object]]:
        at = TableAtVersion(relation="__version_n_of_t", table="T", version=version)
        with self.engine.run("SELECT * FROM __version_n_of_t", versions=self.history.open([at])) as running:
            return [row for batch in running for row in batch.to_pylist()]

    def stop(self) -> None:
        if hasattr(self, "extracts"):
            self.extracts.close()
            self.engine.close()

    def teardown(self) -> None:
        self.stop()
        super().teardown()
        if hasattr(self, "extracts_folder"):
            self.extracts_folder.cleanup()


TestExtractsMachine = ExtractsMachine.TestCase
TestExtractsMachine.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
