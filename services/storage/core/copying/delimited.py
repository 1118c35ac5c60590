"""csv and tsv: read once as text, typed by everything that was read, then handed on as columns."""

import contextlib
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from services.storage.core.copying.columns import TypeGuess, clean_names
from services.storage.core.copying.encoding import require_utf8
from services.storage.core.copying.records import RecordSpool
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.sources import unreadable
from services.storage.core.spooling import Spool
from services.storage.core.tables.rows import Rows
from services.storage.core.types import RowPlace, RowProblem
from thanosql_runtime.errors import Reason, error

_BLOCK_BYTES = 1 << 20
_BAD_ROWS = pa.schema({"row": pa.int64(), "message": pa.string(), "raw": pa.string()})


@contextlib.contextmanager
def read_delimited(delimiter: str, path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of a file with a header line; rows of another width go to quarantine.

    Raises:
        ThanosqlError: INVALID_ENCODING, or INVALID_DATA for a file without a header.
    """
    require_utf8(path, name)
    source = _Source(path=path, name=name, delimiter=delimiter, header=_header(path, name, delimiter))
    names = clean_names(source.header.names)
    schema = pa.schema([pa.field(column, pa.string()) for column in names])
    Rows(schema, ()).check_names()
    with Spool(schema) as spool:
        guesses = [TypeGuess() for _ in names]
        for batch in _text_batches(source, schema, report):
            for guess, column in zip(guesses, batch.columns, strict=True):
                guess.look(column)
            spool.write(batch)
        spool.finish()
        report.require_rows(spool.row_count, name)
        typed = pa.schema([field.with_type(g.type) for field, g in zip(schema, guesses, strict=True)])
        batches = (_typed(batch, typed) for batch in spool.batches())
        yield Rows(typed, batches, places=_places(source, len(names)))


@dataclass(frozen=True, kw_only=True)
class _Header:
    """The names in the first line that is not blank, and how much of the file they take."""

    names: list[str]
    lines: int
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A file and how to read it."""

    path: Path
    name: str
    delimiter: str
    header: _Header


def _header(path: Path, name: str, delimiter: str) -> _Header:
    size_bytes = lines = 0

    def texts() -> Iterator[str]:
        nonlocal size_bytes, lines
        for line in file:
            size_bytes += len(line)
            lines += 1
            yield line.decode("utf-8-sig" if lines == 1 else "utf-8")

    with path.open("rb") as file:
        try:
            names = next(fields for fields in csv.reader(texts(), delimiter=delimiter) if _has_text(fields))
        except StopIteration:
            raise error(Reason.INVALID_DATA, f"{name!r} is empty: it has no header line", path=name) from None
        except csv.Error as problem:
            message = f"the header of {name!r} cannot be read: {problem}"
            raise error(Reason.INVALID_DATA, message, path=name) from problem
    return _Header(names=names, lines=lines, size_bytes=size_bytes)


def _has_text(fields: list[str]) -> bool:
    return len(fields) > 1 or bool(fields and fields[0].strip())


def _text_batches(source: _Source, schema: pa.Schema, report: CopyReport) -> Iterator[pa.RecordBatch]:
    total = source.path.stat().st_size
    rows = 0
    if total == source.header.size_bytes:
        return
    with RecordSpool(_BAD_ROWS) as bad:
        try:
            with source.path.open("rb") as file:
                file.seek(source.header.size_bytes)
                for batch in _open(file, source.delimiter, schema, partial(_leave_out, bad)):
                    rows += batch.num_rows
                    report.advance(rows=rows, done=min(file.tell(), total), total=total)
                    if batch.num_rows:
                        yield batch
        except pa.ArrowInvalid as problem:
            if "Empty CSV" not in str(problem):
                raise unreadable(source.name, _words(problem)) from problem
        _quarantine(source, bad, report)


def _words(problem: pa.ArrowInvalid) -> str:
    if "straddling object" in str(problem):
        return f"a row is longer than {_BLOCK_BYTES >> 20} MiB; is there a quote that nothing closes?"
    return str(problem)


def _leave_out(bad: RecordSpool, row: pacsv.InvalidRow) -> str:
    fields = "field" if row.actual_columns == 1 else "fields"
    message = f"{row.actual_columns} {fields} where the header has {row.expected_columns}"
    bad.add({"row": (row.number or 1) - 1, "message": message, "raw": row.text})
    return "skip"


def _quarantine(source: _Source, bad: RecordSpool, report: CopyReport) -> None:
    """Report the bad rows by their lines, which only a second reading can tell."""
    if not bad.row_count:
        return
    width = len(source.header.names)
    lines = (line for line, fields in _lines(source) if fields != width)
    for record in bad.records():
        line = next(lines, None)
        subject = f"line {line}" if line else f"row {record['row'] + 1}"
        report.quarantine(RowProblem(**record, subject=subject, source=source.name, line=line))


def _places(source: _Source, width: int) -> Iterator[RowPlace]:
    """Yield where the rows of the header's width stand, which only another reading can tell."""
    for row, (line, fields) in enumerate(_lines(source)):
        if fields == width:
            yield RowPlace(row, line)


def _lines(source: _Source) -> Iterator[tuple[int, int]]:
    """Yield the first line of each row, and how many fields it has."""
    with source.path.open(encoding="utf-8", newline="") as file:
        file.seek(source.header.size_bytes)
        reader = csv.reader(file, delimiter=source.delimiter)
        line = source.header.lines + 1
        try:
            for fields in reader:
                if fields:
                    yield line, len(fields)
                line = source.header.lines + reader.line_num + 1
        except csv.Error:
            return  # Arrow reads longer fields than this reader, so the rows after one have no line.


def _open(file: object, delimiter: str, schema: pa.Schema, invalid: object) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        file,
        read_options=pacsv.ReadOptions(
            # Row numbers are known only to a reader that uses one thread.
            use_threads=False,
            block_size=_BLOCK_BYTES,
            column_names=schema.names,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=invalid
        ),
        convert_options=pacsv.ConvertOptions(
            column_types=schema, strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""]
        ),
    )


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [pc.cast(column, field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.record_batch(columns, schema=schema)
