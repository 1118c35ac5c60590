"""EXPLAIN: names resolved, columns and options checked, the steps told; nothing is changed.

Queries are asked for their columns with a limit of no rows, and nested statements stand in them as
relations without rows, so that the whole statement is checked as it would run.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from services.gateway.core.building import check_free, find_base, training_columns
from services.gateway.core.changing import creation_target, insertion_target
from services.gateway.core.checking import check_insert
from services.gateway.core.converting import conversion_schema, embedding_dimension
from services.gateway.core.evaluating import evaluation_schema, evaluation_task
from services.gateway.core.evaluation_history import EVALUATIONS
from services.gateway.core.explaining_beams import explained_beam
from services.gateway.core.explaining_changes import change_steps
from services.gateway.core.families import require_hearing, require_wishes
from services.gateway.core.listing import listing_schema
from services.gateway.core.lookups import not_available
from services.gateway.core.new_rows import asked_rows
from services.gateway.core.places import placed_at, placed_in
from services.gateway.core.plan_changes import CreateTableAs, Insert
from services.gateway.core.plan_parts import Name, Query
from services.gateway.core.plan_upkeep import ShowEvaluations, ShowLoadedModels, ShowTranscripts
from services.gateway.core.plans import (
    BuildModel,
    Change,
    Convert,
    DescribeModel,
    Evaluate,
    ListNames,
    Predict,
    PrintAudio,
    SearchKeyword,
    SearchNearest,
    ShowBuild,
    ShowJob,
    ShowModelVersions,
    ShowTableVersions,
    Statement,
    TrainingOptions,
    Unavailable,
    split_version,
)
from services.gateway.core.ports import Relation
from services.gateway.core.predicting import prediction_schema
from services.gateway.core.printing import media_column
from services.gateway.core.queries import bind
from services.gateway.core.records import ModelVersion, Rows
from services.gateway.core.run import Run
from services.gateway.core.searching import explained_manner, search_schema
from services.gateway.core.searching_nearest import explained_nearest_search, nearest_search_schema
from services.gateway.core.slicing import Slices
from services.gateway.core.transcript_columns import transcript_fields

_NO_COLUMNS = pa.schema([])
STEPS = pa.schema([("step", pa.int64()), ("what", pa.string())])


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What would run, the columns it would answer with, and what stands for nested statements meanwhile."""

    steps: Sequence[str]
    schema: pa.Schema
    relations: Sequence[Relation] = ()


async def explanation_table(run: Run) -> pa.Table:
    """The steps of the statement, one a row."""
    steps = (await explain(run, run.plan.statement)).steps
    return pa.Table.from_pylist(
        [{"step": number, "what": what} for number, what in enumerate(steps, start=1)], schema=STEPS
    )


async def explain(run: Run, statement: Statement) -> Explained:
    """Check the statement against what is stored, and say what it would do."""
    match statement:
        case Query():
            return await _explain_query(run, statement)
        case Predict():
            return await _explain_predict(run, statement)
        case Convert():
            return await _explain_convert(run, statement)
        case SearchKeyword():
            return await _explain_search(run, statement)
        case _ if isinstance(statement, SearchNearest):
            return await _explain_nearest_search(run, statement)
        case Unavailable():
            raise not_available(statement)
        case Evaluate():
            return await _explain_evaluate(run, statement)
        case BuildModel() | PrintAudio():
            return Explained(steps=await _media_steps(run, statement), schema=_NO_COLUMNS)
        case CreateTableAs() | Insert():
            target = (
                insertion_target(statement) if isinstance(statement, Insert) else creation_target(statement)
            )
            inner = await _explain_query(run.writing(target), statement.query)
            if isinstance(statement, Insert):
                await check_insert(run, statement, inner.schema)
            return Explained(steps=[*inner.steps, *await change_steps(run, statement)], schema=_NO_COLUMNS)
        case _ if isinstance(statement, Change):
            return Explained(steps=await change_steps(run, statement), schema=_NO_COLUMNS)
        case _:
            return await _explain_listing(run, statement)


