"""PRINT AUDIO: the rows of a query as a table, and each recording to be played."""

import mimetypes

import pyarrow as pa

from services.gateway.core.columns import check_texts, find_column, texts
from services.gateway.core.events import MediaBytes, MediaStarted, SchemaKnown
from services.gateway.core.places import option_place, placed_at
from services.gateway.core.plans import PrintAudio
from services.gateway.core.queries import open_query
from services.gateway.core.records import OpenFile, RowError
from services.gateway.core.run import Run, count_of
from thanosql_runtime.errors import Reason, ThanosqlError, error

_OF_ONE_ROW = frozenset(
    {
        Reason.FILE_NOT_FOUND,
        Reason.AUDIO_NOT_FOUND,
        Reason.AUDIO_UNREADABLE,
        Reason.PATH_OUTSIDE_WORKSPACE,
        Reason.UNSUPPORTED_FORMAT,
        Reason.INVALID_ARGUMENT,
    }
)
# Names of formats that the platform's table of types may lack.
_MIME_TYPES = {
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
}


async def run_print(run: Run, statement: PrintAudio) -> None:
    """Answer the rows, then play each; a recording that cannot be read is a row error."""
    limit = run.limits.media_files
    paths: list[str | None] = []
    async with open_query(run, statement.query) as rows:
        index = media_column(run.text, statement, rows.schema)
        await run.emit(SchemaKnown(schema=rows.schema))
        async for batch in rows.batches:
            room = batch.slice(0, limit - len(paths))
            await run.answer_batch(room)
            paths.extend(texts(room, index))
            if room.num_rows < batch.num_rows:
                await run.notify(f"the first {limit} rows are shown; add LIMIT and OFFSET to see others")
                break
    played = 0
    for row, path in enumerate(paths):
        played += await _play(run, row, path or "")
    run.outcome.message = f"{count_of(played, 'recording')} of {count_of(len(paths), 'row')}"


def media_column(text: str, statement: PrintAudio, schema: pa.Schema) -> int:
    """Index of the column with the paths: the one that is named, else the only one there is."""
    with placed_at(option_place(text, statement, statement.audio_col)):
        only = len(schema) == 1
        index = 0 if only else find_column(schema, statement.audio_col, "recordings")
        check_texts(schema, index, "paths of recordings")
        return index


async def _play(run: Run, row: int, path: str) -> bool:
    try:
        mime_type = _mime_type(path)
        async with run.peers.files.read(path) as file:
            await _send(run, row, mime_type, file)
    except ThanosqlError as failure:
        if failure.reason not in _OF_ONE_ROW:
            raise
        reason = failure.reason.value
        await run.report([RowError(row=row, subject=path, reason=reason, message=failure.message)])
        return False
    return True


async def _send(run: Run, row: int, mime_type: str, file: OpenFile) -> None:
    facts = file.facts
    started = MediaStarted(row=row, path=facts.path, mime_type=mime_type, size_bytes=facts.size_bytes)
    await run.emit(started)
    # One chunk is held back, because only what follows tells whether it was the last.
    held = b""
    async for chunk in file.chunks:
        if held:
            await run.emit(MediaBytes(data=held, last=False))
        held = chunk
    await run.emit(MediaBytes(data=held, last=True))


def _mime_type(path: str) -> str:
    if not path:
        raise error(Reason.AUDIO_NOT_FOUND, "the row has no path of a recording")
    suffix = f".{path.rpartition('.')[2].lower()}"
    guessed = _MIME_TYPES.get(suffix) or mimetypes.guess_type(path)[0]
    if guessed and not guessed.startswith("audio/"):
        raise error(Reason.UNSUPPORTED_FORMAT, f"'{path}' is no recording by its name, but {guessed}")
    return guessed or "application/octet-stream"
