"""The history of a table against a plain list of all its versions, under any sequence of changes."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from services.storage.core.changing.assigning import Assignment
from services.storage.core.changing.changes import TableChanges
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.history import TableHistory
from services.storage.core.tables.homes import TableHome, directory_home
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import TableAtVersion
from tests.s3_servers import new_bucket, s3_server
from thanosql_objects.opening import open_place
from thanosql_runtime.errors import Reason, ThanosqlError

VALUES = st.lists(st.tuples(st.integers(-3, 3), st.text("ab", max_size=2)), max_size=5)
KEYS = st.integers(-3, 3)
COLUMNS = st.sampled_from(["v", "w"])
Values = list[tuple[int, str]]
Version = tuple[str, str, Values]


def rows(column: str, values: Values) -> Rows:
    schema = pa.schema([("k", pa.int64()), (column, pa.string())])
    columns = [pa.array([k for k, _ in values], pa.int64()), pa.array([v for _, v in values], pa.string())]
    return Rows(schema, [pa.record_batch(columns, schema=schema)])


class HistoryMachine(RuleBasedStateMachine):
    """`past[n - 1]` is what made version n, the name of its second column, and its rows."""

    def new_home(self) -> TableHome:
        self.folder = Path(tempfile.mkdtemp(prefix="thanosql-history-"))
        return directory_home(self.folder)

    @initialize()
    def open(self) -> None:
        self.home = self.new_home()
        self.past: list[Version] = []
        self.reopen()

    @rule()
    def reopen(self) -> None:
        self.tables = Tables(self.home)
        self.history = TableHistory(self.tables)
        self.engine = QueryEngine(self.tables)
        self.changes = TableChanges(self.tables, self.engine)

    @precondition(lambda self: not self.past)
    @rule(values=VALUES, column=COLUMNS)
    def create(self, values: Values, column: str) -> None:
        self.tables.create("t", rows(column, values))
        self.past.append(("CREATE TABLE", column, values))

    @precondition(lambda self: self.past)
    @rule(values=VALUES, column=COLUMNS)
    def overwrite(self, values: Values, column: str) -> None:
        self.tables.replace("T", rows(column, values))
        self.past.append(("REPLACE TABLE", column, values))

    @precondition(lambda self: self.past)
    @rule(values=VALUES)
    def append(self, values: Values) -> None:
        _, column, before = self.past[-1]
        self.tables.append("t", rows(column, values))
        self.past.append(("INSERT", column, before + values))

    @precondition(lambda self: self.past)
    @rule(key=KEYS)
    def update(self, key: int) -> None:
        _, column, before = self.past[-1]
        changed = self.changes.update("t", [Assignment(column=column, expression="'c'")], f"k = {key}")
        if changed:
            after = [(k, "c" if k == key else v) for k, v in before]
            self.past.append(("UPDATE", column, after))

    @precondition(lambda self: self.past)
    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        _, column, before = self.past[-1]
        if self.changes.delete("t", f"k = {key}"):
            self.past.append(("DELETE", column, [row for row in before if row[0] != key]))

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        version = data.draw(st.integers(1, len(self.past)))
        _, column, values = self.past[version - 1]
        assert self.history.restore("t", version).version == len(self.past) + 1
        self.past.append((f"RESTORE TABLE TO VERSION {version}", column, values))

    @precondition(lambda self: self.past)
    @rule(data=st.data(), key=KEYS)
    def query_a_version_beside_the_newest(self, data: st.DataObject, key: int) -> None:
        version = data.draw(st.integers(1, len(self.past)))
        at = TableAtVersion(relation="__version_n_of_t", table="T", version=version)
        sql = f"SELECT (SELECT count(*) FROM __version_n_of_t WHERE k = {key}), (SELECT count(*) FROM t)"
        with self.engine.run(sql, ("t",), versions=self.history.open([at])) as running:
            answer = [tuple(row.values()) for batch in running for row in batch.to_pylist()]
        assert answer == [(sum(k == key for k, _ in self.past[version - 1][2]), len(self.past[-1][2]))]

    @precondition(lambda self: self.past)
    @rule(beyond=st.integers(1, 3))
    def ask_for_a_version_that_never_was(self, beyond: int) -> None:
        for attempt in (self.history.dataset, self.history.restore):
            with pytest.raises(ThanosqlError) as caught:
                attempt("t", len(self.past) + beyond)
            assert caught.value.reason is Reason.TABLE_NOT_FOUND

    @precondition(lambda self: self.past)
    @rule()
    def drop(self) -> None:
        assert self.tables.drop("t")
        self.past = []

    @invariant()
    def every_version_is_as_it_was(self) -> None:
        if not getattr(self, "past", None):
            return
        listed = self.history.page("t").versions
        assert [version.version for version in listed] == list(range(len(self.past), 0, -1))
        for version, (operation, column, values) in zip(reversed(listed), self.past, strict=True):
            assert (version.operation, version.row_count) == (operation, len(values))
            kept = self.history.dataset("t", version.version).to_table()
            assert kept.column_names == ["k", column]
            assert [tuple(row.values()) for row in kept.to_pylist()] == values

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)


TestHistoryMachine = HistoryMachine.TestCase
TestHistoryMachine.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.timeout(300)
def test_the_history_of_a_table_in_a_bucket_is_as_the_list_says() -> None:
    with s3_server() as endpoint:

        class BucketMachine(HistoryMachine):
            def new_home(self) -> TableHome:
                settings = new_bucket(endpoint)
                return TableHome(open_place(settings, f"{settings.uri}/tables"))

        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            BucketMachine, settings=settings(TestHistoryMachine.settings, max_examples=4)
        )
