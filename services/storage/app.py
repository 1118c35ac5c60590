"""Wires the storage service."""

import asyncio
import contextlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import grpc
import structlog

from services.storage.core.changing.changes import TableChanges
from services.storage.core.copying.command import CopyCommand
from services.storage.core.copying.explaining import CopyExplainer
from services.storage.core.extracts.extracts import Extracts
from services.storage.core.extracts.shelf import Shelf
from services.storage.core.files.uploads import UploadLimits, Uploads
from services.storage.core.keeping.digests import Digests
from services.storage.core.keeping.keepers import Keepers
from services.storage.core.keeping.naming import NamedRecordings
from services.storage.core.keeping.recordings import KeptRecordings
from services.storage.core.keeping.transcripts import TranscriptLimits, Transcripts
from services.storage.core.models.holds import ModelHolds
from services.storage.core.models.models import ModelCatalog
from services.storage.core.models.seeding import Seeder, SeedPlan
from services.storage.core.queries.connections import QueryLimits, open_connection
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.reconciling.kept_audio import KeptAudio
from services.storage.core.reconciling.reconciliation import Reconciled
from services.storage.core.searching.keyword_indexes import KeywordIndexes
from services.storage.core.searching.vector_indexes import VectorIndexes
from services.storage.core.tables.history import TableHistory
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.listing import TableListing
from services.storage.core.tables.maintenance import Keeping, Maintenance
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.tables import Tables
from services.storage.hub import HubCheckpoints
from services.storage.parts import Parts
from services.storage.placing import Places, places
from services.storage.reconciling import build_reconciliation
from services.storage.servicer import StorageServicer
from services.storage.settings import StorageSettings
from services.storage.work import Work
from thanosql.v1 import storage_pb2, storage_pb2_grpc
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import ThanosqlError
from thanosql_runtime.service import Authoriser, Context, Service

_log = structlog.get_logger("storage")
_HOUR_S = 3600.0
FULL_NAME = storage_pb2.DESCRIPTOR.services_by_name["StorageService"].full_name


class StorageApp:
    """Storage as the composition root runs it."""

    def __init__(self, settings: StorageSettings, context: Context, objects: Objects) -> None:
        self._context = context
        self._plan = SeedPlan(
            bundled=settings.bundled_checkpoint,
            configured=settings.wav2vec2_en,
            korean=settings.wav2vec2_ko,
            others=settings.base_models,
            whisper=settings.whisper,
            text_encoder=settings.text_encoder,
        )
        self._places = places(settings, objects.settings, context.home)
        self._parts = _parts(settings, self._places, context.home, objects)
        self._maintenance_interval_s = settings.maintenance_interval_s
        self._keep_leftovers_h = settings.keep_leftovers_h
        self._keep_extracts_s = settings.keep_versions_h * _HOUR_S
        self._maintenance = Maintenance(
            self._parts.tables,
            self._parts.history,
            self._parts.models,
            Keeping(
                replaced_s=settings.keep_versions_h * _HOUR_S,
                named_by_models=settings.keep_versions_of_models,
            ),
        )
        self._maintaining: asyncio.Task[None] | None = None
        hub = HubCheckpoints(context.home / "storage" / "hub", settings.hub_timeout_s)
        self._seeder = Seeder(self._parts.models, objects.store, hub.download)

    @property
    def full_name(self) -> str:
        """Name in health and reflection."""
        return FULL_NAME

    @property
    def authorise(self) -> Authoriser | None:
        """Only the other services may call."""
        return None

    def mount(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        storage_pb2_grpc.add_StorageServiceServicer_to_server(StorageServicer(self._parts), server)

    async def start(self) -> None:
        """Reach the stores, take back what a dead process left half done, seed a new workspace."""
        await self._parts.work.command(self._parts.objects.store.check)
        await self._parts.work.command(self._places.check)
        for table in await self._parts.work.command(self._parts.quarantines.recover):
            self._context.announce(
                f"table {table}: its quarantine was brought up to date after an unfinished statement"
            )
        await self._parts.work.command(self._forget_dropped)
        await self._parts.work.command(self._parts.uploads.clean)
        for line in await self._parts.work.command(self._seeder.seed, self._plan):
            self._context.announce(line)
        self._maintaining = asyncio.create_task(self._maintain(), name="maintenance")
        self._maintaining.add_done_callback(self._tell_health)

    def _forget_dropped(self) -> None:
        self._parts.indexes.forget_others(self._parts.tables.names)
        self._parts.vectors.forget_others(self._parts.tables.names)
        self._parts.extracts.shelf.forget_others(self._parts.tables.names)
        self._parts.extracts.shelf.forget_unread(self._keep_extracts_s)

    async def stop(self) -> None:
        """Release the threads; no call is in flight any more."""
        self._parts.reconciliation.stop()
        if self._maintaining is not None:
            self._maintaining.cancel()
            await asyncio.gather(self._maintaining, return_exceptions=True)
        self._parts.indexes.close()
        self._parts.vectors.close()
        self._parts.extracts.close()
        self._parts.engine.close()
        self._parts.recordings.close()
        self._parts.transcripts.close()
        self._parts.work.close()

    async def _maintain(self) -> None:
        """Look after what is stored: once now, and then now and then, until the server begins to stop."""
        for line in (await self._reconcile()).lines(self._keep_leftovers_h):
            self._context.announce(line)
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._context.stopping.wait(), self._maintenance_interval_s)
                return
            try:
                # Before versions are cleaned up: what is left half done is told by the history of its table.
                await self._parts.work.command(self._parts.quarantines.recover)
                cleaned = await self._parts.work.command(self._maintenance.run)
                await self._parts.work.command(self._forget_dropped)
                uploads = await self._parts.work.command(self._parts.uploads.clean)
                forgotten = await self._parts.work.command(self._parts.transcripts.clean)
            except ThanosqlError as problem:
                _log.warning("maintenance_failed", error=problem.message)
            else:
                _log.info(
                    "maintained",
                    versions_cleaned=cleaned,
                    uploads_given_up=uploads,
                    transcripts_forgotten=forgotten,
                )
            await self._reconcile()

    async def _reconcile(self) -> Reconciled:
        """Look for what belongs to nothing; what cannot be done now is done in the next round."""
        reconciliation = self._parts.reconciliation
        try:
            reconciled = await self._parts.work.command(reconciliation.run)
        except ThanosqlError as problem:
            _log.warning("reconciliation_failed", error=problem.message)
            return reconciliation.latest
        _log.info("reconciled", **reconciled.facts())
        return reconciled

    def _tell_health(self, ended: "asyncio.Task[None]") -> None:
        if not ended.cancelled() and ended.exception() is not None:
            _log.error("maintenance_died", error=repr(ended.exception()))
            self._context.report_health(FULL_NAME, False)


