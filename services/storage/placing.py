"""From settings to the homes of tables and snapshots."""

from dataclasses import dataclass
from pathlib import Path

from services.storage.core.tables.homes import directory_home
from services.storage.settings import StorageSettings
from thanosql_objects.opening import Place, open_place
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, error

_BUCKET = "s3://"
_BESIDE_OBJECTS = "/tables"
_SNAPSHOTS = "/snapshots"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where tables are, and where the rows that are kept for jobs.

    Attributes:
        tables: What users see.
        snapshots: Beneath the tables in a bucket; in the server's home otherwise.
        left_behind: Directory that would hold the tables if the settings named no bucket.
    """

    tables: Place
    snapshots: Place
    left_behind: Path | None = None

    def check(self) -> None:
        """Raise unless both can be reached, lose no commit, and are where tables were before.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE, INVALID_ARGUMENT for tables that would be left behind.
        """
        self._check_left_behind()
        for place in (self.tables, self.snapshots):
            place.store.check()
        self.tables.require_conditional_writes()

    def _check_left_behind(self) -> None:
        names = directory_home(self.left_behind).names() if self.left_behind else []
        if names:
            message = (
                f"there are {len(names)} tables in {self.left_behind}, but the settings keep tables in "
                f"{self.tables.uri}; copy the folder there, and rename it, or set "
                f"THANOSQL_STORAGE__TABLES={self.left_behind} to keep them where they are"
            )
            raise error(Reason.INVALID_ARGUMENT, message)


def places(settings: StorageSettings, objects: ObjectSettings, home: Path) -> Places:
    """Choose: what THANOSQL_STORAGE__TABLES says, or else beside the objects when those are in a bucket.

    Raises:
        ThanosqlError: INVALID_ARGUMENT for a bucket on a server that nothing is said of, and for the whole
            bucket of the objects, where clean-up could not tell its own writes from those of users.
    """
    chosen = settings.tables or (objects.uri.rstrip("/") + _BESIDE_OBJECTS if objects.is_bucket else "")
    if not chosen.startswith(_BUCKET):
        tables = open_place(objects, chosen or str(home / "tables"))
        return Places(tables=tables, snapshots=open_place(objects, str(home / "snapshots")))
    if not objects.endpoint or not chosen.removeprefix(_BUCKET).strip("/"):
        message = f"tables in {chosen!r} need a bucket's name and THANOSQL_OBJECTS__ENDPOINT=host:port"
        raise error(Reason.INVALID_ARGUMENT, message)
    tables = open_place(objects, chosen)
    if tables.uri.removeprefix(_BUCKET) == objects.bucket:
        message = (
            f"tables in {chosen!r} would be among the objects and the files of users, which are in the same "
            f"bucket; set THANOSQL_STORAGE__TABLES={tables.uri}{_BESIDE_OBJECTS} and copy tables that are "
            "there already, or name another bucket"
        )
        raise error(Reason.INVALID_ARGUMENT, message)
    return Places(
        tables=tables,
        snapshots=open_place(objects, tables.uri + _SNAPSHOTS),
        left_behind=None if settings.tables else home / "tables",
    )
