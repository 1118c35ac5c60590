"""The first rows of a file, read as COPY reads them, without the rest of it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from services.storage.core.copying.documents import read_parquet_file, require_excel_size
from services.storage.core.copying.formats import format_of, reader_of
from services.storage.core.copying.json_files import read_json_start
from services.storage.core.copying.report import CopyReport
from services.storage.core.tables.rows import Rows
from thanosql_objects.scratch import ScratchFolder
from thanosql_objects.workspace import Workspace

_SAMPLE_BYTES = 4 << 20
_EXCEL = ("xlsx", "xls")
_QUOTED = ("csv", "tsv")
_QUOTES_TRIED = 100


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The first rows; `is_final` says that the rest, if there is any, changes nothing of their columns."""

    rows: Rows
    is_final: bool


@contextlib.contextmanager
def read_sample(workspace: Workspace, source: str, report: CopyReport) -> Iterator[Sample]:
    """Read the start of a file; a small one, and one of Excel, is read whole.

    Raises:
        ThanosqlError: What a copy of the file would raise, as far as its start shows it.
    """
    kind, read = format_of(source), reader_of(source)
    size_bytes = workspace.stat(source).size_bytes
    if kind in _EXCEL:
        require_excel_size(size_bytes, source)
    if kind == "parquet":
        with (
            workspace.open(source) as file,
            read_parquet_file(file, size_bytes, source, report) as rows,
        ):
            yield Sample(rows=Rows(rows.schema, islice(rows.reader(), 1)), is_final=True)
    elif size_bytes <= _SAMPLE_BYTES or kind in _EXCEL:
        with workspace.local_copy(source) as path, read(path, source, report) as rows:
            yield Sample(rows=rows, is_final=True)
    elif kind == "json":
        with workspace.open(source) as file, read_json_start(file, source, _SAMPLE_BYTES, report) as rows:
            yield Sample(rows=rows, is_final=False)
    else:
        with (
            _start(workspace, source, quotes=kind in _QUOTED) as path,
            read(path, source, report) as rows,
        ):
            yield Sample(rows=rows, is_final=False)


@contextlib.contextmanager
def _start(workspace: Workspace, source: str, *, quotes: bool) -> Iterator[Path]:
    with workspace.open(source) as file:
        start = file.read(_SAMPLE_BYTES)
    with ScratchFolder("sample") as folder:
        path = Path(folder) / "start"
        path.write_bytes(whole_lines(start, quotes=quotes))
        yield path


def whole_lines(start: bytes, *, quotes: bool) -> bytes:
    """Return the lines of a text that is cut off somewhere, up to the last that is whole.

    Args:
        start: The text; without the end of any line it is returned as it is.
        quotes: Whether a line goes on while a quote is open.
    """
    last = end = start.rfind(b"\n") + 1
    for _ in range(_QUOTES_TRIED if quotes else 0):
        if start.count(b'"', 0, end) % 2 == 0:
            return start[:end] or start
        end = start.rfind(b"\n", 0, start.rfind(b'"', 0, end)) + 1
    return start[:last] or start  # Quotes stand in fields there that do not begin with one.
