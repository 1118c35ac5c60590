"""parquet and Excel files: their columns have types already."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from services.storage.core.copying.columns import renamed
from services.storage.core.copying.report import CopyReport
from services.storage.core.copying.sources import unreadable
from services.storage.core.tables.rows import Rows
from thanosql_runtime.errors import Reason, ThanosqlError, error

_BATCH_ROWS = 8192
_MAX_EXCEL_BYTES = 64 << 20
_MAX_UNPACKED_BYTES = 256 << 20


@contextlib.contextmanager
def read_parquet(path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of a parquet file."""
    with path.open("rb") as file, read_parquet_file(file, path.stat().st_size, name, report) as rows:
        yield rows


@contextlib.contextmanager
def read_parquet_file(file: BinaryIO, size_bytes: int, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of an open parquet file; only what is asked for is read of it."""
    try:
        with pq.ParquetFile(file) as parquet:
            batches = _told(parquet, size_bytes, report)
            yield renamed(Rows(parquet.schema_arrow.remove_metadata(), batches))
    except (pa.ArrowException, OSError) as problem:
        raise unreadable(name, problem) from problem


@contextlib.contextmanager
def read_excel(path: Path, name: str, report: CopyReport) -> Iterator[Rows]:
    """Give the rows of the first sheet; the file is read whole, so it may not be large."""
    size_bytes = path.stat().st_size
    require_excel_size(size_bytes, name)
    unpacked_bytes = _unpacked_bytes(path)
    if unpacked_bytes > _MAX_UNPACKED_BYTES:
        raise _too_large(name, f"{unpacked_bytes} bytes when it is unpacked", _MAX_UNPACKED_BYTES)
    report.advance(rows=0, done=0, total=size_bytes)
    try:
        frame = pd.read_excel(path, dtype_backend="numpy_nullable")
        columns = {str(name): _sheet_column(frame[name]) for name in frame.columns}
    # Whatever a spreadsheet library raises at a broken file: they share no base class.
    except Exception as problem:
        unknown = "format cannot be determined" in str(problem)
        raise unreadable(name, "it is not an Excel file" if unknown else problem) from problem
    table = pa.table(columns)
    yield renamed(Rows(table.schema, table.to_batches(max_chunksize=_BATCH_ROWS)))


def require_excel_size(size_bytes: int, name: str) -> None:
    """Refuse a file that is too large to be read whole.

    Raises:
        ThanosqlError: INVALID_DATA.
    """
    if size_bytes > _MAX_EXCEL_BYTES:
        raise _too_large(name, f"{size_bytes} bytes", _MAX_EXCEL_BYTES)


def _unpacked_bytes(path: Path) -> int:
    """Add up what the entries of an xlsx say they hold; no more than that is read of any of them."""
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())
    return 0  # An xls, or no spreadsheet at all.


def _too_large(name: str, size: str, limit_bytes: int) -> ThanosqlError:
    message = f"{name!r} has {size}; Excel files above {limit_bytes} are not read: use csv"
    return error(Reason.INVALID_DATA, message, path=name)


def _sheet_column(column: "pd.Series[Any]") -> pa.Array:  # Any: cells are what they are
    """Return a column of a sheet; cells of several types become text."""
    try:
        return pa.array(column, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if pd.isna(cell) else str(cell) for cell in column], pa.string())


def _told(file: pq.ParquetFile, total: int, report: CopyReport) -> Iterator[pa.RecordBatch]:
    """Yield the rows, and say how many of the file's bytes they are."""
    rows = 0
    report.advance(rows=0, done=0, total=total)
    for batch in file.iter_batches(batch_size=_BATCH_ROWS):
        rows += batch.num_rows
        report.advance(rows=rows, done=total * rows // file.metadata.num_rows, total=total)
        yield batch
