"""Since when leftovers are known, kept with the objects, so that a restart does not forget it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError

LEDGER = "catalog/leftovers.json"


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """What a leftover looked like, and since when it has not changed, in seconds since the epoch."""

    state: str
    since_s: float


class Ledger:
    """The sightings of the last round, by kind and place."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def read(self) -> dict[str, Sighting]:
        """Return them; none where nothing was noted, or the note is damaged: all then wait anew."""
        try:
            noted = json.loads(self._store.read(LEDGER))
            return {str(name): Sighting(**sighting) for name, sighting in noted.items()}
        except ThanosqlError as problem:
            if problem.reason is not Reason.FILE_NOT_FOUND:
                raise
            return {}
        except (ValueError, TypeError, AttributeError):
            return {}

    def write(self, sightings: Mapping[str, Sighting]) -> None:
        """Note them in the place of those before."""
        noted = {name: asdict(sighting) for name, sighting in sorted(sightings.items())}
        self._store.write(LEDGER, [json.dumps(noted, ensure_ascii=False, indent=1).encode()])
