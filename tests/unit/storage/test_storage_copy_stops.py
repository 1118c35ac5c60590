"""COPY can be stopped until its commit, and one strange row does not fail the others."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.tables.tables import Tables
from services.storage.core.types import CopyOutcome, CopyProgress
from thanosql_runtime.errors import Reason, ThanosqlError, error

ROWS = 9000
RECORDS: list[dict[str, object]] = [{"i": number, "s": "x" * 100} for number in range(ROWS)]
Select = Callable[[str], list[dict[str, object]]]


def write_csv(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["i", "s"])
        writer.writeheader()
        writer.writerows(RECORDS)


def write_json(path: Path) -> None:
    path.write_text(json.dumps(RECORDS))


def write_lines(path: Path) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(RECORDS), path)


def write_excel(path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["i", "s"])
    for record in RECORDS:
        sheet.append(list(record.values()))
    book.save(path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "t.csv": write_csv,
    "t.json": write_json,
    "t.jsonl": write_lines,
    "t.parquet": write_parquet,
    "t.xlsx": write_excel,
}


def copied(
    copying: CopyCommand, name: str, progress: Callable[[CopyProgress], None] = lambda _: None
) -> CopyOutcome:
    return copying.run(CopyRequest(table="t", source=name), progress)


@pytest.mark.parametrize("name", WRITERS)
def test_a_copy_listens_until_its_commit(
    copying: CopyCommand, tables: Tables, files: Path, name: str
) -> None:
    WRITERS[name](files / name)
    told: list[CopyProgress] = []
    assert copied(copying, name, told.append).rows_copied == ROWS
    assert len(told) >= 3
    assert told[-1].rows == ROWS
    assert [p.rows for p in told] == sorted(p.rows for p in told)
    tables.drop("t")
    left = len(told)

    def stop_at_the_last(_: CopyProgress) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise error(Reason.CANCELLED, "stop")

    with pytest.raises(ThanosqlError) as caught:
        copied(copying, name, stop_at_the_last)
    assert caught.value.reason is Reason.CANCELLED
    assert not tables.exists("t")


def test_parquet_tells_its_share(copying: CopyCommand, files: Path) -> None:
    write_parquet(files / "t.parquet")
    told: list[CopyProgress] = []
    copied(copying, "t.parquet", told.append)
    assert told[-1].done == told[-1].total == (files / "t.parquet").stat().st_size


def test_a_row_beside_a_very_long_field_is_named_by_its_number(
    copying: CopyCommand, files: Path, select: Select
) -> None:
    (files / "t.csv").write_text(f"a,b\n1,{'x' * 200_000}\n2\n3,y\n")
    outcome = copied(copying, "t.csv")
    assert (outcome.rows_copied, outcome.rows_quarantined) == (2, 1)
    assert [problem.subject for problem in outcome.quarantined] == ["row 2"]
    assert select("SELECT a, len(b) AS n FROM t") == [{"a": 1, "n": 200_000}, {"a": 3, "n": 1}]


@pytest.mark.parametrize(
    "line",
    [
        '{"a": "\\ud800"}',
        '{"a": ["\\udc00x"]}',
        '{"\\ud800": 1}',
        '{"a": 1, "a": 2}',
        '{"a": 1, "A": 2}',
        '{"b": {"x": 1, "x": 2}}',
    ],
)
def test_a_line_that_duckdb_cannot_read_is_left_out(
    copying: CopyCommand, files: Path, select: Select, line: str
) -> None:
    (files / "t.jsonl").write_text('{"a": "\\ud83d\\ude00"}\n' + line + '\n{"a": "z"}\n')
    outcome = copied(copying, "t.jsonl")
    assert [problem.subject for problem in outcome.quarantined] == ["line 2"]
    assert select("SELECT * FROM t") == [{"a": "😀"}, {"a": "z"}]


@pytest.mark.parametrize("content", ['[{"a": "\\ud800"}]', '[{"a": 1}', '{"a": 1, "a": 2}'])
def test_a_broken_file_is_named_as_the_user_named_it(copying: CopyCommand, files: Path, content: str) -> None:
    (files / "t.json").write_text(content)
    with pytest.raises(ThanosqlError) as caught:
        copied(copying, "t.json")
    assert caught.value.reason is Reason.INVALID_DATA
    assert "'t.json'" in caught.value.message
    assert "thanosql-scratch" not in caught.value.message
