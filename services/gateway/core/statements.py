"""One statement, from its plan to its last event."""

from services.gateway.core.building import run_build
from services.gateway.core.changing import run_change
from services.gateway.core.events import Done, Started
from services.gateway.core.explaining import explanation_table
from services.gateway.core.lookups import not_available, open_lookup
from services.gateway.core.places import placed_at
from services.gateway.core.plans import (
    BuildModel,
    Change,
    Convert,
    Evaluate,
    Predict,
    PrintAudio,
    SearchAudio,
    SearchText,
    ShowBuild,
    Statement,
    Unavailable,
)
from services.gateway.core.printing import run_print
from services.gateway.core.rebuilding import run_show_build
from services.gateway.core.run import Outcome, Run, count_of


async def run_statement(run: Run) -> None:
    """Run the statement; its failure carries a place in the text of the call."""
    begun_s = run.clock()
    plan, outcome = run.plan, run.outcome
    kind = f"EXPLAIN {plan.statement.kind}" if plan.explain else plan.statement.kind
    await run.emit(Started(kind=kind, canonical_text=plan.canonical_text))
    for notice in plan.notices:
        await run.notify(notice.message, notice.span)
    with placed_at(plan.span):
        if plan.explain:
            await run.answer_table(await explanation_table(run))
        else:
            await _run(run, plan.statement)
    await run.emit(
        Done(
            message=(outcome.message or _summary(plan.statement, outcome)) + _spared(outcome),
            rows=outcome.rows,
            rows_changed=outcome.rows_changed,
            row_errors=outcome.row_errors,
            elapsed_s=round(run.clock() - begun_s, 6),
            model=outcome.model,
            scores=outcome.scores,
            rows_reused=outcome.rows_reused,
        )
    )


def _summary(statement: Statement, outcome: Outcome) -> str:
    """How many rows there are, and which checkpoint read them where one did."""
    rows, model = count_of(outcome.rows, "row"), outcome.model
    if model is None or not isinstance(statement, Predict | Evaluate | Convert | SearchAudio | SearchText):
        return rows
    origin = f" ({model.origin})" if model.origin else ""
    verb = "compared"
    if isinstance(statement, Predict | Evaluate | Convert):
        verb = "embedded" if isinstance(statement, Convert) else "transcribed"
    return f"{rows}, {verb} by {model.full_name}{origin}"


def _spared(outcome: Outcome) -> str:
    """What did not have to be computed, or was not asked for."""
    parts = []
    if outcome.rows_reused:
        verb = "was" if outcome.rows_reused == 1 else "were"
        parts.append(f"; {count_of(outcome.rows_reused, 'transcript')} {verb} kept from before")
    if outcome.rows_left:
        verb = "is" if outcome.rows_left == 1 else "are"
        parts.append(f"; {count_of(outcome.rows_left, 'row')} {verb} not new")
    return "".join(parts)


async def _run(run: Run, statement: Statement) -> None:
    if isinstance(statement, Unavailable):
        raise not_available(statement)
    if isinstance(statement, BuildModel):
        await run_build(run, statement)
    elif isinstance(statement, PrintAudio):
        await run_print(run, statement)
    elif isinstance(statement, ShowBuild):
        await run_show_build(run, statement)
    elif isinstance(statement, Change):
        await run_change(run, statement)
    else:
        async with open_lookup(run, statement) as rows:
            await run.answer(rows)
