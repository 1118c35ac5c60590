"""Tells the catalog which models this process has in memory, so that none is deleted unnoticed."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.predictor.core.types import ModelKey, ModelRecord
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.renewing import Renewal


@dataclass(frozen=True, kw_only=True)
class HeldVersion:
    """A version in memory, and since when: seconds since the epoch."""

    record: ModelRecord
    since_s: float


@dataclass(frozen=True, kw_only=True)
class HoldAnswer:
    """What the catalog says to it.

    Attributes:
        missing: Names and versions that it does not have, or not any more.
        lasts_s: How long it remembers what it was told.
    """

    missing: frozenset[tuple[str, int]]
    lasts_s: float


class HoldsCatalog(Protocol):
    """The catalog, as far as it knows who uses what."""

    async def hold(self, versions: Sequence[HeldVersion]) -> HoldAnswer:
        """Tell everything that is in memory now."""
        ...


class ModelHolding:
    """The versions in memory, each from before it is loaded until it has left.

    Args:
        catalog: Who is told.
        stopping: Set once the server begins to stop.
        report_death: Called when the telling ends by a bug.
        clock: Seconds since the epoch.
    """

    def __init__(
        self,
        catalog: HoldsCatalog,
        stopping: asyncio.Event,
        report_death: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalog = catalog
        self._clock = clock
        self._held: dict[ModelKey, HeldVersion] = {}
        self._missing: frozenset[tuple[str, int]] = frozenset()
        self._renewal = Renewal(self._standing, self._tell, stopping, report_death)

    def start(self) -> None:
        """Begin to tell."""
        self._renewal.start()

    async def close(self) -> None:
        """Stop telling."""
        await self._renewal.close()

    async def take(self, record: ModelRecord) -> None:
        """Hold a version that is about to be loaded.

        Raises:
            ThanosqlError: MODEL_NOT_FOUND where it was deleted since it was looked up.
        """
        self._held[record.key] = HeldVersion(record=record, since_s=self._clock())
        await self._renewal.now()
        if (record.name, record.version) in self._missing:
            raise deleted_meanwhile(record)

    def give_up(self, record: ModelRecord) -> None:
        """Hold it no more."""
        if self._held.pop(record.key, None) is not None:
            self._renewal.soon()

    def _standing(self, stops: bool) -> Sequence[HeldVersion]:
        # The catalog asks which versions are in use, not in how many precisions.
        versions: dict[tuple[str, int], HeldVersion] = {}
        for held in () if stops else self._held.values():
            versions.setdefault((held.record.name, held.record.version), held)
        return tuple(versions.values())

    async def _tell(self, held: Sequence[HeldVersion]) -> float:
        answer = await self._catalog.hold(held)
        self._missing = answer.missing
        return answer.lasts_s


def deleted_meanwhile(record: ModelRecord) -> ThanosqlError:
    """Build the error for a version that was deleted after a statement had found it."""
    message = (
        f"version {record.version} of model '{record.name}' was deleted while it was being loaded; "
        "SHOW MODEL VERSIONS tells what is left of it"
    )
    return error(Reason.MODEL_NOT_FOUND, message, model=record.name)
