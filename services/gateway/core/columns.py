"""Columns of streams of rows: found by name, read as text, added at the end."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from services.gateway.core.places import NOWHERE, WithOptions, option_place, place, placed_at
from services.gateway.core.plans import Convert, Predict, SearchKeyword, SearchNearest
from thanosql_runtime.errors import Reason, StatementError, ThanosqlError, error
from thanosql_runtime.nearest import nearest


def find_column(schema: pa.Schema, name: str, purpose: str) -> int:
    """Index of the column: the exact name first, then without regard to case.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND, with the columns that there are.
    """
    index = index_of(schema.names, name)
    if index is None:
        raise missing_column(schema.names, name, f"the query has no column '{name}' for the {purpose}")
    return index


def index_of(names: Sequence[str], name: str) -> int | None:
    """Index of the name: the exact one first, then without regard to case; None where there is none."""
    if name in names:
        return list(names).index(name)
    folded = [known.casefold() for known in names]
    return folded.index(name.casefold()) if name.casefold() in folded else None


def check_texts(schema: pa.Schema, index: int, purpose: str) -> None:
    """Raise INVALID_DATA unless the column can hold text."""
    column = schema.field(index)
    if not holds_text(column.type):
        raise ThanosqlError(
            reason=Reason.INVALID_DATA,
            message=f"column '{column.name}' holds {column.type}, not {purpose}; choose a column of text",
            metadata={"column": column.name},
        )


def recordings_column(text: str, statement: WithOptions, schema: pa.Schema, name: str) -> int:
    """Index of the column with the paths of recordings, which an option names.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND or INVALID_DATA, at the place of the option.
    """
    with placed_at(option_place(text, statement, name)):
        index = find_column(schema, name, "recordings")
        check_texts(schema, index, "paths of recordings")
        return index


def texts_column(text: str, statement: WithOptions, schema: pa.Schema, name: str) -> int:
    """Index of the column with texts, which an option names.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND or INVALID_DATA, at the place of the option.
    """
    with placed_at(option_place(text, statement, name)):
        index = find_column(schema, name, "texts")
        check_texts(schema, index, "texts")
        return index


def holds_text(kind: pa.DataType) -> bool:
    """Whether values of this type are text or nothing."""
    value_type = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_text = pa.types.is_string(value_type) or pa.types.is_large_string(value_type)
    return bool(is_text or pa.types.is_string_view(value_type) or pa.types.is_null(value_type))


def texts(batch: pa.RecordBatch, index: int) -> list[str | None]:
    """The column's values; None where there is none."""
    values: list[str | None] = batch.column(index).to_pylist()
    return values


def without(schema: pa.Schema, names: Sequence[str]) -> list[int]:
    """Indices of the columns whose names are not among `names`, whatever their case."""
    dropped = {name.casefold() for name in names}
    return [index for index, name in enumerate(schema.names) if name.casefold() not in dropped]


def check_result_col(
    text: str, statement: Predict | Convert | SearchNearest | SearchKeyword, taken: Mapping[str, str]
) -> None:
    """Raise INVALID_OPTION_VALUE where the result has the name of a column that the answer has already.

    Args:
        text: Of the call.
        statement: In it.
        taken: Names of columns, whatever their case, and what these hold.
    """
    name = statement.result_col
    held = {column.casefold(): what for column, what in taken.items()}.get(name.casefold())
    if held is not None:
        message = f"result_col cannot be '{name}': that column holds {held}; choose another"
        failure = error(Reason.INVALID_OPTION_VALUE, message, option="result_col")
        raise place(failure, option_place(text, statement, name))


def missing_column(known: Sequence[str], name: str, problem: str) -> ThanosqlError:
    """COLUMN_NOT_FOUND with the problem in words, the nearest name, and those that there are."""
    suggestion = nearest(name, known)
    hint = f"; did you mean '{suggestion}'?" if suggestion else ""
    columns = ", ".join(known) or "none"
    return ThanosqlError(
        reason=Reason.COLUMN_NOT_FOUND,
        message=f"{problem}{hint}; it has: {columns}",
        metadata={"column": name},
        statement=StatementError(span=NOWHERE, suggestion=suggestion, known=tuple(known)),
    )
