"""PREDICT with only_new=True: which rows are new, and where nobody could tell."""

from dataclasses import dataclass, replace

from services.gateway.core.columns import index_of, missing_column
from services.gateway.core.places import option_place, place, placed_at
from services.gateway.core.plan_parts import Name, Query
from services.gateway.core.plans import Predict
from services.gateway.core.ports import WriteTarget
from services.gateway.core.run import Run
from thanosql_runtime.errors import Reason, ThanosqlError, error


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a PREDICT transcribes.

    Attributes:
        query: The rows.
        only_unkept: Whether those are left out whose transcript was kept when the statement began.
        step: How the new ones are told, in words; empty where all are wanted.
    """

    query: Query
    only_unkept: bool = False
    step: str = ""


async def asked_rows(run: Run, statement: Predict) -> Asked:
    """Choose the rows.

    In an INSERT, the table tells: a row is new when no row of the table names its recording. What was kept
    could not: a statement that was interrupted keeps transcripts of rows that never came into the table.

    Raises:
        ThanosqlError: The table lacks the column, there is none to compare with yet, or nothing is kept.
    """
    if not statement.only_new:
        return Asked(query=statement.query)
    if run.target is None:
        if not (await run.peers.transcripts.kept()).keeps:
            raise place(_nothing_kept(), statement.span)
        step = "leave out those of which this version had made a transcript before"
        return Asked(query=statement.query, only_unkept=True, step=step)
    if run.target.mode != "APPEND":
        message = (
            "only_new=True compares with rows that are there, and a new table has none; "
            "leave it out, or INSERT INTO a table that exists"
        )
        raise place(error(Reason.INVALID_OPTION_VALUE, message, option="only_new"), statement.span)
    column = await _compared_column(run, statement, run.target)
    table = Name(text=run.target.table, span=statement.span)
    query = replace(
        statement.query,
        sql=_without_known(statement.query.sql, statement.audio_col, run.target.table, column),
        tables=[*statement.query.tables, table],
    )
    run.outcome.is_compared = True
    step = f"leave out those whose recording stands in column '{column}' of table '{run.target.table}'"
    return Asked(query=query, step=step)


def _nothing_kept() -> ThanosqlError:
    message = (
        "only_new=True needs transcripts that are kept, and this server keeps none: the setting "
        "THANOSQL_STORAGE__TRANSCRIPT_BYTES is 0, or their disk fails; INSERT INTO a table, which can tell"
    )
    return error(Reason.INVALID_OPTION_VALUE, message, option="only_new")


async def _compared_column(run: Run, statement: Predict, target: WriteTarget) -> str:
    table = await run.peers.tables.get(target.table)
    names = [name for name, _type in table.columns]
    index = index_of(names, statement.audio_col)
    if index is None:
        problem = f"table '{table.name}' has no column '{statement.audio_col}' to tell new rows by"
        with placed_at(option_place(run.text, statement, statement.audio_col)):
            raise missing_column(names, statement.audio_col, problem)
    return names[index]


def _without_known(sql: str, audio_col: str, table: str, column: str) -> str:
    """The rows in their order, but for those that the table has."""
    return f"""
        SELECT * EXCLUDE (__number) FROM (
            SELECT *, row_number() OVER () AS __number FROM (
{sql}
            ) AS wanted
        ) AS numbered
        WHERE NOT EXISTS (
            SELECT 1 FROM {_quoted(table)} AS had
            WHERE had.{_quoted(column)} IS NOT DISTINCT FROM numbered.{_quoted(audio_col)}
        )
        ORDER BY __number
    """  # noqa: S608 - a sandboxed SELECT


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
