"""json and jsonl: every record is looked at alone, then DuckDB reads those that can be rows."""

import contextlib
import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import duckdb
import pyarrow as pa

from services.storage.core.copying.columns import renamed
from services.storage.core.copying.decoding import JsonDecoder
from services.storage.core.copying.elements import BrokenJsonError, JsonElements
from services.storage.core.copying.encoding import require_utf8, require_utf8_file
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.sources import JSON_TEXT, shown, unreadable
from services.storage.core.names import quoted
from services.storage.core.tables.rows import Rows
from services.storage.core.types import RowPlace, RowProblem
from thanosql_objects.scratch import ScratchFolder
from thanosql_runtime.errors import Reason, error

_BATCH_ROWS = 8192
_PLACE = struct.Struct("<qq")
_NO_OBJECT = "not a JSON object"
_NESTED_TOO_DEEPLY = "not JSON that can be kept: nested too deeply"
_MAX_RECORD_BYTES = 64 << 20
_READER: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "1GiB",
    "threads": 2,
    "autoinstall_known_extensions": False,
}


@contextlib.contextmanager
def read_json_lines(path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give one row for each line that is a JSON object; other lines go to quarantine."""
    require_utf8(path, name)
    with _kept_records(_line_records(path), name, path.stat().st_size, report) as rows:
        yield rows


@contextlib.contextmanager
def read_json(path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give one row for each object of a JSON array, or of values that follow one another.

    Other values go to quarantine; text that is no JSON refuses the file, because nothing tells where
    the next value begins.
    """
    require_utf8(path, name)
    with (
        path.open(encoding="utf-8-sig", newline="") as file,
        _kept_records(_element_records(file), name, path.stat().st_size, report) as rows,
    ):
        yield rows


@contextlib.contextmanager
def read_json_start(file: BinaryIO, name: str, size_bytes: int, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of the first values of a JSON file, about so many bytes of them."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        with _kept_records(_first(_element_records(text), size_bytes), name, size_bytes, report) as rows:
            yield rows
    except UnicodeDecodeError:
        require_utf8_file(file, name)  # Says where; it was read as far as that.
        raise


def _first(records: "Iterator[_Record]", size_bytes: int) -> "Iterator[_Record]":
    for record in records:
        yield record
        size_bytes -= record.size_bytes
        if size_bytes <= 0:
            return


@contextlib.contextmanager
def read_json_text(text: str, report: CopyReport) -> Iterator[Rows]:
    """Give one row for each object of a JSON array that stands in the statement itself."""
    records = _element_records(io.StringIO(text))
    with _kept_records(records, JSON_TEXT, len(text.encode()), report) as rows:
        yield rows


@dataclass(frozen=True, kw_only=True)
class _Record:
    """One value of a file: its text, the bytes that it takes, and why it is no row, if it is none."""

    line: int
    text: str
    size_bytes: int
    problem: str


def _line_records(path: Path) -> Iterator[_Record]:
    decoder = JsonDecoder()
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            problem = _line_problem(text, decoder) if text else ""
            yield _Record(line=number, text=text, size_bytes=len(line), problem=problem)


def _element_records(file: TextIO) -> Iterator[_Record]:
    for element in JsonElements(file):
        # In a valid value, a line break stands between tokens alone.
        text = element.text.replace("\n", " ").replace("\r", " ")
        is_object = isinstance(element.value, dict)
        problem = element.problem or _value_problem(element.value, text) if is_object else _NO_OBJECT
        yield _Record(line=element.line, text=text, size_bytes=len(text), problem=problem)


@contextlib.contextmanager
def _kept_records(records: Iterator[_Record], name: str, total: int, report: CopyReport) -> Iterator[Rows]:
    """Give the records that are rows, read by DuckDB from a file that holds no others."""
    with ScratchFolder("json") as folder:
        clean, places = Path(folder) / "records.jsonl", Path(folder) / "places"
        try:
            with places.open("wb") as noted:
                rows = _keep(records, clean, noted, name, total, report)
        except BrokenJsonError as problem:
            raise unreadable(name, problem) from problem
        report.require_rows(rows, name)
        if not rows:
            raise error(Reason.INVALID_DATA, f"{shown(name)} holds no JSON object", path=name)
        with _read_json(clean, name) as read:
            read.places = _noted_places(places)
            yield read


def _noted_places(path: Path) -> Iterator[RowPlace]:
    with path.open("rb") as file:
        while noted := file.read(_PLACE.size):
            yield RowPlace(*_PLACE.unpack(noted))


def _keep(
    records: Iterator[_Record], clean: Path, places: BinaryIO, name: str, total: int, report: CopyReport
) -> int:
    done = rows = number = 0
    report.advance(rows=0, done=0, total=total)
    with clean.open("w", encoding="utf-8", newline="") as goal:
        for record in records:
            done += record.size_bytes
            if record.problem:
                report.quarantine(
                    RowProblem(
                        row=number, subject=f"line {record.line}", source=name, message=record.problem,
                        line=record.line, raw=record.text,
                    )
                )  # fmt: skip
            elif record.text:
                goal.write(record.text + "\n")
                places.write(_PLACE.pack(number, record.line))
                rows += 1
            number += bool(record.text)
            if number % _BATCH_ROWS == 0:
                report.advance(rows=rows, done=min(done, total), total=total)
    return rows


def _line_problem(line: str, decoder: JsonDecoder) -> str:
    try:
        value = decoder.decode(line)
    except ValueError as problem:
        return decoder.problem or f"not JSON: {problem}"
    except RecursionError:
        return decoder.problem or _NESTED_TOO_DEEPLY
    return decoder.problem or _value_problem(value, line)


def _value_problem(value: object, text: str) -> str:
    try:
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # Half of a surrogate pair is no text.
    except UnicodeEncodeError:
        return "not JSON: an escape that is half of a character"
    except RecursionError:
        return _NESTED_TOO_DEEPLY
    if not isinstance(value, dict):
        return _NO_OBJECT
    return "" if value else "an object without a single name"


@contextlib.contextmanager
def _read_json(path: Path, name: str) -> Iterator[Rows]:
    connection = duckdb.connect(":memory:", config={**_READER, "temp_directory": str(path.parent)})
    try:
        relation = connection.read_json(
            str(path),
            format="newline_delimited",
            sample_size=-1,
            maximum_object_size=_MAX_RECORD_BYTES,
            map_inference_threshold=-1,
            records="true",
        )
        reader = relation.project(_columns(relation)).to_arrow_reader(_BATCH_ROWS)
        yield renamed(Rows(reader.schema, _translated(reader, name)))
    except duckdb.Error as problem:
        raise unreadable(name, problem) from problem
    finally:
        connection.close()


def _columns(relation: duckdb.DuckDBPyRelation) -> str:
    """Select every column; one whose values have several types as text, without the quotes of JSON."""
    selected = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        column = quoted(name)
        mixed = str(kind) == "JSON"
        selected.append(f"({column} ->> '$') AS {column}" if mixed else column)
    return ", ".join(selected)


def _translated(reader: pa.RecordBatchReader, name: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (duckdb.Error, OSError) as problem:
        raise unreadable(name, problem) from problem
