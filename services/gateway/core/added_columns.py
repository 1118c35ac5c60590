"""The columns that a model adds to the rows of a query: its result, and why a row has none."""

from collections.abc import AsyncIterator, Callable, Sequence

import pyarrow as pa

from services.gateway.core.columns import check_result_col, recordings_column, texts_column, without
from services.gateway.core.ordering import AnsweredChunk
from services.gateway.core.places import WithOptions, option_place, place
from services.gateway.core.plans import Convert, Evaluate, Predict
from services.gateway.core.records import RowAnswer
from services.gateway.core.run import Run
from thanosql_runtime.errors import Reason, error

ERROR_COLUMN = "error"

Results = Callable[[Sequence[RowAnswer]], Sequence[pa.Array]]
"""The values of the added columns but for `error`; null where a row failed."""


def extended_schema(
    text: str, statement: Predict | Convert, inner: pa.Schema, results: Sequence[pa.Field]
) -> pa.Schema:
    """The columns of the answer; raises where the query's columns do not fit the statement.

    Args:
        text: Of the call.
        statement: In it.
        inner: The query's columns.
        results: The columns that are added, the one that `result_col` names first; `error` follows.
    """
    option, column, words = "audio_col", statement.audio_col, "recordings"
    if isinstance(statement, Convert) and statement.text_col:
        option, column, words = "text_col", statement.text_col, "texts"
        texts_column(text, statement, inner, column)
    else:
        recordings_column(text, statement, inner, column)
    others = {field.name: f"the {field.name}" for field in results[1:]}
    taken = {**others, ERROR_COLUMN: "the reasons of failed rows", column: f"the {words}"}
    check_result_col(text, statement, taken)
    keep_input(text, statement, option, column, [*others, ERROR_COLUMN])
    fields = [inner.field(kept) for kept in kept_columns(inner, results)]
    return pa.schema([*fields, *results, pa.field(ERROR_COLUMN, pa.string())])


def keep_input(text: str, statement: WithOptions, option: str, column: str, added: Sequence[str]) -> None:
    """Raise INVALID_OPTION_VALUE where what is read would not stay to say what was heard in which.

    Args:
        text: Of the call.
        statement: In it.
        option: Names the column.
        column: What it names.
        added: Names of the new columns, in lower case.
    """
    if column.casefold() in added:
        message = (
            f"the new column '{column.casefold()}' would take the place of the one that is read; "
            "give that one another name in the query"
        )
        failure = error(Reason.INVALID_OPTION_VALUE, message, option=option)
        raise place(failure, option_place(text, statement, column))


def kept_columns(inner: pa.Schema, results: Sequence[pa.Field]) -> list[int]:
    """The query's columns that stay; one that has the name of an added one, whatever its case, does not."""
    return without(inner, [*(field.name for field in results), ERROR_COLUMN])


async def tell_replaced(
    run: Run, statement: Predict | Evaluate | Convert, inner: pa.Schema, results: Sequence[pa.Field]
) -> None:
    """Say which columns of the query do not stay."""
    kept = kept_columns(inner, results)
    replaced = [name for index, name in enumerate(inner.names) if index not in kept]
    if replaced:
        names = ", ".join(f"'{name}'" for name in replaced)
        choice = "" if isinstance(statement, Evaluate) else " or set result_col"
        await run.notify(
            f"the new columns take the place of the query's {names}; "
            f"to keep both, rename them in the query{choice}",
            statement.query.span,
        )


async def extended(
    chunks: AsyncIterator[AnsweredChunk], schema: pa.Schema, kept: Sequence[int], results: Results
) -> AsyncIterator[pa.RecordBatch]:
    """The rows with the columns added."""
    async for chunk in chunks:
        columns = [chunk.batch.column(index) for index in kept]
        failed = pa.array([_explanation(answer) for answer in chunk.answers], pa.string())
        yield pa.RecordBatch.from_arrays([*columns, *results(chunk.answers), failed], schema=schema)


def _explanation(answer: RowAnswer) -> str | None:
    return f"{answer.reason}: {answer.message}" if answer.failed else None
