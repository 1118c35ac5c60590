"""Names of tables: case-insensitive for users, safe as file names on disk."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

from thanosql_runtime.errors import Reason, ThanosqlError, error

_MAX_FILE_NAME = 200
_PLAIN = re.compile(r"[a-z0-9_]")
_ENCODED = re.compile(r"\.([0-9a-f]+)\.")
# Lance reads `a.b` as a path into a structure, and back-ticks as its quotes.
_PATH_CHARACTERS = frozenset(".`")


def fold(name: str) -> str:
    """Return the one spelling under which a table is kept and compared."""
    return unicodedata.normalize("NFC", name).lower()


def checked(name: str) -> str:
    """Return the folded name, refused where it cannot name a table.

    Raises:
        ThanosqlError: INVALID_NAME.
    """
    folded = fold(name)
    if not folded.strip() or any(unicodedata.category(character) == "Cc" for character in folded):
        raise error(Reason.INVALID_NAME, f"{name!r} cannot be the name of a table", table=name)
    if folded.startswith("__"):
        message = f"table name {name!r}: names that start with two underscores are the system's own"
        raise error(Reason.INVALID_NAME, message, table=name)
    if len(file_name(folded)) > _MAX_FILE_NAME:
        raise error(Reason.INVALID_NAME, f"table name {name[:40]!r}... is too long", table=name)
    return folded


def file_name(folded: str) -> str:
    """Write a folded name with letters, digits, underscores and dots only."""
    return "".join(c if _PLAIN.fullmatch(c) else f".{ord(c):x}." for c in folded)


def from_file_name(encoded: str) -> str:
    """Undo `file_name`."""
    return _ENCODED.sub(lambda match: chr(int(match[1], 16)), encoded)


def check_column_name(column: str, reason: Reason) -> None:
    """Refuse a column name that Lance would read as something else.

    Raises:
        ThanosqlError: Of the given reason.
    """
    if column.strip() and not column.startswith("__") and not set(column) & _PATH_CHARACTERS:
        return
    rule = "it may not be empty, hold a dot or a back-tick, or start with two underscores"
    raise error(reason, f"column name {column!r} cannot be kept: {rule}; give it another", column=column)


def find_column(columns: Iterable[str], name: str) -> str | None:
    """Return the column of that name, whatever its case."""
    return next((column for column in columns if fold(column) == fold(name)), None)


def quoted(name: str) -> str:
    """Write a name so that DuckDB takes it as one."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Write a text so that DuckDB takes it as one."""
    return "'" + text.replace("'", "''") + "'"


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name most like this one, or an empty string when none is near."""
    by_fold = {fold(candidate): candidate for candidate in known}
    matches = difflib.get_close_matches(fold(name), list(by_fold), n=1, cutoff=0.6)
    return by_fold[matches[0]] if matches else ""


def table_not_found(name: str, known: Iterable[str]) -> ThanosqlError:
    """Build the error for a table that does not exist."""
    return _missing(Reason.TABLE_NOT_FOUND, "table", name, tuple(known))


def column_not_found(name: str, known: Iterable[str]) -> ThanosqlError:
    """Build the error for a column that does not exist, which always names those that do."""
    return _missing(Reason.COLUMN_NOT_FOUND, "column", name, tuple(known))


def model_not_found(name: str, known: Iterable[str]) -> ThanosqlError:
    """Build the error for a model that does not exist."""
    return _missing(Reason.MODEL_NOT_FOUND, "model", name, tuple(known))


def _missing(reason: Reason, kind: str, name: str, known: tuple[str, ...]) -> ThanosqlError:
    suggestion = nearest(name, known)
    listing = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
    hint = f"; did you mean {suggestion!r}?" if suggestion else ""
    knowledge = f" known: {listing}" if listing else f" there is no {kind} yet"
    message = f"{kind} {name!r} does not exist{hint or ';'}{knowledge}"
    metadata = {kind: name, "suggestion": suggestion, "known": listing}
    return error(reason, message, **{key: value for key, value in metadata.items() if value})
