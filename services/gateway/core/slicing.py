"""The parts that the rows of EVALUATE fall into: slices by the values of columns, and groups to resample."""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import pyarrow as pa

from services.gateway.core.columns import find_column
from services.gateway.core.places import option_place, place, placed_at
from services.gateway.core.plans import Evaluate
from services.gateway.core.score_columns import SCORE_COLUMNS
from thanosql_runtime.errors import Reason, ThanosqlError, error

MOST_SLICES = 1000
NULL = "(null)"
_GROUP_BYTES = 8
_LONGEST_SHOWN = 200

Values = tuple[str | None, ...]


class Slices:
    """Numbers the slices as rows of them come.

    Args:
        text: Of the call.
        statement: In it.
        schema: The query's columns.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND, INVALID_DATA or INVALID_OPTION_VALUE, at the place of the option.
    """

    def __init__(self, text: str, statement: Evaluate, schema: pa.Schema) -> None:
        self._text = text
        self._statement = statement
        self._columns = [_column(text, statement, schema, name, "slices") for name in statement.slice_by]
        self._groups = _column(text, statement, schema, statement.resample_by, "groups to resample")
        self._numbers: dict[Values, int] = {}
        self.names = [schema.names[index] for index in self._columns if index is not None]
        _check_names(text, statement, self.names)

    def numbers(self, batch: pa.RecordBatch) -> Sequence[int | None]:
        """The slice of each row; None for all where there are none.

        Raises:
            ThanosqlError: INVALID_OPTION_VALUE where there are more of them than there may be.
        """
        if not self._columns:
            return [None] * batch.num_rows
        values = [_shown(batch.column(index).to_pylist()) for index in self._columns]
        return [self._number(row) for row in zip(*values, strict=True)]

    def groups(self, batch: pa.RecordBatch) -> Sequence[int | None]:
        """What each row is drawn together with; None for all where each is drawn alone."""
        if self._groups is None:
            return [None] * batch.num_rows
        return [_hash(value) for value in _shown(batch.column(self._groups).to_pylist())]

    def labels(self) -> Mapping[int, Sequence[str]]:
        """The values of each slice as they are shown."""
        return {
            number: [NULL if value is None else value[:_LONGEST_SHOWN] for value in values]
            for values, number in self._numbers.items()
        }

    @property
    def explained(self) -> str:
        """What is counted apart, and what the intervals are drawn from, in words."""
        apart = f", also apart for each value of {_quoted(self.names)}" if self.names else ""
        resampled = self._statement.resample_by
        units = f"groups of rows with one '{resampled}'" if resampled else "rows"
        return f"{apart}; draw the confidence intervals from {units}"

    def _number(self, values: Values) -> int:
        if values not in self._numbers and len(self._numbers) == MOST_SLICES:
            message = (
                f"the rows have more than {MOST_SLICES} different values of {_quoted(self.names)}; "
                "slice by a column with fewer, or bring them together in the query"
            )
            raise _refusal(self._text, self._statement, message)
        return self._numbers.setdefault(values, len(self._numbers))


class RowsMark:
    """The same for the same recordings with the same texts, whatever their order."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, paths: Sequence[str | None], references: Sequence[str | None]) -> None:
        """Take in some rows."""
        for path, reference in zip(paths, references, strict=True):
            self._sum += _hash(repr((path, reference)))

    @property
    def text(self) -> str:
        """Sixteen hexadecimal digits."""
        return f"{self._sum % 2**64:016x}"


def _column(text: str, statement: Evaluate, schema: pa.Schema, name: str, purpose: str) -> int | None:
    if not name:
        return None
    with placed_at(option_place(text, statement, name)):
        index = find_column(schema, name, purpose)
        field = schema.field(index)
        if pa.types.is_nested(field.type) or pa.types.is_binary(field.type):
            message = f"column '{field.name}' holds {field.type}, which makes no {purpose}; choose another"
            raise error(Reason.INVALID_DATA, message, column=field.name)
        return index


def _check_names(text: str, statement: Evaluate, names: Sequence[str]) -> None:
    taken = [name for name in names if name.casefold() in SCORE_COLUMNS]
    if taken:
        message = (
            f"slice_by cannot be {_quoted(taken)}: a score has that name; rename the column in the query"
        )
        raise _refusal(text, statement, message)


def _refusal(text: str, statement: Evaluate, message: str) -> ThanosqlError:
    failure = error(Reason.INVALID_OPTION_VALUE, message, option="slice_by")
    return place(failure, option_place(text, statement, statement.slice_by[0]))


# Any value that a column may hold.
def _shown(values: Iterable[object]) -> list[str | None]:
    return [None if value is None else _word(value) for value in values]


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _hash(value: str | None) -> int:
    """The same for the same value, whichever the process; two values share one as good as never."""
    digest = blake2b(b"" if value is None else b"=" + value.encode(), digest_size=_GROUP_BYTES).digest()
    return int.from_bytes(digest)


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
