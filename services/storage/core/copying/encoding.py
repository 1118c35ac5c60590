"""Text files are UTF-8; anything else is refused with the place where it stops being so."""

import codecs
from pathlib import Path
from typing import BinaryIO

from thanosql_runtime.errors import Reason, ThanosqlError, error

_CHUNK_BYTES = 1 << 20
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def require_utf8(path: Path, name: str) -> None:
    """Read a file through, in bounded memory.

    Raises:
        ThanosqlError: INVALID_ENCODING with the offset of the first wrong byte.
    """
    with path.open("rb") as file:
        require_utf8_file(file, name)


def require_utf8_file(file: BinaryIO, name: str) -> None:
    """Read an open file through from its start, as `require_utf8` does."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    file.seek(0)
    _refuse_other_marks(file.read(4), name)
    file.seek(0)
    while True:
        chunk = file.read(_CHUNK_BYTES)
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as problem:
            raise invalid_encoding(name, offset - pending + problem.start) from problem
        offset += len(chunk)
        if not chunk:
            return


def _refuse_other_marks(start: bytes, name: str) -> None:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if start.startswith(mark):
            raise invalid_encoding(name, 0, f"; it looks like {encoding}")


def invalid_encoding(name: str, offset: int, hint: str = "") -> ThanosqlError:
    """Build the error for text that is not UTF-8."""
    message = f"{name!r} is not UTF-8: the byte at offset {offset} is wrong{hint}; save it as UTF-8 first"
    return error(Reason.INVALID_ENCODING, message, path=name, byte_offset=str(offset))
