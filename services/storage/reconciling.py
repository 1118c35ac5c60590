"""Wires the search for what belongs to nothing: which stores, which of their keys."""

from services.storage.core.models.models import ModelCatalog
from services.storage.core.reconciling.kept_audio import KeptAudio
from services.storage.core.reconciling.ledger import Ledger
from services.storage.core.reconciling.leftovers import LeftoverKind, ModelFiles, Probes, TableFiles, Uploads
from services.storage.core.reconciling.reconciliation import Reconciliation
from services.storage.core.reconciling.sweeps import ScratchFolders, UnusedRows
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.tables import Tables
from services.storage.placing import Places
from thanosql_objects.kept_audio import KEPT_AUDIO
from thanosql_objects.opening import Objects
from thanosql_objects.workspace import UPLOADS

_EVERYTHING = ("",)
# In a bucket, users write beside these, with tools of their own.
_OURS = ("catalog/", "models/", UPLOADS, KEPT_AUDIO)


def build_reconciliation(
    places: Places,
    objects: Objects,
    models: ModelCatalog,
    tables: Tables,
    snapshots: Tables,
    audio: KeptAudio,
    keep_leftovers_s: float,
) -> Reconciliation:
    """Look through the stores of models, uploads, tables and snapshots; never through the users' files."""
    own_keys = _OURS if objects.settings.is_bucket else _EVERYTHING
    return Reconciliation(
        sources=(
            ModelFiles(models, objects.store),
            TableFiles(LeftoverKind.TABLE_FILES, TableHome(places.tables), tables),
            TableFiles(LeftoverKind.SNAPSHOT_FILES, TableHome(places.snapshots), snapshots),
            Uploads(objects.unfinished, own_keys),
            # Those of the snapshots are beneath them.
            Uploads(places.tables.unfinished, _EVERYTHING),
            Probes(places.tables.store),
            audio,
        ),
        sweeps=(ScratchFolders(), UnusedRows(tables)),
        ledger=Ledger(objects.store),
        keep_s=keep_leftovers_s,
    )
