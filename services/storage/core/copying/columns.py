"""Names and types of columns that come from files."""

import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from services.storage.core.tables.rows import Rows
from thanosql_runtime.errors import Reason, error

_LONGEST_NAME = 128
# A number that starts with a zero, a plus or many digits is an identifier: it would not survive.
_KINDS: tuple[tuple[str, pa.DataType], ...] = (
    (r"^-?(0|[1-9][0-9]{0,17})$", pa.int64()),
    (r"^-?((0|[1-9][0-9]{0,14})(\.[0-9]+)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$", pa.float64()),
    (r"^(?i:true|false)$", pa.bool_()),
    (r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", pa.date32()),
    (r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$", pa.timestamp("us")),
)
# An integer of so few characters is a float too.
_SHORT_INTEGER = 15


def clean_names(names: Iterable[str]) -> list[str]:
    """Return names that a table can have: trimmed, without dots and back-ticks, never empty.

    Raises:
        ThanosqlError: INVALID_DATA for a name that is no name.
    """
    cleaned = []
    for number, name in enumerate(names, start=1):
        plain = re.sub(r"[.`]", "_", re.sub(r"\s+", " ", name).strip()) or f"column_{number}"
        plain = re.sub(r"^__+", "_", plain)
        if len(plain) > _LONGEST_NAME or not plain.isprintable():
            raise error(
                Reason.INVALID_DATA,
                f"the header names a column {plain[:40]!r}, which cannot be kept; rename it",
            )
        cleaned.append(plain)
    return cleaned


def renamed(rows: Rows) -> Rows:
    """Return rows under clean names."""
    names = clean_names(rows.schema.names)
    fields = [field.with_name(name) for field, name in zip(rows.schema, names, strict=True)]
    schema = pa.schema(fields)
    batches = (pa.record_batch(batch.columns, schema=schema) for batch in rows.reader())
    return Rows(schema, batches, places=rows.places)


class TypeGuess:
    """The narrowest type that every text of one column has."""

    def __init__(self) -> None:
        self._left = list(_KINDS)
        self._seen = False

    def look(self, texts: pa.Array) -> None:
        """Rule out the types that some of these texts lack."""
        texts = texts.drop_null()
        if len(texts) == 0:
            return
        self._seen = True
        left: list[tuple[str, pa.DataType]] = []
        for pattern, kind in self._left:
            if _follows(texts, kind, left) or _fits(texts, pattern, kind):
                left.append((pattern, kind))
        self._left = left

    @property
    def type(self) -> pa.DataType:
        """The type; text where nothing narrower fits, or nothing was seen."""
        return self._left[0][1] if self._seen and self._left else pa.string()


def _follows(texts: pa.Array, kind: pa.DataType, fitting: list[tuple[str, pa.DataType]]) -> bool:
    """Tell whether a type needs no look, because a narrower one fits."""
    if not pa.types.is_floating(kind) or not fitting:
        return False
    return bool(pc.max(pc.binary_length(texts)).as_py() <= _SHORT_INTEGER)


def _fits(texts: pa.Array, pattern: str, kind: pa.DataType) -> bool:
    if not pc.all(pc.match_substring_regex(texts, pattern)).as_py():
        return False
    if not pa.types.is_temporal(kind):
        return True
    try:
        pc.cast(texts, kind)
    except pa.ArrowInvalid:
        return False  # Such as a 30th of February.
    return True