def build(settings: StorageSettings, context: Context, objects: Objects | None = None) -> Service:
    """The storage service.

    Args:
        settings: Its settings.
        context: What the root gives.
        objects: Files and models; opened from the settings of objects when not given.
    """
    return StorageApp(settings, context, objects or open_objects(ObjectSettings()))


def _parts(settings: StorageSettings, places: Places, home: Path, objects: Objects) -> Parts:
    tables, snapshots = Tables(TableHome(places.tables)), Tables(TableHome(places.snapshots))
    models = ModelCatalog(objects.store, ModelHolds(objects.store, settings.model_holds_s))
    limits = QueryLimits(
        compute_s=settings.query_compute_s,
        memory_bytes=settings.query_memory_bytes,
        spill_bytes=settings.query_spill_bytes,
        threads=settings.duckdb_threads,
        growth_bytes=settings.query_growth_bytes,
    )
    indexes = KeywordIndexes(home / "keyword_indexes", partial(open_connection, limits))
    vectors = VectorIndexes(home / "vector_indexes")
    extracts = Extracts(
        Shelf(home / "table_extracts", settings.extract_bytes),
        partial(open_connection, replace(limits, threads=1)),  # Queries go on meanwhile.
    )
    engine = QueryEngine(tables, limits, indexes, vectors, extracts)
    quarantines = Quarantines(tables)
    keepers = Keepers(objects.store, places.tables.store)
    digests = Digests(home / "storage" / "recordings.sqlite")
    recordings = KeptRecordings(objects.workspace, objects.store, digests, keepers)
    homes = (TableHome(places.tables), TableHome(places.snapshots))
    named = NamedRecordings(home / "storage" / "named_recordings.sqlite", homes)
    audio = KeptAudio(objects.store, recordings, named, keepers)
    return Parts(
        tables=tables,
        history=TableHistory(tables),
        snapshots=snapshots,
        engine=engine,
        indexes=indexes,
        vectors=vectors,
        extracts=extracts,
        changes=TableChanges(tables, engine),
        copying=CopyCommand(tables, quarantines, objects.workspace, recordings),
        copy_explainer=CopyExplainer(tables, quarantines, objects.workspace),
        recordings=recordings,
        listing=TableListing(tables, quarantines),
        snapshot_listing=TableListing(snapshots, Quarantines(snapshots)),
        quarantines=quarantines,
        models=models,
        objects=objects,
        reconciliation=build_reconciliation(
            places, objects, models, tables, snapshots, audio, settings.keep_leftovers_h * _HOUR_S
        ),
        uploads=Uploads(
            home / "storage" / "uploads",
            objects.store,
            UploadLimits(
                max_bytes=settings.max_upload_bytes,
                keep_s=settings.keep_uploads_h * _HOUR_S,
                total_bytes=settings.keep_uploads_bytes,
            ),
        ),
        transcripts=Transcripts(
            home / "storage" / "transcripts.sqlite",
            TranscriptLimits(
                total_bytes=settings.transcript_bytes, unused_s=settings.keep_transcripts_h * _HOUR_S
            ),
        ),
        work=Work(query_threads=settings.query_threads, command_threads=settings.command_threads),
    )
