"""The parts of storage's core, as the servicer and its streams use them."""

from dataclasses import dataclass

from services.storage.core.changing.changes import TableChanges
from services.storage.core.copying.command import CopyCommand
from services.storage.core.copying.explaining import CopyExplainer
from services.storage.core.extracts.extracts import Extracts
from services.storage.core.files.uploads import Uploads
from services.storage.core.keeping.recordings import KeptRecordings
from services.storage.core.keeping.transcripts import Transcripts
from services.storage.core.models.models import ModelCatalog
from services.storage.core.queries.queries import QueryEngine
from services.storage.core.reconciling.reconciliation import Reconciliation
from services.storage.core.searching.keyword_indexes import KeywordIndexes
from services.storage.core.searching.vector_indexes import VectorIndexes
from services.storage.core.tables.history import TableHistory
from services.storage.core.tables.listing import TableListing
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.tables import Tables
from services.storage.work import Work
from thanosql_objects.opening import Objects


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything behind the RPCs.

    Attributes:
        tables: What users see.
        history: Their versions.
        snapshots: Rows that are kept for jobs, outside of that.
        engine: SQL over the tables.
        indexes: What SEARCH KEYWORD reads instead of large tables.
        vectors: What SEARCH AUDIO reads instead of them.
        extracts: What other queries read instead of them.
        changes: UPDATE, DELETE and ALTER.
        copying: COPY.
        copy_explainer: What it would do.
        recordings: Recordings in keeping.
        listing: Tables page by page.
        snapshot_listing: Rows that are kept for jobs, page by page.
        quarantines: Tables with those that COPY keeps beside them.
        models: The catalog.
        objects: Files of the workspace, and the object store.
        reconciliation: Rounds for what belongs to nothing.
        uploads: Files on their way in.
        transcripts: What was heard in recordings, so that nothing is computed twice.
        work: Threads.
    """

    tables: Tables
    history: TableHistory
    snapshots: Tables
    engine: QueryEngine
    indexes: KeywordIndexes
    vectors: VectorIndexes
    extracts: Extracts
    changes: TableChanges
    copying: CopyCommand
    copy_explainer: CopyExplainer
    recordings: KeptRecordings
    listing: TableListing
    snapshot_listing: TableListing
    quarantines: Quarantines
    models: ModelCatalog
    objects: Objects
    reconciliation: Reconciliation
    uploads: Uploads
    transcripts: Transcripts
    work: Work
