"""The rows of a job, from the stream into a file of its folder: the two columns that count, nothing else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pyarrow as pa

from thanosql_runtime.errors import Reason, error
from thanosql_runtime.nearest import nearest


async def keep_rows(
    rows: AsyncIterator[pa.Schema | pa.RecordBatch], path: Path, audio_col: str, text_col: str
) -> int:
    """Write the rows as Arrow; answers how many they are.

    Raises:
        ThanosqlError: COLUMN_NOT_FOUND with the nearest name; INVALID_DATA for a column that holds no text.
    """
    schema = await anext(rows)
    columns = [_text_column(schema, name) for name in (audio_col, text_col)]
    kept = pa.schema([pa.field(name, pa.string()) for name in dict.fromkeys((audio_col, text_col))])
    count = 0
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, kept) as writer:
        async for batch in rows:
            table = pa.Table.from_batches([batch]).select(list(dict.fromkeys(columns))).cast(kept)
            await asyncio.to_thread(writer.write_table, table)
            count += batch.num_rows
    return count


def _text_column(schema: pa.Schema, name: str) -> str:
    if name not in schema.names:
        suggestion = nearest(name, schema.names)
        hint = f"did you mean {suggestion!r}?" if suggestion else f"it has: {', '.join(schema.names)}"
        message = f"the query has no column {name!r}; {hint}"
        raise error(Reason.COLUMN_NOT_FOUND, message, column=name)
    kind = schema.field(name).type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        message = f"column {name!r} holds {kind}, text is needed; name the column with audio_col or text_col"
        raise error(Reason.INVALID_DATA, message, column=name)
    return name
