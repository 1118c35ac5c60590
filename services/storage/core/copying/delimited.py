"""csv and tsv: read once as text, typed by everything that was read, then handed on as columns."""

import contextlib
import csv
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from services.storage.core.copying.columns import TypeGuess, clean_names
from services.storage.core.copying.encoding import require_utf8
from services.storage.core.copying.report import CopyReport
from services.storage.core.rows import Rows
from services.storage.core.spooling import Spool
from thanosql_runtime.errors import Reason, error

_BLOCK_BYTES = 1 << 20


@contextlib.contextmanager
def read_delimited(path: Path, name: str, delimiter: str, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of a file with a header line; rows of another width go to quarantine.

    Raises:
        ThanosqlError: INVALID_ENCODING, or INVALID_DATA for a file without a header.
    """
    require_utf8(path, name)
    header = clean_names(_header(path, name, delimiter))
    schema = pa.schema([pa.field(column, pa.string()) for column in header])
    Rows(schema, ()).check_names()
    with Spool(schema) as spool:
        guesses = [TypeGuess() for _ in header]
        for batch in _text_batches(path, name, delimiter, schema, report):
            for guess, column in zip(guesses, batch.columns, strict=True):
                guess.look(column)
            spool.write(batch)
        spool.finish()
        typed = pa.schema([field.with_type(g.type) for field, g in zip(schema, guesses, strict=True)])
        yield Rows(typed, (_typed(batch, typed) for batch in spool.batches()))


def _header(path: Path, name: str, delimiter: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = (line for line in file if line.strip())
        try:
            return next(csv.reader(lines, delimiter=delimiter))
        except StopIteration:
            raise error(Reason.INVALID_DATA, f"{name!r} is empty: it has no header line", path=name) from None
        except csv.Error as problem:
            message = f"the header of {name!r} cannot be read: {problem}"
            raise error(Reason.INVALID_DATA, message, path=name) from problem


def _text_batches(
    path: Path, name: str, delimiter: str, schema: pa.Schema, report: CopyReport
) -> Iterator[pa.RecordBatch]:
    def leave_out(row: pacsv.InvalidRow) -> str:
        message = f"{row.actual_columns} fields where the header has {row.expected_columns}"
        number = row.number or 0
        report.quarantine(max(0, number - 2), f"line {number}", message)
        return "skip"

    total = path.stat().st_size
    rows = 0
    try:
        with path.open("rb") as file, _open(file, delimiter, schema, leave_out) as reader:
            for batch in reader:
                rows += batch.num_rows
                report.advance(rows=rows, done=min(file.tell(), total), total=total)
                if batch.num_rows:
                    yield batch
    except pa.ArrowInvalid as problem:
        if "Empty CSV" in str(problem):
            return  # A header and nothing after it.
        raise error(Reason.INVALID_DATA, f"{name!r} cannot be read: {problem}", path=name) from problem


def _open(file: object, delimiter: str, schema: pa.Schema, invalid: object) -> pacsv.CSVStreamingReader:
    return pacsv.open_csv(
        file,
        read_options=pacsv.ReadOptions(
            # Row numbers are known only to a reader that uses one thread.
            use_threads=False,
            block_size=_BLOCK_BYTES,
            column_names=schema.names,
            skip_rows_after_names=1,
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
