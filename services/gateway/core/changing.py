"""Statements that change tables, models or jobs in one step: CREATE TABLE AS, INSERT, UPDATE and the like."""

from dataclasses import replace

from services.gateway.core.copying import run_copy
from services.gateway.core.events import JobChanged
from services.gateway.core.places import place, placed_at, placed_at_version
from services.gateway.core.plan_changes import (
    AlterTable,
    Copy,
    CreateTableAs,
    Delete,
    DropTable,
    Insert,
    RestoreTable,
    Update,
)
from services.gateway.core.plan_parts import Name
from services.gateway.core.plan_upkeep import DeleteTranscripts, UnloadModel
from services.gateway.core.plans import (
    ActivateModel,
    CancelJob,
    Change,
    DeleteModel,
    ResumeJob,
    UploadModel,
    split_version,
)
from services.gateway.core.ports import WriteTarget
from services.gateway.core.queries import open_query
from services.gateway.core.run import Run, count_of
from services.gateway.core.upkeep import run_upkeep
from services.gateway.core.uploading import run_upload
from thanosql_runtime.errors import Reason, ThanosqlError, error


async def run_change(run: Run, statement: Change) -> None:
    """Make the change; the outcome says what it was."""
    match statement:
        case Copy():
            await run_copy(run, statement)
        case CreateTableAs():
            await _create(run, statement)
        case Insert():
            await _insert(run, statement)
        case RestoreTable():
            await _restore(run, statement)
        case ActivateModel():
            await _activate(run, statement)
        case UploadModel():
            await run_upload(run, statement)
        case DeleteTranscripts() | UnloadModel():
            await run_upkeep(run, statement)
        case DeleteModel() | CancelJob():
            await _end(run, statement)
        case ResumeJob():
            await _resume(run, statement)
        case _:
            with placed_at(statement.table.span):
                await _alter(run, statement)


async def _create(run: Run, statement: CreateTableAs) -> None:
    name = statement.table
    # Asked before the rows are made: a prediction over a large table would be made for nothing.
    if not statement.or_replace and await table_exists(run, name.text):
        if statement.if_not_exists:
            run.outcome.message = f"table '{name.text}' exists; nothing was done"
            return
        raise place(
            error(
                Reason.TABLE_ALREADY_EXISTS,
                f"table '{name.text}' exists; write CREATE OR REPLACE TABLE, or choose another name",
                table=name.text,
            ),
            name.span,
        )
    target = creation_target(statement)
    async with open_query(run.writing(target), statement.query) as rows:
        with placed_at(name.span):
            written = await run.peers.tables.write(target, rows)
    run.outcome.rows_changed = written.rows
    run.outcome.message = f"table '{name.text}' made with {count_of(written.rows, 'row')}"


def creation_target(statement: CreateTableAs) -> WriteTarget:
    """Where the rows go."""
    return WriteTarget(table=statement.table.text, mode="REPLACE" if statement.or_replace else "CREATE")


def insertion_target(statement: Insert) -> WriteTarget:
    """Where the rows go."""
    return WriteTarget(table=statement.table.text, mode="APPEND", columns=statement.columns)


async def table_exists(run: Run, name: str) -> bool:
    """Whether there is a table of that name."""
    try:
        await run.peers.tables.get(name)
    except ThanosqlError as failure:
        if failure.reason is Reason.TABLE_NOT_FOUND:
            return False
        raise
    return True


async def _insert(run: Run, statement: Insert) -> None:
    name = statement.table
    with placed_at(name.span):
        await run.peers.tables.get(name.text)
    target = insertion_target(statement)
    async with open_query(run.writing(target), statement.query) as rows:
        if run.outcome.is_compared:
            # The first of two statements that look for what is new at once leaves nothing to the second.
            target = replace(target, chosen_by_version=_version_read(run, name.text))
        with placed_at(name.span):
            written = await run.peers.tables.write(target, rows)
    _changed(run, written.rows, "inserted into", name)


def _version_read(run: Run, table: str) -> int:
    """The oldest version of the table behind the rows."""
    return min(item.version for item in run.outcome.tables_read if item.table.casefold() == table.casefold())


async def _alter(run: Run, statement: Update | Delete | DropTable | AlterTable) -> None:
    tables, name = run.peers.tables, statement.table
    match statement:
        case Update():
            rows = await tables.update(name.text, statement.assignments, statement.condition)
            _changed(run, rows, "changed in", name)
        case Delete():
            _changed(run, await tables.delete(name.text, statement.condition), "deleted from", name)
        case DropTable():
            dropped = await tables.drop(name.text, statement.if_exists)
            was = "dropped" if dropped else "did not exist; nothing was done"
            run.outcome.message = f"table '{name.text}' {was}"
        case AlterTable():
            table = await tables.alter(statement)
            columns = ", ".join(column for column, _type in table.columns)
            run.outcome.message = f"table '{name.text}' has the columns {columns}"


async def _restore(run: Run, statement: RestoreTable) -> None:
    with placed_at_version(statement):
        table = await run.peers.tables.restore(statement.table.text, statement.version)
    run.outcome.message = (
        f"table '{table.name}' has the {count_of(table.row_count, 'row')} and the columns of version "
        f"{statement.version} again; it is at version {table.version}"
    )


async def _activate(run: Run, statement: ActivateModel) -> None:
    with placed_at(statement.model.span):
        model = await run.peers.catalog.activate(*split_version(statement.model.text))
    run.outcome.message = f"statements that name model '{model.name}' use version {model.version} from now on"


async def _end(run: Run, statement: DeleteModel | CancelJob) -> None:
    if isinstance(statement, DeleteModel):
        with placed_at(statement.model.span):
            versions = await run.peers.catalog.delete(statement)
        was = f"deleted, {count_of(versions, 'version')}" if versions else "did not exist; nothing was done"
        run.outcome.message = f"{_what(statement)} {was}"
        return
    with placed_at(statement.job_id.span):
        job = await run.peers.trainer.cancel(statement.job_id.text)
    await run.emit(JobChanged(job=job))
    run.outcome.message = f"job '{job.job_id}' is {job.state.lower()}"


async def _resume(run: Run, statement: ResumeJob) -> None:
    with placed_at(statement.job_id.span):
        job = await run.peers.trainer.resume(statement.job_id.text)
    await run.emit(JobChanged(job=job))
    told = f": {job.notices[-1].message}" if job.state == "QUEUED" and job.notices else ""
    run.outcome.message = f"job '{job.job_id}' is {job.state.lower()}{told}"


def _what(statement: DeleteModel) -> str:
    name, version = split_version(statement.model.text)
    return f"version {version} of model '{name}'" if version else f"model '{name}'"


def _changed(run: Run, rows: int, how: str, name: Name) -> None:
    run.outcome.rows_changed = rows
    run.outcome.message = f"{count_of(rows, 'row')} {how} '{name.text}'"
