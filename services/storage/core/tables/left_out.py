"""Rows that a COPY left out, put aside until it is known whether the COPY happened.

They lie beside the files of the quarantine that they are for, and no query sees them. Where a commit of their
table names the COPY, it has happened; where none does, it did not, or not yet.
"""

import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from services.storage.core.spooling import Spool
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.rows import Rows
from services.storage.core.types import CopyMark
from thanosql_objects.ports import ObjectInfo

_SUFFIX = ".arrow"
_NAME = re.compile(r"(\d+)-([0-9a-f]+)" + re.escape(_SUFFIX), re.ASCII)
_KEEP_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What one COPY left out.

    Attributes:
        key: Where its rows are.
        copy_id: The COPY.
        version_before: Version of the table before it; 0 where there was none.
        put_s: When the rows were put there, in seconds since the epoch.
    """

    key: str
    copy_id: str
    version_before: int
    put_s: float


class LeftOutRows:
    """Keeps them.

    Args:
        home: Where the tables are.
        clock: Seconds since the epoch.
    """

    def __init__(self, home: TableHome, clock: Callable[[], float] = time.time) -> None:
        self._home = home
        self._clock = clock

    def put(self, quarantine: str, copy_id: str, version_before: int, rows: Rows) -> LeftOut:
        """Put the rows of one COPY aside.

        Raises:
            ThanosqlError: STORE_UNAVAILABLE.
        """
        key = f"{self._home.left_out_folder(quarantine)}{version_before}-{copy_id}{_SUFFIX}"
        with Spool(rows.schema) as spool:
            for batch in rows.reader():
                spool.write(batch)
            spool.finish()
            info = self._home.store.upload_from(key, spool.path)
        return LeftOut(key=key, copy_id=copy_id, version_before=version_before, put_s=info.modified_s)

    def waiting(self, quarantine: str) -> list[LeftOut]:
        """Return what was put aside for a quarantine."""
        there = map(_parsed, self._home.store.walk(self._home.left_out_folder(quarantine)))
        return [left_out for left_out in there if left_out is not None]

    def is_old(self, left_out: LeftOut) -> bool:
        """Whether nobody can be about to commit what names it: it has lain there for a day."""
        return left_out.put_s < self._clock() - _KEEP_S

    def batches(self, left_out: LeftOut) -> Iterator[pa.RecordBatch]:
        """Yield its rows."""
        with self._home.store.open(left_out.key) as file:
            reader = pa.ipc.open_file(pa.PythonFile(file, mode="r"))
            for index in range(reader.num_record_batches):
                yield reader.get_batch(index)

    def is_there(self, left_out: LeftOut) -> bool:
        """Whether nobody has removed it meanwhile."""
        return self._home.store.exists(left_out.key)

    def remove(self, left_out: LeftOut) -> None:
        """Forget it."""
        self._home.store.delete(left_out.key)


def new_copy(*, keeps: bool) -> CopyMark:
    """Return the mark of a COPY that begins.

    Args:
        keeps: Whether it adds to what its table holds.
    """
    return CopyMark(copy_id=uuid.uuid4().hex, keeps=keeps)


def _parsed(info: ObjectInfo) -> LeftOut | None:
    """Read what the name tells; none for a file that somebody else put there."""
    match = _NAME.fullmatch(info.key.rpartition("/")[2])
    if match is None:
        return None
    return LeftOut(key=info.key, copy_id=match[2], version_before=int(match[1]), put_s=info.modified_s)
