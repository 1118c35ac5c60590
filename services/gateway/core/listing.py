"""Statements that answer with what there is: LIST, DESCRIBE MODEL, SHOW ... VERSIONS, SHOW JOBS."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

import pyarrow as pa

from services.gateway.core.places import placed_at
from services.gateway.core.plans import (
    DescribeModel,
    ListNames,
    ShowJob,
    ShowJobs,
    ShowModelVersions,
    ShowTableVersions,
    split_version,
)
from services.gateway.core.records import (
    FileFacts,
    ModelVersion,
    Rows,
    Table,
    TableVersion,
    TrainingJob,
)
from services.gateway.core.run import Run

T = TypeVar("T")

_MOMENT = pa.timestamp("us", tz="UTC")
_DATASETS = "tutorial_data/"

MODELS = pa.schema(
    [
        ("name", pa.string()),
        ("version", pa.int64()),
        ("kind", pa.string()),
        ("family", pa.string()),
        ("base", pa.string()),
        ("origin", pa.string()),
        ("wer", pa.float64()),
        ("cer", pa.float64()),
        ("active", pa.bool_()),
        ("size_bytes", pa.int64()),
        ("create_time", _MOMENT),
    ]
)
TABLES = pa.schema(
    [
        ("name", pa.string()),
        ("rows", pa.int64()),
        ("columns", pa.string()),
        ("version", pa.int64()),
        ("update_time", _MOMENT),
        ("quarantine", pa.string()),
    ]
)
TABLE_VERSIONS = pa.schema(
    [
        ("version", pa.int64()),
        ("create_time", _MOMENT),
        ("operation", pa.string()),
        ("rows", pa.int64()),
    ]
)
DATASETS = pa.schema(
    [("name", pa.string()), ("path", pa.string()), ("files", pa.int64()), ("size_bytes", pa.int64())]
)
JOBS = pa.schema(
    [
        ("job_id", pa.string()),
        ("state", pa.string()),
        ("model", pa.string()),
        ("base", pa.string()),
        ("attempt", pa.int64()),
        ("step", pa.int64()),
        ("step_total", pa.int64()),
        ("epoch", pa.int64()),
        ("epoch_total", pa.int64()),
        ("loss", pa.float64()),
        ("wer", pa.float64()),
        ("wer_before", pa.float64()),
        ("seconds_left", pa.float64()),
        ("rows_used", pa.int64()),
        ("rows_left_out", pa.int64()),
        ("checkpoint_step", pa.int64()),
        ("notices", pa.list_(pa.string())),
        ("failure", pa.string()),
        ("create_time", _MOMENT),
        ("end_time", _MOMENT),
    ]
)
DESCRIPTION = pa.schema([("property", pa.string()), ("value", pa.string())])


def listing_schema(statement: ListNames | ShowModelVersions | ShowTableVersions) -> pa.Schema:
    """The columns that LIST or SHOW ... VERSIONS answers with."""
    if not isinstance(statement, ListNames):
        return TABLE_VERSIONS if isinstance(statement, ShowTableVersions) else MODELS
    return {"TABLE": TABLES, "THANOSQL DATASET": DATASETS}.get(statement.what, MODELS)


@asynccontextmanager
async def open_listing(run: Run, statement: ListNames) -> AsyncIterator[Rows]:
    """What LIST names, a page at a time."""
    catalog = run.peers.catalog
    match statement.what:
        case "TABLE":
            batches = _rows(TABLES, _table_row, run.peers.tables.pages())
        case "THANOSQL DATASET":
            batches = _rows(DATASETS, dict, _datasets(run.peers.files.pages(_DATASETS)))
        case "THANOSQL MODEL":
            batches = _rows(MODELS, _model_row, catalog.pages(("BASE", "PREBUILT")))
        case _:
            batches = _rows(MODELS, _model_row, catalog.pages(()))
    yield Rows(schema=listing_schema(statement), batches=batches)


@asynccontextmanager
async def open_description(run: Run, statement: DescribeModel) -> AsyncIterator[Rows]:
    """One row a property of the model."""
    with placed_at(statement.model.span):
        model = await run.peers.catalog.get(*split_version(statement.model.text))
    run.outcome.model = model
    facts = {name: value for name, value in _model_row(model).items() if value is not None}
    facts |= {name: f"{value:.6g}" for name, value in sorted(model.metrics.items())}
    if model.built_from:
        facts["built_from"] = ", ".join(item.full_name for item in model.built_from)
    facts |= dict(sorted(model.properties.items()))
    pairs = [{"property": name, "value": str(value)} for name, value in facts.items()]
    yield Rows(schema=DESCRIPTION, batches=_rows(DESCRIPTION, dict, _one_page(pairs)))


@asynccontextmanager
async def open_versions(run: Run, statement: ShowModelVersions) -> AsyncIterator[Rows]:
    """The versions of a model, newest first."""
    with placed_at(statement.model.span):
        await run.peers.catalog.get(statement.model.text, 0)
    yield Rows(
        schema=MODELS,
        batches=_rows(MODELS, _model_row, run.peers.catalog.version_pages(statement.model.text)),
    )


@asynccontextmanager
async def open_table_versions(run: Run, statement: ShowTableVersions) -> AsyncIterator[Rows]:
    """The versions of a table, newest first."""
    with placed_at(statement.table.span):
        await run.peers.tables.get(statement.table.text)
    pages = run.peers.tables.version_pages(statement.table.text)
    yield Rows(schema=TABLE_VERSIONS, batches=_rows(TABLE_VERSIONS, _table_version_row, pages))


@asynccontextmanager
async def open_jobs(run: Run, statement: ShowJobs | ShowJob) -> AsyncIterator[Rows]:
    """All jobs, newest first, or one."""
    if isinstance(statement, ShowJobs):
        yield Rows(schema=JOBS, batches=_rows(JOBS, _job_row, run.peers.trainer.pages()))
        return
    with placed_at(statement.job_id.span):
        job = await run.peers.trainer.get(statement.job_id.text)
    yield Rows(schema=JOBS, batches=_rows(JOBS, _job_row, _one_page([job])))


async def _rows(
    schema: pa.Schema,
    row_of: Callable[[T], Mapping[str, object]],
    pages: AsyncIterator[Sequence[T]],
) -> AsyncIterator[pa.RecordBatch]:
    async for page in pages:
        if page:
            yield pa.RecordBatch.from_pylist([row_of(item) for item in page], schema=schema)


async def _one_page(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    yield items


def _table_row(table: Table) -> Mapping[str, object]:
    return {
        "name": table.name,
        "rows": table.row_count,
        "columns": ", ".join(f"{name} {kind}" for name, kind in table.columns),
        "version": table.version,
        "update_time": table.update_time,
        "quarantine": table.quarantine or None,
    }


def _table_version_row(version: TableVersion) -> Mapping[str, object]:
    return {
        "version": version.version,
        "create_time": version.create_time,
        "operation": version.operation or None,
        "rows": version.row_count,
    }


def _model_row(model: ModelVersion) -> dict[str, object]:
    return {
        "name": model.name,
        "version": model.version,
        "kind": model.kind,
        "family": model.family,
        "base": model.base or None,
        "origin": model.origin or None,
        "wer": model.metrics.get("wer"),
        "cer": model.metrics.get("cer"),
        "active": model.active,
        "size_bytes": model.size_bytes,
        "create_time": model.create_time,
    }


def _job_row(job: TrainingJob) -> Mapping[str, object]:
    row: dict[str, int | float | str | datetime | None] = {
        name: getattr(job, name) for name in JOBS.names if name not in ("failure", "notices")
    }
    notices = [notice.message for notice in job.notices]
    return {**row, "failure": job.failure_message or None, "notices": notices}


async def _datasets(pages: AsyncIterator[Sequence[FileFacts]]) -> AsyncIterator[Sequence[dict[str, object]]]:
    files: dict[str, int] = {}
    sizes: dict[str, int] = {}
    async for page in pages:
        for file in page:
            name, slash, _rest = file.path.removeprefix(_DATASETS).partition("/")
            if slash:
                files[name] = files.get(name, 0) + 1
                sizes[name] = sizes.get(name, 0) + file.size_bytes
    yield [
        {"name": name, "path": f"{_DATASETS}{name}", "files": files[name], "size_bytes": sizes[name]}
        for name in sorted(files)
    ]
