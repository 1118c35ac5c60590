"""EXPLAIN of statements that change something: what is there already, and what would become of it."""

from services.gateway.core.changing import table_exists
from services.gateway.core.checking import check_expressions
from services.gateway.core.explaining_copies import copy_steps
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
from services.gateway.core.plan_parts import TableAtVersion
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
from services.gateway.core.ports import BoundQuery
from services.gateway.core.run import Run, count_of
from services.gateway.core.upkeep import upkeep_step
from services.gateway.core.uploading import upload_steps
from thanosql_runtime.errors import Reason, error


async def change_steps(run: Run, statement: Change) -> list[str]:
    """What the change would do; the query inside, where there is one, is explained elsewhere."""
    match statement:
        case Copy():
            return await copy_steps(run, statement)
        case CreateTableAs():
            return await _create_steps(run, statement)
        case RestoreTable():
            return await _restore_steps(run, statement)
        case DeleteTranscripts() | UnloadModel():
            return [await upkeep_step(run, statement)]
        case DeleteModel():
            return [await _delete_model_step(run, statement)]
        case ActivateModel():
            return [await _activate_step(run, statement)]
        case UploadModel():
            return await upload_steps(run, statement)
        case CancelJob():
            with placed_at(statement.job_id.span):
                job = await run.peers.trainer.get(statement.job_id.text)
            return [f"stop job '{job.job_id}', which is {job.state.lower()}"]
        case ResumeJob():
            return [await _resume_step(run, statement)]
        case _:
            return await _table_steps(run, statement)


async def _resume_step(run: Run, statement: ResumeJob) -> str:
    with placed_at(statement.job_id.span):
        job = await run.peers.trainer.resume(statement.job_id.text, explain_only=True)
    what = f"job '{job.job_id}', which is {job.state.lower()}"
    return f"let {what}, go on from what is left of it" if job.ended else f"leave {what}, as it is"


async def _create_steps(run: Run, statement: CreateTableAs) -> list[str]:
    name = statement.table
    if not await table_exists(run, name.text):
        return [f"make table '{name.text}' in one commit"]
    if statement.or_replace:
        return [f"replace table '{name.text}' in one commit"]
    if statement.if_not_exists:
        return [f"do nothing, because table '{name.text}' exists"]
    raise place(
        error(Reason.TABLE_ALREADY_EXISTS, f"table '{name.text}' exists; write CREATE OR REPLACE TABLE"),
        name.span,
    )


async def _restore_steps(run: Run, statement: RestoreTable) -> list[str]:
    name = statement.table
    at = TableAtVersion(relation="__restored", table=name, version=statement.version)
    restored = BoundQuery(sql="SELECT * FROM __restored LIMIT 0", versions=[at])
    with placed_at_version(statement):
        table = await run.peers.tables.get(name.text)
        async with run.peers.tables.query(restored) as rows:
            columns = ", ".join(rows.schema.names)
    return [
        f"give table '{name.text}', which is at version {table.version}, the rows and columns of version "
        f"{statement.version} back in one commit: {columns}"
    ]


async def _activate_step(run: Run, statement: ActivateModel) -> str:
    name, version = split_version(statement.model.text)
    with placed_at(statement.model.span):
        model = await run.peers.catalog.activate(name, version, explain_only=True)
    if model.version == version:
        return f"do nothing, because version {version} of model '{name}' is the active one"
    return f"let statements that name model '{name}' use version {version} in place of {model.version}"


async def _delete_model_step(run: Run, statement: DeleteModel) -> str:
    name = statement.model
    with placed_at(name.span):
        versions = await run.peers.catalog.delete(statement, explain_only=True)
    if not versions:
        return f"do nothing, because there is no model '{name.text}'"
    forced = ", whoever uses it" if statement.force else ", which nobody uses"
    if split_version(name.text)[1]:
        return f"delete '{name.text}' and the files of that version alone{forced}"
    return f"delete model '{name.text}' with {count_of(versions, 'version')} and all files{forced}"


async def _table_steps(run: Run, statement: Insert | Update | Delete | DropTable | AlterTable) -> list[str]:
    name = statement.table
    if isinstance(statement, DropTable) and statement.if_exists and not await table_exists(run, name.text):
        return [f"do nothing, because there is no table '{name.text}'"]
    if isinstance(statement, Update | Delete):
        await check_expressions(run, statement)
    with placed_at(name.span):
        table = await run.peers.tables.get(name.text)
    held = f"'{name.text}', which has {count_of(table.row_count, 'row')}"
    match statement:
        case Insert():
            return [f"add the rows to table {held}"]
        case Update():
            columns = ", ".join(column for column, _expression in statement.assignments)
            return [f"set {columns} in the rows of table {held}, {_where(statement.condition)}"]
        case Delete():
            return [f"delete rows of table {held}, {_where(statement.condition)}"]
        case DropTable():
            return [f"drop table {held}, with all its versions: it cannot be restored"]
        case AlterTable():
            return [f"change the columns of table {held}"]


def _where(condition: str) -> str:
    return f"where {condition}" if condition else "all of them"