async def _explain_query(run: Run, query: Query) -> Explained:
    steps: list[str] = []
    relations: list[Relation] = []
    for nested in query.nested:
        inner = await explain(run, nested.statement)
        steps.extend(inner.steps)
        relations.append(Relation(name=nested.relation, open=partial(_no_rows, inner.schema)))
    sql = f"SELECT * FROM (\n{query.sql}\n) AS explained LIMIT 0"  # noqa: S608 - a sandboxed SELECT
    with placed_in(query, run.text):
        async with run.peers.tables.query(bind(query, sql, relations)) as rows:
            schema = rows.schema
    tables = [name.text for name in query.tables]
    tables += [f"{item.table.text} at version {item.version}" for item in query.versions]
    source = f"the tables {', '.join(tables)}" if tables else "no stored table"
    nested_words = f" and the rows of {len(relations)} nested statements" if relations else ""
    steps.append(f"query {source}{nested_words}: {query.sql}")
    return Explained(steps=steps, schema=schema, relations=relations)


async def _explain_predict(run: Run, statement: Predict) -> Explained:
    asked = await asked_rows(run, statement)
    inner = await _explain_query(run, asked.query)
    schema = prediction_schema(run.text, statement, inner.schema)
    model = await _hearing(run, statement.model)
    with placed_at(statement.model.span):
        require_wishes(model, statement)
    beam = await explained_beam(run, statement)
    kept = "take" if statement.reuse or asked.only_unkept else "do not take"
    step = (
        f"transcribe the recordings in column '{statement.audio_col}' with model {model.full_name}"
        f"{_in_precision(statement)}{_in_language(statement)}{beam}, "
        f"{statement.batch_size} rows a batch; {kept} transcripts that are kept; "
        f"add the columns {_added(statement)} and 'error'"
    )
    return Explained(steps=[*inner.steps, *filter(None, [asked.step]), step], schema=schema)


def _in_language(statement: Predict) -> str:
    spoken = "" if statement.language == "auto" else f" spoken in {statement.language}"
    return f"{spoken}, translated to English" if statement.task == "TRANSLATE" else spoken


def _in_precision(statement: Predict | Evaluate) -> str:
    return f" in {statement.precision}" if statement.precision else ""


def _added(statement: Predict) -> str:
    names = ", ".join(f"'{field.name}'" for field in transcript_fields(statement))
    readings = statement.detail.n_best
    return f"{names} (the {readings} best readings)" if readings > 1 else names


async def _explain_evaluate(run: Run, statement: Evaluate) -> Explained:
    inner = await _explain_query(run, statement.query)
    evaluation_task(run.text, statement, inner.schema)
    slices = Slices(run.text, statement, inner.schema)
    schema = evaluation_schema(statement, inner.schema, slices)
    model = await _hearing(run, statement.model)
    beam = await explained_beam(run, statement)
    answer = "answer each row with its errors" if statement.per_row else f"count the errors{slices.explained}"
    steps = [
        f"transcribe the recordings in column '{statement.audio_col}' with model {model.full_name}"
        f"{_in_precision(statement)}{beam}",
        f"compare with the texts in column '{statement.text_col}' and {answer}",
    ]
    return Explained(steps=[*inner.steps, *steps], schema=schema)


async def _explain_convert(run: Run, statement: Convert) -> Explained:
    inner = await _explain_query(run, statement.query)
    conversion_schema(run.text, statement, inner.schema, dimension=1)
    model, dimension = await embedding_dimension(run, statement)
    schema = conversion_schema(run.text, statement, inner.schema, dimension)
    step = (
        f"embed the {statement.input_words} in column '{statement.input_col}' with model {model.full_name}, "
        f"{dimension} numbers each, {statement.batch_size} rows a batch; "
        f"add the columns '{statement.result_col}' and 'error'"
    )
    return Explained(steps=[*inner.steps, step], schema=schema)


async def _explain_nearest_search(run: Run, statement: SearchNearest) -> Explained:
    inner = await _explain_query(run, statement.query)
    schema = nearest_search_schema(run.text, statement, inner.schema)
    model, manner = await explained_nearest_search(run, statement, inner.relations)
    step = (
        f"compare the embeddings in column '{statement.emb_col}' with that of '{statement.search_input}' "
        f"by model {model.full_name}, {manner}; keep the {statement.top_k} best, "
        f"with their scores in column '{statement.result_col}'"
    )
    return Explained(steps=[*inner.steps, step], schema=schema)


