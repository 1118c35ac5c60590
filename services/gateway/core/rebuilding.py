"""SHOW BUILD: the statement that makes a model again, from what was recorded when it was made."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from services.gateway.core.explaining import explain
from services.gateway.core.pinning import pinned
from services.gateway.core.places import placed_at
from services.gateway.core.plans import BuildModel, Plan, ShowBuild, UploadModel, split_version
from services.gateway.core.records import ModelVersion
from services.gateway.core.run import Outcome, Run
from thanosql_runtime.errors import Reason, ThanosqlError, error

STATEMENTS = pa.schema([("statement", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A statement, and what it cannot say."""

    text: str
    remarks: Sequence[str] = ()


async def run_show_build(run: Run, statement: ShowBuild) -> None:
    """Answer the statement in one row, and say where it may come to something else than it did."""
    with placed_at(statement.model.span):
        model = await run.peers.catalog.get(*split_version(statement.model.text))
        recorded = _recorded(model)
    rebuilt = await _rebuilt(run, model, recorded)
    for remark in (*rebuilt.remarks, *await _hindrances(run, rebuilt.text)):
        await run.notify(remark, statement.model.span)
    run.outcome.model = model
    run.outcome.message = f"this makes {model.full_name} again, as a new version"
    await run.answer_table(pa.Table.from_pylist([{"statement": rebuilt.text}], schema=STATEMENTS))


def _recorded(model: ModelVersion) -> str:
    recorded = model.properties.get("statement", "")
    if recorded:
        return recorded
    advice = "it came with the system" if model.kind in ("BASE", "PREBUILT") else "none was recorded"
    message = (
        f"no statement here made model '{model.full_name}': {advice}; DESCRIBE MODEL tells what is known"
    )
    raise error(Reason.INVALID_ARGUMENT, message, model=model.full_name)


async def _rebuilt(run: Run, model: ModelVersion, recorded: str) -> Rebuilt:
    try:
        (plan,) = await run.peers.parser.parse(recorded)
    except ThanosqlError as failure:
        remark = f"this is what was recorded, which this release does not understand: {failure.message}"
        return Rebuilt(text=recorded, remarks=[remark])
    match plan.statement:
        case BuildModel():
            return await _built(run, model, recorded, plan.statement)
        case UploadModel():
            return _uploaded(recorded, plan.statement)
    return Rebuilt(text=recorded)


def _uploaded(recorded: str, statement: UploadModel) -> Rebuilt:
    name, source = recorded[: statement.model.span.end], recorded[statement.source.span.start :]
    remark = f"what is in the folder '{statement.source.text}' now would be brought"
    return Rebuilt(text=f"{name} OPTIONS(overwrite=True) FROM {source}", remarks=[remark])


async def _built(run: Run, model: ModelVersion, recorded: str, statement: BuildModel) -> Rebuilt:
    options = _options(model, statement)
    head = f"{recorded[: statement.base.span.start]}{_base(model, recorded, statement)}"
    written = ", ".join(f"{name}={_literal(value)}" for name, value in options.items())
    text = f"{head} OPTIONS({written}) AS {recorded[statement.query.span.start :]}"
    result = await pinned(run.peers.parser, text, model.built_from)
    return Rebuilt(text=result.text, remarks=[*_unrecorded(model), *result.remarks])


def _base(model: ModelVersion, recorded: str, statement: BuildModel) -> str:
    span = statement.base.span
    written = recorded[span.start : span.end]
    _name, version = split_version(model.base)
    return written if split_version(statement.base.text)[1] or not version else f"{written}.{version}"


def _options(model: ModelVersion, statement: BuildModel) -> Mapping[str, object]:
    """All options as they were used, but for the name of the model, which is taken now."""
    options = asdict(statement.options) | json.loads(model.properties.get("options", "{}"))
    seed = model.properties.get("seed")
    options |= {"overwrite": True, "seed": int(seed) if seed else options.get("seed")}
    return {name: value for name, value in options.items() if value is not None}


def _literal(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _unrecorded(model: ModelVersion) -> Iterator[str]:
    if not split_version(model.base)[1]:
        yield "the version of the base was not recorded"
    if "options" not in model.properties:
        yield "the options were not recorded: those that the statement lacked are today's defaults"
    if "seed" not in model.properties:
        yield "the seed was not recorded: the trainer's own is taken"


async def _hindrances(run: Run, text: str) -> list[str]:
    """Why the statement would not run today, such as a base or a version of a table that is gone."""
    try:
        (plan,) = await run.peers.parser.parse(text)
        await explain(_run_of(run, text, plan), plan.statement)
    except ThanosqlError as failure:
        return [f"it would not run now: {failure.message}"]
    return []


def _run_of(run: Run, text: str, plan: Plan) -> Run:
    return replace(run, text=text, plan=plan, outcome=Outcome())
