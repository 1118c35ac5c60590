"""Recordings in keeping that no version of a table names any more.

They are very many at times, so that thousands of them are one leftover: a list in the store of those that
were found without a name at the same look. One that is named again, or is written anew, leaves its list.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from services.storage.core.keeping.keepers import Keepers
from services.storage.core.keeping.naming import Look, NamedRecordings
from services.storage.core.keeping.recordings import KeptRecordings
from services.storage.core.reconciling.leftovers import Leftover, LeftoverKind
from thanosql_objects.kept_audio import KEPT_AUDIO
from thanosql_objects.ports import ObjectInfo, ObjectStore
from thanosql_runtime.errors import Reason, error

_LISTS = "catalog/unnamed_audio/"
# Few enough for a server that is told to stop while it removes them.
_MOST = 1000
# One look at all tables serves the lists that are removed within that time.
_LOOK_S = 60.0


class KeptAudio:
    """A `Source` of recordings in keeping that no table names.

    Args:
        store: Where they are kept.
        recordings: Removes them.
        named: What tables name.
        keepers: For which tables they are kept.
        clock: Seconds since the epoch.
    """

    kind = LeftoverKind.KEPT_AUDIO

    def __init__(
        self,
        store: ObjectStore,
        recordings: KeptRecordings,
        named: NamedRecordings,
        keepers: Keepers,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._recordings = recordings
        self._named = named
        self._keepers = keepers
        self._clock = clock
        self._looked_s: float | None = None

    def find(self) -> Iterator[Leftover]:
        """See `Source.find`.

        Raises:
            ThanosqlError: CONFLICT where other tables may name them too, STORE_UNAVAILABLE.
        """
        self._require_alone()
        self._looked_s = None
        with self._named.look() as look:
            look.compare(self._store.walk(KEPT_AUDIO))
            lists = [info.key for info in self._store.walk(_LISTS)]
            found = [leftover for key in lists for leftover in self._kept_up(key, look)]
            found += [self._listed(files) for files in look.rest(_MOST)]
        yield from found

    def _kept_up(self, key: str, look: Look) -> Iterator[Leftover]:
        """Take out of a list what is named or gone by now; yield what is left of it."""
        listed = self._read(key)
        left = [info for info in listed if look.take(info)]
        if not left:
            self._store.delete(key)
            return
        if len(left) != len(listed):
            self._write(key, left)
        yield self._leftover(key, left)

    def _listed(self, files: Sequence[ObjectInfo]) -> Leftover:
        # No two servers write one list.
        key = f"{_LISTS}{int(self._clock())}-{uuid.uuid4().hex[:8]}.json"
        self._write(key, files)
        return self._leftover(key, files)

    def _leftover(self, key: str, files: Sequence[ObjectInfo]) -> Leftover:
        return Leftover(
            place=key.removeprefix(_LISTS),
            state="unnamed",
            objects=len(files),
            size_bytes=sum(info.size_bytes for info in files),
            remove=partial(self._removed, key),
        )

    def _removed(self, key: str) -> bool:
        """Remove what is in a list and still has no name.

        Raises:
            ThanosqlError: CONFLICT where that must wait: the list stays as long known as it is.
        """
        self._require_alone()
        with self._named.look() as look:
            self._refresh(look)
            for info in self._read(key):
                if not look.is_named(info.key) and not self._recordings.remove(info):
                    raise error(Reason.CONFLICT, "a COPY is taking recordings; the next round removes them")
        self._store.delete(key)
        return True

    def _refresh(self, look: Look) -> None:
        now_s = self._clock()
        if self._looked_s is None or not 0 <= now_s - self._looked_s < _LOOK_S:
            self._looked_s = None
            look.refresh()
            self._looked_s = now_s

    def _require_alone(self) -> None:
        others = self._keepers.others()
        if others:
            message = f"{others} other homes of tables keep recordings here, which cannot be looked at"
            raise error(Reason.CONFLICT, f"{message}; none is removed")

    def _read(self, key: str) -> list[ObjectInfo]:
        """Read a list; nothing is in a damaged one, so that its recordings come into another."""
        try:
            noted: Mapping[str, tuple[int, float]] = json.loads(self._store.read(key))
            return [
                ObjectInfo(key=name, size_bytes=size_bytes, modified_s=modified_s)
                for name, (size_bytes, modified_s) in noted.items()
            ]
        except (ValueError, TypeError, AttributeError):
            return []

    def _write(self, key: str, files: Sequence[ObjectInfo]) -> None:
        noted = {info.key: (info.size_bytes, info.modified_s) for info in files}
        self._store.write(key, [json.dumps(noted, indent=0).encode()])
