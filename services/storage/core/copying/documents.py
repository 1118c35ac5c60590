"""json, jsonl, parquet and Excel files."""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from services.storage.core.copying.columns import renamed
from services.storage.core.copying.encoding import require_utf8
from services.storage.core.copying.report import CopyReport
from services.storage.core.rows import Rows
from thanosql_runtime.errors import Reason, ThanosqlError, error

_BATCH_ROWS = 8192
_MAX_RECORD_BYTES = 64 << 20
_MAX_EXCEL_BYTES = 64 << 20
_READER: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "1GiB",
    "threads": 2,
    "autoinstall_known_extensions": False,
}
# DuckDB names its own source, which is a temporary file here.
_PLACE = re.compile(r' in file "[^"]*"')


@contextlib.contextmanager
def read_json_lines(path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give one row for each line that is a JSON object; other lines go to quarantine."""
    require_utf8(path, name)
    with tempfile.TemporaryDirectory(prefix="thanosql-json-") as folder:
        clean = Path(folder) / "records.jsonl"
        _keep_records(path, clean, report)
        if not clean.stat().st_size:
            raise error(Reason.INVALID_DATA, f"{name!r} holds no JSON object", path=name)
        with _read_json(clean, name, "newline_delimited") as rows:
            yield rows


@contextlib.contextmanager
def read_json(path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give one row for each object of a JSON array, or of a file of lines."""
    require_utf8(path, name)
    size_bytes = path.stat().st_size
    report.advance(rows=0, done=0, total=size_bytes)
    with tempfile.TemporaryDirectory(prefix="thanosql-json-") as folder:
        # DuckDB expands `*` and `[` in a path; a name of our own has neither.
        link = Path(folder) / "records.json"
        link.symlink_to(path.resolve())
        with _read_json(link, name, "auto") as rows:
            yield rows


@contextlib.contextmanager
def read_json_text(text: str, report: CopyReport) -> Iterator[Rows]:
    """Give one row for each object of a JSON array that stands in the statement itself."""
    with tempfile.TemporaryDirectory(prefix="thanosql-json-") as folder:
        path = Path(folder) / "records.json"
        path.write_text(text, encoding="utf-8")
        with read_json(path, "the JSON text", report) as rows:
            yield rows


@contextlib.contextmanager
def read_parquet(path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of a parquet file."""
    try:
        with pq.ParquetFile(path) as file:
            batches = _told(file, path.stat().st_size, report)
            yield renamed(Rows(file.schema_arrow.remove_metadata(), batches))
    except (pa.ArrowException, OSError) as problem:
        raise _unreadable(name, problem) from problem


@contextlib.contextmanager
def read_excel(path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of the first sheet; the file is read whole, so it may not be large."""
    size_bytes = path.stat().st_size
    if size_bytes > _MAX_EXCEL_BYTES:
        message = (
            f"{name!r} has {size_bytes} bytes; Excel files above {_MAX_EXCEL_BYTES} are not read: use csv"
        )
        raise error(Reason.INVALID_DATA, message, path=name)
    report.advance(rows=0, done=0, total=size_bytes)
    try:
        frame = pd.read_excel(path)
        frame.columns = [str(column) for column in frame.columns]
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    # Whatever a spreadsheet library raises at a broken file: they share no base class.
    except Exception as problem:
        raise _unreadable(name, problem) from problem
    yield renamed(Rows(table.schema, table.to_batches(max_chunksize=_BATCH_ROWS)))


def _told(file: pq.ParquetFile, total: int, report: CopyReport) -> Iterator[pa.RecordBatch]:
    """Yield the rows, and say how many of the file's bytes they are."""
    rows = 0
    report.advance(rows=0, done=0, total=total)
    for batch in file.iter_batches(batch_size=_BATCH_ROWS):
        rows += batch.num_rows
        report.advance(rows=rows, done=total * rows // file.metadata.num_rows, total=total)
        yield batch


def _keep_records(path: Path, clean: Path, report: CopyReport) -> None:
    total, done, rows = path.stat().st_size, 0, 0
    with path.open("rb") as source, clean.open("wb") as goal:
        for number, line in enumerate(source):
            done += len(line)
            problem = _record_problem(line)
            if not line.strip():
                continue
            if problem:
                report.quarantine(number, f"line {number + 1}", problem)
                continue
            goal.write(line.strip() + b"\n")
            rows += 1
            if rows % _BATCH_ROWS == 0:
                report.advance(rows=rows, done=done, total=total)


def _record_problem(line: bytes) -> str:
    try:
        record = json.loads(line, object_pairs_hook=_members)
        if b"\\u" in line:
            json.dumps(record, ensure_ascii=False).encode()  # Half of a surrogate pair is no text.
    except UnicodeEncodeError:
        return "not JSON: an escape that is half of a character"
    except ValueError as problem:
        return f"not JSON: {problem}"
    except RecursionError:
        return "not JSON that can be kept: nested too deeply"
    return "" if isinstance(record, dict) and record else "not a JSON object"


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len({name.lower() for name in members}) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return members


@contextlib.contextmanager
def _read_json(path: Path, name: str, layout: Literal["auto", "newline_delimited"]) -> Iterator[Rows]:
    connection = duckdb.connect(":memory:", config={**_READER, "temp_directory": str(path.parent)})
    try:
        relation = connection.read_json(
            str(path), format=layout, sample_size=-1, maximum_object_size=_MAX_RECORD_BYTES, records="true"
        )
        reader = relation.to_arrow_reader(_BATCH_ROWS)
        yield renamed(Rows(reader.schema, _translated(reader, name)))
    except duckdb.Error as problem:
        raise _unreadable(name, problem) from problem
    finally:
        connection.close()


def _translated(reader: pa.RecordBatchReader, name: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (duckdb.Error, OSError) as problem:
        raise _unreadable(name, problem) from problem


def _unreadable(name: str, problem: Exception) -> ThanosqlError:
    why = _PLACE.sub("", str(problem).split("\n", 1)[0])[:300]
    return error(Reason.INVALID_DATA, f"{name!r} cannot be read: {why}", path=name)
