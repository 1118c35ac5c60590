"""COPY into a table that has rows: columns by name, wider types, or an error that names the column."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.copying.fitting import Fit
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.rows import Rows
from services.storage.core.tables.tables import Tables
from services.storage.core.types import CopyOutcome, IfExists
from thanosql_runtime.errors import Reason, ThanosqlError

Select = Callable[[str], list[dict[str, object]]]
Append = Callable[[pa.Table | str], CopyOutcome]


@pytest.fixture
def append(copying: CopyCommand, files: Path) -> Append:
    def run(rows: pa.Table | str) -> CopyOutcome:
        name = "more.csv" if isinstance(rows, str) else "more.parquet"
        if isinstance(rows, str):
            (files / name).write_text(rows)
        else:
            pq.write_table(rows, files / name)
        request = CopyRequest(table="t", source=name, if_exists=IfExists.APPEND)
        return copying.run(request, lambda _: None)

    return run


def table_of(tables: Tables, rows: pa.Table) -> None:
    tables.create("t", Rows(rows.schema, rows.to_batches()))


def values(tables: Tables, column: str = "a") -> list[object]:
    values: list[object] = tables.dataset("t").to_table()[column].to_pylist()
    return values


def test_columns_are_matched_by_name_in_any_order_and_case(tables: Tables, append: Append) -> None:
    table_of(tables, pa.table({"a": [1], "B": ["x"]}))
    outcome = append("b,A\ny,2\n")
    assert tables.dataset("t").to_table().to_pydict() == {"a": [1, 2], "B": ["x", "y"]}
    assert (outcome.rows_copied, outcome.table.row_count, outcome.notices) == (1, 2, ())


def test_a_column_that_the_rows_lack_is_null_and_told(tables: Tables, append: Append) -> None:
    table_of(tables, pa.table({"a": [1], "b": ["x"], "c": [[1.0]]}))
    outcome = append("a\n2\n")
    assert values(tables, "b") == ["x", None]
    assert values(tables, "c") == [[1.0], None]
    assert outcome.notices == (
        "column 'b' is not in 'more.csv': NULL in these rows",
        "column 'c' is not in 'more.csv': NULL in these rows",
    )


@pytest.mark.parametrize(
    ("held", "given", "after", "expected"),
    [
        (pa.array([1]), pa.array([1.5]), "double", [1.0, 1.5]),
        (pa.array([1.5]), pa.array([1]), "double", [1.5, 1.0]),
        (pa.array([1], pa.int16()), pa.array([70000]), "int64", [1, 70000]),
        (pa.array([1]), pa.array([2], pa.int8()), "int64", [1, 2]),
        (pa.array([0.5], pa.float32()), pa.array([0.25]), "double", [0.5, 0.25]),
        (pa.array([date(2024, 1, 2)]), pa.array([datetime(2024, 1, 3, 4)]), "timestamp[us]",
         [datetime(2024, 1, 2), datetime(2024, 1, 3, 4)]),
        (pa.array([datetime(2024, 1, 3, 4)]), pa.array([date(2024, 1, 2)]), "timestamp[us]",
         [datetime(2024, 1, 3, 4), datetime(2024, 1, 2)]),
        (pa.array(["x"]), pa.array([1]), "string", ["x", "1"]),
        (pa.array(["x"]), pa.array([True]), "string", ["x", "true"]),
        (pa.array([[1]]), pa.array([[1.5]]), "list<item: double>", [[1.0], [1.5]]),
    ],
)  # fmt: skip
def test_types_that_agree_are_widened(
    tables: Tables, append: Append, held: pa.Array, given: pa.Array, after: str, expected: list[object]
) -> None:
    table_of(tables, pa.table({"a": held}))
    outcome = append(pa.table({"a": given}))
    assert [column.type for column in outcome.table.columns] == [after]
    assert values(tables) == expected
    assert (outcome.rows_copied, outcome.table.version) == (1, 2)


def test_a_widened_table_is_told_and_written_in_one_commit(tables: Tables, append: Append) -> None:
    table_of(tables, pa.table({"a": list(range(20_000)), "b": ["x"] * 20_000}))
    outcome = append("a\n0.5\n")
    assert outcome.notices[0] == "column 'a' was widened from int64 to double"
    assert (outcome.rows_copied, outcome.table.row_count, outcome.table.version) == (1, 20_001, 2)


def test_a_widened_table_keeps_rows_that_another_process_adds_meanwhile(
    tables: Tables, append: Append, home: TableHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    table_of(tables, pa.table({"a": [1]}))
    theirs, rewritten = Tables(home), Fit.rewritten

    def outrun(plan: Fit, *arguments: Any) -> Rows:
        more = pa.table({"a": [2]})
        theirs.append("t", Rows(more.schema, more.to_batches()))
        return rewritten(plan, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Fit, "rewritten", outrun)
        with pytest.raises(ThanosqlError) as caught:
            append("a\n0.5\n")
    assert caught.value.reason is Reason.CONFLICT
    assert values(tables) == [1, 2]
    append("a\n0.5\n")
    assert values(tables) == [1.0, 2.0, 0.5]


def test_a_column_without_a_value_fits_any_type(tables: Tables, append: Append) -> None:
    table_of(tables, pa.table({"a": [1], "b": ["x"]}))
    append("a,b\n,y\n,z\n")
    assert values(tables) == [1, None, None]


@pytest.mark.parametrize(
    ("held", "given", "words"),
    [
        (pa.array([1]), "a\nabc\n", ["holds int64", "'more.csv'", "text such as 'abc'"]),
        (pa.array([1]), "a\n007\n", ["holds int64", "text such as '007'"]),
        (pa.array([True]), "a\n1\n", ["holds bool", "gives int64"]),
        (pa.array([1]), "a\ntrue\n", ["holds int64", "gives bool"]),
        (pa.array([datetime(2024, 1, 1)]), "a\n1.5\n", ["holds timestamp[us]", "gives double"]),
        (pa.array([0.5]), "a\n9007199254740993\n", ["holds double", "9007199254740993"]),
        (pa.array([[1]]), "a\n1\n", ["holds list", "gives int64"]),
        (pa.array(["x"]), pa.table({"a": [[1]]}), ["holds string", "gives list"]),
    ],
)
def test_types_that_have_nothing_in_common_name_the_column(
    tables: Tables, append: Append, held: pa.Array, given: pa.Table | str, words: list[str]
) -> None:
    table_of(tables, pa.table({"a": held}))
    with pytest.raises(ThanosqlError) as caught:
        append(given)
    assert caught.value.reason is Reason.INVALID_DATA
    assert caught.value.metadata["column"] == "a"
    for word in ["column 'a' of table 't'", *words]:
        assert word in caught.value.message
    assert tables.describe("t").version == 1


def test_a_column_that_the_table_lacks_is_named_with_the_nearest(tables: Tables, append: Append) -> None:
    table_of(tables, pa.table({"text": ["x"]}))
    with pytest.raises(ThanosqlError) as caught:
        append("txt\ny\n")
    assert caught.value.reason is Reason.COLUMN_NOT_FOUND
    assert (caught.value.metadata["column"], caught.value.metadata["suggestion"]) == ("txt", "text")
    assert "'more.csv' has a column 'txt', which table 't' lacks" in caught.value.message
    assert tables.describe("t").version == 1


def test_a_late_value_that_does_not_fit_leaves_the_table_whole(tables: Tables, append: Append) -> None:
    table_of(tables, pa.table({"a": [0.5]}))
    with pytest.raises(ThanosqlError) as caught:
        append("a\n" + "1\n" * 300_000 + "9007199254740993\n")
    assert caught.value.reason is Reason.INVALID_DATA
    assert (tables.describe("t").version, values(tables)) == (1, [0.5])


def test_rows_without_a_table_make_one(append: Append) -> None:
    assert append("a\n1\n").table.row_count == 1
