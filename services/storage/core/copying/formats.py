"""Which file is read how: the end of its name says it."""

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from services.storage.core.copying.delimited import read_delimited
from services.storage.core.copying.documents import read_excel, read_parquet
from services.storage.core.copying.json_files import read_json, read_json_lines
from services.storage.core.copying.report import CopyReport
from services.storage.core.tables.rows import Rows
from thanosql_runtime.errors import Reason, error

Read = Callable[[Path, str, CopyReport], contextlib.AbstractContextManager[Rows]]
_READERS: Mapping[str, Read] = {
    ".csv": partial(read_delimited, ","),
    ".tsv": partial(read_delimited, "\t"),
    ".json": read_json,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
    ".xlsx": read_excel,
    ".xls": read_excel,
}
_FORMATS = f"{', '.join(_READERS)}, or a folder of audio"


def format_of(source: str) -> str:
    """Return the format of a file, such as `csv`.

    Raises:
        ThanosqlError: UNSUPPORTED_FORMAT.
    """
    ending = PurePosixPath(source).suffix.lower()
    if ending not in _READERS:
        message = f"{source!r} is not a format that COPY reads: {_FORMATS}"
        raise error(Reason.UNSUPPORTED_FORMAT, message, path=source)
    return ending.removeprefix(".")


def reader_of(source: str) -> Read:
    """Return what reads a file.

    Raises:
        ThanosqlError: UNSUPPORTED_FORMAT.
    """
    return _READERS[f".{format_of(source)}"]
