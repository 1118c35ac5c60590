"""What the core needs from outside; `app.py` passes the implementations in."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from services.predictor.core.types import ModelRecord
from thanosql_runtime.errors import ThanosqlError

Prepared = TypeVar("Prepared")
Raw = TypeVar("Raw")
Answer = TypeVar("Answer", covariant=True)


class Clock(Protocol):
    """Time that tests can hold still."""

    def now(self) -> float:
        """Seconds that only grow."""
        ...

    async def wait(self, event: asyncio.Event, timeout_s: float | None) -> None:
        """Return when the event is set, or the time is over."""
        ...


class ModelCatalog(Protocol):
    """The catalog of models."""

    async def get_model(self, name: str, version: int) -> ModelRecord:
        """Find a version, the active one for 0; MODEL_NOT_FOUND names the nearest."""
        ...


class ArtefactStore(Protocol):
    """Where the files of models are; blocking, and safe in any thread."""

    def download_to(self, key: str, path: Path) -> object:
        """Copy an object into a local file."""
        ...


class Recordings(Protocol):
    """The users' recordings; blocking, and safe in any thread."""

    def open(self, path: str) -> BinaryIO:
        """Open a recording; the caller closes it."""
        ...


@dataclass(frozen=True, kw_only=True)
class BatchPolicy:
    """How an engine wants its batches; the names are those of Triton's configuration.

    Attributes:
        max_batch_size: Most windows in a batch.
        max_batch_samples: Most samples in a batch of more than one, padding included; 0 for any.
        max_queue_delay_s: How long the oldest window waits for others to join it.
        bucket_samples: Windows whose lengths, in these units, of samples or tokens, round up alike may share
            a batch.
        pipeline_depth: Batches between preparation and the end; 2 lets one prepare while another runs.
        streams: Batches that the device computes at once.
        live_alone: Windows of live audio go one by one, since an answer may depend on its batch.
    """

    max_batch_size: int
    max_queue_delay_s: float
    bucket_samples: int
    pipeline_depth: int
    streams: int = 1
    live_alone: bool = False
    max_batch_samples: int = 0

    def __post_init__(self) -> None:
        if (
            min(self.max_batch_size, self.bucket_samples, self.pipeline_depth, self.streams) < 1
            or self.max_queue_delay_s < 0
        ):
            raise ValueError(f"a policy needs positive sizes and a delay, got {self}")

    def most_windows(self, samples: int) -> int:
        """Tell how many windows of about this length, which share a bucket, make a full batch."""
        if not self.max_batch_samples:
            return self.max_batch_size
        padded = max(1, -(-samples // self.bucket_samples)) * self.bucket_samples
        return max(1, min(self.max_batch_size, self.max_batch_samples // padded))


class Engine(Protocol[Prepared, Raw, Answer]):
    """Computes in three blocking steps, labels or frames.

    `run` is called from as many threads at once as the policy has streams, the others from one.
    """

    @property
    def description(self) -> str:
        """Where and how it computes, such as `torch cpu float32`."""
        ...

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        ...

    @property
    def policy(self) -> BatchPolicy:
        """How it wants its batches."""
        ...

    def prepare(self, windows: Sequence[Any]) -> Prepared:
        """Make the input of the device, on the CPU. Any: samples or tokens, as the engine takes them."""
        ...

    def run(self, prepared: Prepared) -> Raw:
        """Compute, on the device."""
        ...

    def finish(self, raw: Raw) -> Sequence[Answer | ThanosqlError]:
        """Give, for each window, its answer, or why this window has none.

        A transcribing engine answers with the best label of every frame, an embedding one with the frames,
        one for texts with a vector.
        """
        ...
