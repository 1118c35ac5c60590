"""EXPLAIN COPY: what would be read, what it would become, and what the table would make of it."""

from services.gateway.core.changing import table_exists
from services.gateway.core.copy_records import CopyExplanation
from services.gateway.core.copying import copy_fault
from services.gateway.core.places import place
from services.gateway.core.plan_changes import Copy
from services.gateway.core.run import Run, count_of
from thanosql_runtime.errors import ThanosqlError

_FOLDERS = ("folder of audio", "LibriSpeech tree")


async def copy_steps(run: Run, statement: Copy) -> list[str]:
    """What the copy would do, or the error that it would end with."""
    name = statement.table.text
    try:
        seen = await run.peers.tables.explain_copy(statement)
    except ThanosqlError as failure:
        raise place(failure, copy_fault(failure, statement))  # noqa: B904 - the same error, placed
    exists = await table_exists(run, name)
    what = {"REPLACE": "replace", "APPEND": "add to"}.get(statement.if_exists, "make") if exists else "make"
    return [
        f"read {_source(statement, seen)}: {_columns(seen)}",
        *([_kept(seen)] if statement.store_audio else []),
        f"keep rows that cannot be read in table '{name}_quarantine'{_left_out(seen)}",
        f"{what} table '{name}' in one commit",
        *seen.notices,
    ]


def _source(statement: Copy, seen: CopyExplanation) -> str:
    size = count_of(seen.size_bytes, "byte")
    if not seen.files:
        return f"{seen.format}, {size}"
    if seen.format not in _FOLDERS:
        return f"'{statement.source}', {seen.format}, {size}"
    more = "" if seen.is_final else " or more"
    return f"'{statement.source}', {seen.format}, {count_of(seen.files, 'file')}{more}, {size}{more}"


def _columns(seen: CopyExplanation) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in seen.columns)
    if seen.is_final or seen.format in _FOLDERS:
        return columns
    return f"{columns}, going by its first {count_of(seen.rows_read, 'row')}"


def _kept(seen: CopyExplanation) -> str:
    of_a_folder = seen.format in _FOLDERS
    more = " or more" if of_a_folder and not seen.is_final else ""
    looked = seen.rows_read + seen.rows_quarantined
    among = "" if of_a_folder else f" in the first {count_of(looked, 'row')}"
    recordings = f"{count_of(seen.audio_files, 'recording')}{more}{among}"
    what = "store what is not in keeping yet under audio/sha256/, each recording once by its content"
    return f"{what}: {recordings}, {count_of(seen.audio_bytes, 'byte')}{more}"


def _left_out(seen: CopyExplanation) -> str:
    if not seen.rows_quarantined:
        return ""
    first = seen.quarantined[0]
    among = "" if seen.is_final else " so far"
    return f": {count_of(seen.rows_quarantined, 'row')}{among}, the first is {first.subject}: {first.message}"
