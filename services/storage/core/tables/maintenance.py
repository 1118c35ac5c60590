"""Keeps tables quick to read and their history bounded, in the background.

Small pieces become large ones, and versions go that were replaced long ago. A version stays while it is the
newest, while somebody reads it, and while the record of a model names it, unless settings say otherwise.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import structlog

from services.storage.core.models.models import ModelCatalog
from services.storage.core.names import fold
from services.storage.core.tables.history import TableHistory
from services.storage.core.tables.outages import panics_told
from services.storage.core.tables.tables import Tables
from thanosql_runtime.errors import ThanosqlError

_log = structlog.get_logger("storage")


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """How long versions are kept.

    Attributes:
        replaced_s: Seconds from the moment when another version took its place.
        named_by_models: Whether those that the record of a model names stay for ever.
    """

    replaced_s: float
    named_by_models: bool = True


class Maintenance:
    """Looks after all tables; one run at a time.

    Args:
        tables: What is looked after.
        history: Their versions.
        models: Whose records name versions.
        keeping: How long versions are kept.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        tables: Tables,
        history: TableHistory,
        models: ModelCatalog,
        keeping: Keeping,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tables = tables
        self._history = history
        self._models = models
        self._keeping = keeping
        self._clock = clock

    def run(self) -> int:
        """Look after every table, and say how many versions were cleaned up; failures are logged."""
        cleaned = 0
        named = self._models.tables_named() if self._keeping.named_by_models else frozenset()
        for name in self._tables.names():
            try:
                with panics_told(f"table {name!r}"):
                    self._tables.compact(name)
                    kept = {version for table, version in named if table == fold(name)}
                    cleaned += self.clean(name, kept)
            # Another process writes or drops it, it is damaged, or the store is away: tried again next time.
            except (ThanosqlError, OSError, RuntimeError, ValueError) as problem:
                _log.warning("table_not_maintained", error=str(problem)[:200])
        return cleaned

    def clean(self, name: str, kept: Iterable[int] = ()) -> int:
        """Clean up the versions of a table that were replaced long ago, but for those kept."""
        before_s = self._clock() - self._keeping.replaced_s
        with self._tables.writing(fold(name)):
            return self._tables.clean(name, replaced(self._history.moments(name), before_s) - set(kept))


def replaced(moments: Sequence[tuple[int, float]], before_s: float) -> set[int]:
    """Choose versions in whose place another came before that second; never the newest.

    The age of a version itself says nothing: one that was written a year ago and overwritten by mistake
    today is what somebody wants back.
    """
    return {older for (older, _), (_, replaced_s) in pairwise(moments) if replaced_s <= before_s}
