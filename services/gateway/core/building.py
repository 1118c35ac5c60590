"""BUILD MODEL and FIT MODEL: rows kept for a job, the job started, watched, and stopped with its caller."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace

import pyarrow as pa
import structlog

from services.gateway.core.columns import recordings_column, texts_column
from services.gateway.core.events import JobChanged, Progress
from services.gateway.core.families import require_recogniser
from services.gateway.core.places import option_place, place, placed_at
from services.gateway.core.plan_parts import Name
from services.gateway.core.plans import BuildModel, split_version
from services.gateway.core.ports import TrainingRequest, WriteTarget
from services.gateway.core.queries import open_query
from services.gateway.core.records import ModelVersion, Rows, TrainingJob
from services.gateway.core.run import Run, count_of
from services.gateway.core.watching import watch_job
from thanosql_runtime.errors import Reason, Span, ThanosqlError, error

_log = structlog.get_logger("gateway")

_BASES = ("BASE", "UPLOADED")


async def run_build(run: Run, statement: BuildModel) -> None:
    """Train, telling progress; answer one row about the model made."""
    begun_s = run.clock()
    base = await find_base(run, statement)
    await check_free(run, statement.model, overwrite=statement.options.overwrite)
    await run.notify(_base_words(base), statement.base.span)
    request_id = run.request_id
    request = TrainingRequest(
        request_id=request_id,
        model=statement.model.text,
        base=base.full_name,
        options=statement.options,
        snapshot_id=f"build-{request_id}",
        statement=run.plan.canonical_text,
    )
    job = await _train(run, await _started(run, statement, request))
    await _answer(run, job, run.clock() - begun_s)


async def find_base(run: Run, statement: BuildModel) -> ModelVersion:
    """The model to start from; BUILD needs a base or what was uploaded, FIT takes any model."""
    with placed_at(statement.base.span):
        try:
            base = await run.peers.catalog.get(*split_version(statement.base.text))
        except ThanosqlError as failure:
            if failure.reason is Reason.MODEL_NOT_FOUND and not statement.fit:
                failure.reason = Reason.BASE_MODEL_NOT_FOUND
            raise
        require_recogniser(base)
        if base.kind in _BASES or statement.fit:
            return base
        raise error(
            Reason.BASE_MODEL_NOT_FOUND,
            f"'{statement.base.text}' is no base model; to train it further, write "
            f"FIT MODEL {statement.model.text} USING {statement.base.text}",
            model=statement.base.text,
        )


async def check_free(run: Run, name: Name, *, overwrite: bool) -> None:
    """Raise where the name is taken and may not be given a new version."""
    try:
        existing = await run.peers.catalog.get(name.text, 0)
    except ThanosqlError as failure:
        if failure.reason is Reason.MODEL_NOT_FOUND:
            return
        raise
    if existing.kind == "BASE":
        advice = "it is a base and stays as it is; choose another name"
    elif overwrite:
        return
    else:
        advice = "add overwrite=True to make a new version of it, or choose another name"
    message = f"model '{existing.name}' exists, in version {existing.version}; {advice}"
    raise place(error(Reason.MODEL_ALREADY_EXISTS, message, model=existing.name), name.span)


def training_columns(text: str, statement: BuildModel, schema: pa.Schema) -> tuple[int, int]:
    """Indices of the paths and the texts; raises where the query's columns do not fit the statement."""
    options = statement.options
    audio = recordings_column(text, statement, schema, options.audio_col)
    spoken = texts_column(text, statement, schema, options.text_col)
    if audio == spoken:
        message = f"audio_col and text_col both name '{options.text_col}'; name two columns"
        failure = error(Reason.INVALID_OPTION_VALUE, message, option="text_col")
        raise place(failure, option_place(text, statement, options.text_col))
    return audio, spoken


async def _keep_rows(run: Run, statement: BuildModel, snapshot_id: str) -> None:
    await run.emit(Progress(stage="reading rows", done=0, unit="rows"))
    async with open_query(run, statement.query) as rows:
        columns = training_columns(run.text, statement, rows.schema)
        chosen = await _some_rows(_choose(rows, columns, statement), statement.query.span)
        written = await run.peers.tables.write(WriteTarget(table=snapshot_id, mode="SNAPSHOT"), chosen)
    await run.emit(Progress(stage="reading rows", done=written.rows, unit="rows", total=written.rows))


