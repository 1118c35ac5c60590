"""What the trainer needs of the rest of the system."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from services.trainer.core.types import Model


class Catalog(Protocol):
    """Models and their versions."""

    async def find(self, name: str, version: int = 0) -> Model | None:
        """Describe a version, the active one for 0; None where there is none of that name or version."""
        ...

    async def versions(self, name: str) -> list[Model]:
        """All versions of a model, newest first; none where there is no such model."""
        ...

    async def names(self) -> list[str]:
        """Names of all models, for telling the nearest."""
        ...

    async def register(self, model: Model, *, overwrite: bool, request_id: str) -> Model:
        """Make a version known and active.

        Raises:
            ThanosqlError: MODEL_ALREADY_EXISTS without `overwrite`.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class HeldModel:
    """A version that a job trains from, and since when: seconds since the epoch."""

    name: str
    version: int
    job_id: str
    since_s: float


class HoldsCatalog(Protocol):
    """The catalog, as far as it knows who uses what."""

    async def hold(self, models: Sequence[HeldModel]) -> float:
        """Tell everything that jobs train from now; answers how many seconds that is remembered."""
        ...


class Snapshots(Protocol):
    """Rows that are kept for a job."""

    def read(self, snapshot_id: str) -> AsyncIterator[pa.Schema | pa.RecordBatch]:
        """Read them: the schema first, then the rows in order."""
        ...

    async def delete(self, snapshot_id: str) -> None:
        """Forget them; nothing happens where there are none."""
        ...

    async def written_before(self, time_s: float) -> list[str]:
        """The ids, in lower case, of all that were written before a second since the epoch."""
        ...