async def _explain_search(run: Run, statement: SearchKeyword) -> Explained:
    inner = await _explain_query(run, statement.query)
    schema = search_schema(run.text, statement, inner.schema)
    manner = await explained_manner(run, statement, inner.relations)
    step = (
        f"search column '{statement.text_col}' for '{statement.search_input}' {manner}; "
        f"keep the {statement.top_k} best of the rows that match, "
        f"with their scores in column '{statement.result_col}'"
    )
    return Explained(steps=[*inner.steps, step], schema=schema)


async def _media_steps(run: Run, statement: BuildModel | PrintAudio) -> list[str]:
    inner = await _explain_query(run, statement.query)
    match statement:
        case BuildModel():
            steps = await _build_steps(run, statement, inner.schema)
        case PrintAudio():
            name = inner.schema.names[media_column(run.text, statement, inner.schema)]
            limit = run.limits.media_files
            steps = [f"send the recordings in column '{name}', the first {limit} at most"]
    return [*inner.steps, *steps]


async def _build_steps(run: Run, statement: BuildModel, schema: pa.Schema) -> list[str]:
    training_columns(run.text, statement, schema)
    base = await find_base(run, statement)
    await check_free(run, statement.model, overwrite=statement.options.overwrite)
    options = statement.options
    return [
        f"keep the columns '{options.audio_col}' and '{options.text_col}' of the rows for the job",
        f"train from {base.full_name}{f' ({base.origin})' if base.origin else ''}: {options.epochs} epochs, "
        f"{options.batch_size} rows a batch, learning rate {options.learning_rate:g}{_seeded(options)}",
        f"register the result as the active version of model '{statement.model.text}'",
    ]


def _seeded(options: TrainingOptions) -> str:
    return "" if options.seed is None else f", seed {options.seed}"


async def _explain_listing(run: Run, statement: Statement) -> Explained:
    match statement:
        case ListNames():
            return Explained(steps=[f"{statement.kind.lower()}s"], schema=listing_schema(statement))
        case DescribeModel() | ShowModelVersions() | ShowBuild():
            model = await _model(run, statement.model)
            schema = listing_schema(statement) if isinstance(statement, ShowModelVersions) else _NO_COLUMNS
            return Explained(steps=[f"{statement.kind.lower()} of {model.name}"], schema=schema)
        case ShowTableVersions():
            with placed_at(statement.table.span):
                table = await run.peers.tables.get(statement.table.text)
            steps = [f"show the versions of table '{table.name}', newest first"]
            return Explained(steps=steps, schema=listing_schema(statement))
        case ShowEvaluations():
            of = f" of {statement.model.text}" if statement.model else ""
            return Explained(steps=[f"show the evaluations{of}, newest first"], schema=EVALUATIONS)
        case ShowTranscripts() | ShowLoadedModels():
            return Explained(steps=[statement.kind.lower()], schema=_NO_COLUMNS)
        case ShowJob():
            with placed_at(statement.job_id.span):
                await run.peers.trainer.get(statement.job_id.text)
            return Explained(steps=[f"show job '{statement.job_id.text}'"], schema=_NO_COLUMNS)
        case _:
            return Explained(steps=["list the training jobs, newest first"], schema=_NO_COLUMNS)


async def _hearing(run: Run, name: Name) -> ModelVersion:
    model = await _model(run, name)
    with placed_at(name.span):
        require_hearing(model)
    return model


async def _model(run: Run, name: Name) -> ModelVersion:
    with placed_at(name.span):
        return await run.peers.catalog.get(*split_version(name.text))


@asynccontextmanager
async def _no_rows(schema: pa.Schema) -> AsyncIterator[Rows]:
    yield Rows(schema=schema, batches=_nothing())


async def _nothing() -> AsyncIterator[pa.RecordBatch]:
    no_batches: tuple[pa.RecordBatch, ...] = ()
    for batch in no_batches:
        yield batch