def _choose(rows: Rows, columns: tuple[int, int], statement: BuildModel) -> Rows:
    names = (statement.options.audio_col, statement.options.text_col)
    schema = pa.schema([pa.field(name, pa.string()) for name in names])
    return Rows(schema=schema, batches=_chosen_batches(rows, columns, schema))


async def _chosen_batches(
    rows: Rows, columns: tuple[int, int], schema: pa.Schema
) -> AsyncIterator[pa.RecordBatch]:
    async for batch in rows.batches:
        chosen = [batch.column(index).cast(pa.string()) for index in columns]
        yield pa.RecordBatch.from_arrays(chosen, schema=schema)


async def _some_rows(rows: Rows, span: Span) -> Rows:
    """The same rows; raises where there are none, before anything is written."""
    async for first in rows.batches:
        if first.num_rows:
            return Rows(schema=rows.schema, batches=_with_first(first, rows.batches))
    raise place(error(Reason.NO_USABLE_ROWS, "the query answers no rows, so nothing can be learned"), span)


async def _with_first(
    first: pa.RecordBatch, rest: AsyncIterator[pa.RecordBatch]
) -> AsyncIterator[pa.RecordBatch]:
    yield first
    async for batch in rest:
        yield batch


async def _started(run: Run, statement: BuildModel, request: TrainingRequest) -> TrainingJob:
    """The job, its rows kept; the job itself forgets them at its end."""
    try:
        await _keep_rows(run, statement, request.snapshot_id)
        complete = replace(request, built_from=tuple(run.outcome.tables_read))
        starting = asyncio.create_task(run.peers.trainer.create(complete))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # The request is on its way: its job must be known before it can be stopped.
            await _quietly(run, _stop_started(run, starting))
            raise
    except BaseException:
        await _quietly(run, run.peers.tables.delete_snapshot(request.snapshot_id))
        raise


async def _stop_started(run: Run, starting: Awaitable[TrainingJob]) -> None:
    await run.peers.trainer.cancel((await starting).job_id)


async def _train(run: Run, job: TrainingJob) -> TrainingJob:
    """Follow the job to its end; a caller who leaves takes the job along."""
    try:
        await run.emit(JobChanged(job=job))
        return await watch_job(run, job)
    except asyncio.CancelledError:
        await _quietly(run, run.peers.trainer.cancel(job.job_id))
        raise


async def _quietly(run: Run, tidying: Awaitable[object]) -> None:
    """Tidy up behind a failure, which must not be hidden by another."""
    try:
        await asyncio.wait_for(tidying, run.limits.cancel_timeout_s)
    except (ThanosqlError, TimeoutError) as failure:
        _log.warning("tidying up failed", statement=run.plan.statement.kind, failure=str(failure))


async def _answer(run: Run, job: TrainingJob, elapsed_s: float) -> None:
    await run.report(job.left_out)
    unlisted = job.rows_left_out - len(job.left_out)
    run.outcome.row_errors += max(0, unlisted)
    run.outcome.model = job.result
    model = job.result
    version = model.version if model else 0
    row = {
        "model": job.model,
        "version": version,
        "base": job.base,
        "rows_used": job.rows_used,
        "rows_held_out": job.rows_held_out,
        "rows_left_out": job.rows_left_out,
        "wer_before": job.wer_before,
        "wer": job.wer,
        "cer": job.cer,
        "loss": job.loss,
        "seconds": round(elapsed_s, 3),
    }
    schema = pa.schema([pa.field(name, _type_of(name)) for name in row])
    await run.answer_table(pa.Table.from_pylist([row], schema=schema))
    made = f"model '{job.model}' version {version} made from {count_of(job.rows_used, 'row')}"
    run.outcome.message = f"{made}{_rates(job)}"


def _rates(job: TrainingJob) -> str:
    if job.wer is None or job.wer_before is None:
        return ""
    held_out = count_of(job.rows_held_out, "held-out row")
    return f"; word error rate on {held_out} {job.wer_before:.1%} before, {job.wer:.1%} now"


def _type_of(name: str) -> pa.DataType:
    texts = ("model", "base")
    whole = ("version", "rows_used", "rows_held_out", "rows_left_out")
    return pa.string() if name in texts else pa.int64() if name in whole else pa.float64()


def _base_words(base: ModelVersion) -> str:
    origin = f": {base.origin}" if base.origin else f", trained from {base.base}" if base.base else ""
    return f"training starts from {base.full_name}{origin}"
