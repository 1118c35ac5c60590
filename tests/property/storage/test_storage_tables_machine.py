"""The tables against a plain dictionary, under any sequence of statements."""

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from services.storage.core.changing.assigning import Assignment
from services.storage.core.changing.changes import TableChanges
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.tables.homes import TableHome, directory_home
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from tests.s3_servers import new_bucket, s3_server
from thanosql_objects.opening import open_place
from thanosql_runtime.errors import Reason, ThanosqlError

SCHEMA = pa.schema([("k", pa.int64()), ("v", pa.string())])
NAMES = st.sampled_from(["t", "T", "people", "People", "음성"])
VALUES = st.lists(
    st.tuples(st.integers(-5, 5), st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=3))),
    max_size=6,
)
Values = list[tuple[int, str | None]]


def batch(values: Values) -> Rows:
    columns = [pa.array([k for k, _ in values], pa.int64()), pa.array([v for _, v in values], pa.string())]
    return Rows(SCHEMA, [pa.record_batch(columns, schema=SCHEMA)])


class TablesMachine(RuleBasedStateMachine):
    """Every rule does the same thing to the tables and to the dictionary."""

    names = Bundle("names")

    def new_home(self) -> TableHome:
        self.folder = Path(tempfile.mkdtemp(prefix="thanosql-machine-"))
        return directory_home(self.folder)

    @initialize()
    def open(self) -> None:
        self.home = self.new_home()
        self.tables = Tables(self.home)
        self.engine = QueryEngine(self.tables)
        self.changes = TableChanges(self.tables, self.engine)
        self.model: dict[str, Values] = {}

    @rule(target=names, name=NAMES, values=VALUES)
    def create(self, name: str, values: Values) -> str:
        if name.lower() in self.model:
            with pytest.raises(ThanosqlError) as caught:
                self.tables.create(name, batch(values))
            assert caught.value.reason is Reason.TABLE_ALREADY_EXISTS
        else:
            self.tables.create(name, batch(values))
            self.model[name.lower()] = list(values)
        return name

    @rule(target=names, name=NAMES, values=VALUES)
    def replace(self, name: str, values: Values) -> str:
        self.tables.replace(name, batch(values))
        self.model[name.lower()] = list(values)
        return name

    @rule(name=names, values=VALUES)
    def append(self, name: str, values: Values) -> None:
        if self.missing(name, lambda: self.tables.append(name, batch(values))):
            return
        self.model[name.lower()] += values

    @rule(name=names, limit=st.integers(-5, 5))
    def delete(self, name: str, limit: int) -> None:
        def run() -> None:
            self.count = self.changes.delete(name, f"k < {limit}")

        if self.missing(name, run):
            return
        before = self.model[name.lower()]
        self.model[name.lower()] = [row for row in before if row[0] >= limit]
        assert self.count == len(before) - len(self.model[name.lower()])

    @rule(name=names, key=st.integers(-5, 5))
    def update(self, name: str, key: int) -> None:
        def run() -> None:
            self.count = self.changes.update(
                name, [Assignment(column="V", expression="v || '!'")], f"k = {key}"
            )

        if self.missing(name, run):
            return
        rows = self.model[name.lower()]
        assert self.count == sum(k == key for k, _ in rows)
        self.model[name.lower()] = [
            (k, v + "!" if v is not None and k == key else v) for k, v in rows
        ]  # fmt: skip

    @rule(name=names)
    def drop(self, name: str) -> None:
        assert self.tables.drop(name) == (self.model.pop(name.lower(), None) is not None)

    @rule(name=names, limit=st.integers(0, 4))
    def query(self, name: str, limit: int) -> None:
        if name.lower() not in self.model:
            return
        folded = name.lower()
        with self.engine.run(f'SELECT * FROM "{name.upper()}" LIMIT {limit}', (folded,)) as running:
            rows = [tuple(row.values()) for part in running for row in part.to_pylist()]
        assert rows == self.model[folded][:limit]

    @rule()
    def reopen(self) -> None:
        self.tables = Tables(self.home)
        self.engine = QueryEngine(self.tables)
        self.changes = TableChanges(self.tables, self.engine)

    @invariant()
    def the_same_tables_hold_the_same_rows(self) -> None:
        if not hasattr(self, "model"):
            return
        assert self.tables.names() == sorted(self.model)
        for name, values in self.model.items():
            table = self.tables.dataset(name).to_table()
            assert [(row["k"], row["v"]) for row in table.to_pylist()] == values
            assert self.tables.describe(name).row_count == len(values)

    def missing(self, name: str, run: object) -> bool:
        """Run a change; where there is no such table, it must be refused for that."""
        if name.lower() in self.model:
            run()  # type: ignore[operator]
            return False
        with pytest.raises(ThanosqlError) as caught:
            run()  # type: ignore[operator]
        assert caught.value.reason is Reason.TABLE_NOT_FOUND
        return True

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)


TestTablesMachine = TablesMachine.TestCase
TestTablesMachine.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.timeout(300)
def test_tables_in_a_bucket_are_as_the_dictionary_says() -> None:
    with s3_server() as endpoint:

        class BucketMachine(TablesMachine):
            def new_home(self) -> TableHome:
                settings = new_bucket(endpoint)
                return TableHome(open_place(settings, f"{settings.uri}/tables"))

        run_state_machine_as_test(  # type: ignore[no-untyped-call]
            BucketMachine, settings=settings(TestTablesMachine.settings, max_examples=6)
        )
