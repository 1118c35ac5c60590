"""SHOW TRANSCRIPTS, SHOW LOADED MODELS, SHOW EVALUATIONS, and the statements that delete and unload."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict

import pyarrow as pa

from services.gateway.core.evaluation_history import open_evaluations
from services.gateway.core.places import placed_at
from services.gateway.core.plan_parts import Name
from services.gateway.core.plan_upkeep import (
    DeleteTranscripts,
    ShowEvaluations,
    ShowTranscripts,
    UpkeepChange,
    UpkeepLookup,
)
from services.gateway.core.plans import split_version
from services.gateway.core.records import LoadedModel, Rows, TranscriptTally
from services.gateway.core.run import Run, count_of

_MOMENT = pa.timestamp("us", tz="UTC")
TRANSCRIPTS = pa.schema(
    [
        ("model", pa.string()),
        ("version", pa.int64()),
        ("transcripts", pa.int64()),
        ("size_bytes", pa.int64()),
        ("use_time", _MOMENT),
    ]
)
LOADED_MODELS = pa.schema(
    [
        ("model", pa.string()),
        ("version", pa.int64()),
        ("precision", pa.string()),
        ("state", pa.string()),
        ("engine", pa.string()),
        ("size_bytes", pa.int64()),
        ("message", pa.string()),
        ("rows_succeeded", pa.int64()),
        ("rows_failed", pa.int64()),
        ("rows_cancelled", pa.int64()),
        ("rows_reused", pa.int64()),
        ("utterances", pa.int64()),
        ("batches", pa.int64()),
        ("audio_s", pa.float64()),
        ("queue_s", pa.float64()),
        ("decode_s", pa.float64()),
        ("compute_s", pa.float64()),
    ]
)


@asynccontextmanager
async def open_upkeep(run: Run, statement: UpkeepLookup) -> AsyncIterator[Rows]:
    """What is kept, by version, what was measured, or what is in memory, with what it has done."""
    if isinstance(statement, ShowTranscripts):
        kept = await run.peers.transcripts.kept()
        if not kept.keeps:
            await run.notify(
                "no transcripts are kept: THANOSQL_STORAGE__TRANSCRIPT_BYTES is 0, or their disk fails"
            )
        yield _rows(TRANSCRIPTS, kept.tallies)
        return
    if isinstance(statement, ShowEvaluations):
        async with open_evaluations(run, statement) as rows:
            yield rows
        return
    yield _rows(LOADED_MODELS, await run.peers.predictor.loaded())


async def run_upkeep(run: Run, statement: UpkeepChange) -> None:
    """Delete transcripts, or unload a model; the outcome says how many went."""
    if isinstance(statement, DeleteTranscripts):
        await _delete_transcripts(run, statement)
        return
    name, version = split_version(statement.model.text)
    with placed_at(statement.model.span):
        versions = await run.peers.predictor.unload(name, version)
        if not versions:
            await run.peers.catalog.get(name, version)
    was = f"unloaded, {count_of(versions, 'version')}" if versions else "is not loaded; nothing was done"
    run.outcome.message = f"{_what(statement.model)} {was}"


async def upkeep_step(run: Run, statement: UpkeepChange) -> str:
    """What the statement would do."""
    if isinstance(statement, DeleteTranscripts):
        tallies = (await run.peers.transcripts.kept()).tallies
        count = sum(tally.transcripts for tally in tallies if _is_meant(tally, statement.model))
        of = f" of {_what(statement.model)}" if statement.model else ""
        return f"delete {count_of(count, 'transcript')}{of} that {'is' if count == 1 else 'are'} kept"
    return f"unload {_what(statement.model)} once its statements have ended"


async def _delete_transcripts(run: Run, statement: DeleteTranscripts) -> None:
    if statement.model is None:
        deleted = await run.peers.transcripts.delete("", 0)
    else:
        name, version = split_version(statement.model.text)
        with placed_at(statement.model.span):
            deleted = await run.peers.transcripts.delete(name, version)
            if not deleted:
                # Kept ones may outlive their model by a moment, so a name is wrong only where there are none.
                await run.peers.catalog.get(name, version)
    of = f" of {_what(statement.model)}" if statement.model else ""
    run.outcome.message = f"{count_of(deleted, 'transcript')}{of} deleted"


def _is_meant(tally: TranscriptTally, model: Name | None) -> bool:
    if model is None:
        return True
    name, version = split_version(model.text)
    return tally.model == name and version in (0, tally.version)


def _what(model: Name) -> str:
    name, version = split_version(model.text)
    return f"version {version} of model '{name}'" if version else f"model '{name}'"


def _rows(schema: pa.Schema, records: Sequence[TranscriptTally] | Sequence[LoadedModel]) -> Rows:
    return Rows(schema=schema, batches=_batches(schema, records))


async def _batches(
    schema: pa.Schema, records: Sequence[TranscriptTally] | Sequence[LoadedModel]
) -> AsyncIterator[pa.RecordBatch]:
    if records:
        yield pa.RecordBatch.from_pylist([asdict(record) for record in records], schema=schema)
