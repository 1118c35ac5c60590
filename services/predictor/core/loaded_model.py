"""A model in memory: its engines, their queues, its threads, and the way from samples to text or a vector."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from services.predictor.core.batcher import Batcher, Executors
from services.predictor.core.embedding import (
    FrameSum,
    nothing_to_embed,
    sum_frames,
    to_vector,
    too_short_to_embed,
)
from services.predictor.core.ports import Clock, Engine
from services.predictor.core.silence import is_silent
from services.predictor.core.statistics import Counters
from services.predictor.core.types import ModelRecord
from services.predictor.core.waiting import Urgency
from services.predictor.core.windows import Geometry, Window, frames_once, split, stitch
from thanosql_ctc.batch_invariant import output_frames, receptive_field, samples_per_frame
from thanosql_ctc.checkpoint import Checkpoint, CheckpointFacts
from thanosql_ctc.greedy import greedy_decode
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_ctc.waveform import Samples, normalise_waveform, with_margins

Vector = npt.NDArray[np.float32]
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """How samples become windows.

    Attributes:
        window_s: Longest part of a recording that the model sees at once.
        overlap_s: What neighbouring parts share.
        silence_dbfs: Level below which nothing is heard.
        shortest_s: What is shorter holds no sound; it is not computed. Longer clips are, filled up to what
            one frame of the model needs.
        windows_in_flight: Parts of one recording in the queue at once.
        max_queue_size: Parts of all recordings in the queue.
    """

    window_s: float = 30.0
    overlap_s: float = 4.0
    silence_dbfs: float = -70.0
    shortest_s: float = 0.02
    windows_in_flight: int = 2
    max_queue_size: int = 1024


@dataclass(frozen=True, kw_only=True)
class Acoustics:
    """What a checkpoint says about samples and labels, without its weights."""

    vocabulary: Vocabulary
    sample_rate_hz: int
    do_normalize: bool
    geometry: Geometry
    hidden_size: int

    @property
    def silent_ids(self) -> frozenset[int]:
        """The labels between sounds: the blank, and the delimiter where there is one."""
        vocabulary = self.vocabulary
        delimiters = (
            label for label, token in enumerate(vocabulary.tokens) if token == vocabulary.word_delimiter
        )
        return frozenset({vocabulary.blank_id, *delimiters})

    @classmethod
    def of(cls, checkpoint: Checkpoint | CheckpointFacts, hearing: Hearing) -> "Acoustics":
        """Read them off a checkpoint."""
        config, rate_hz = checkpoint.config, checkpoint.sample_rate_hz
        step = samples_per_frame(config)
        geometry = Geometry(
            receptive_field=receptive_field(config),
            samples_per_frame=step,
            window_frames=max(2, output_frames(config, round(hearing.window_s * rate_hz))),
            overlap_frames=max(1, round(hearing.overlap_s * rate_hz) // step),
        )
        return cls(
            vocabulary=checkpoint.vocabulary,
            sample_rate_hz=rate_hz,
            do_normalize=checkpoint.do_normalize,
            geometry=geometry,
            hidden_size=config.hidden_size,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Engines:
    """What computes for a model.

    Attributes:
        labels: What transcripts are made of.
        frames: What embeddings are made of.
        read_frames: Reads what `frames` computes with; called before each embedding, in one thread.
        notice: Why another engine than the one asked for gives the labels; empty where it is that one.
    """

    labels: Engine[Any, Any, list[int]]
    frames: Engine[Any, Any, Vector]
    read_frames: Callable[[], None] | None = None
    notice: str = ""


class LoadedModel:
    """Transcribes and embeds samples; a thread a stream computes, one prepares, all callers share the queues.

    Args:
        record: The version.
        engines: What computes.
        acoustics: What is done before and after.
        hearing: Limits.
        clock: Time.
        counters: Where everything is counted.
    """

    def __init__(
        self,
        *,
        record: ModelRecord,
        engines: Engines,
        acoustics: Acoustics,
        hearing: Hearing,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self.record = record
        self.counters = counters
        self.leaving = asyncio.Event()
        self._engines = engines
        self._acoustics = acoustics
        self._hearing = hearing
        self._silent_ids = acoustics.silent_ids
        host = ThreadPoolExecutor(1, f"host-{record.name}")
        device = ThreadPoolExecutor(engines.labels.policy.streams, f"device-{record.name}")
        # Reading weights takes seconds, in which transcripts must not wait for a thread.
        self._reader = ThreadPoolExecutor(1, f"reader-{record.name}")
        self._pools = [host, device, self._reader]
        executors = Executors(host=host, device=device)
        self._labels = Batcher(engines.labels, executors, clock, counters, hearing.max_queue_size)
        self._frames = Batcher(engines.frames, executors, clock, counters, hearing.max_queue_size)

    @property
    def acoustics(self) -> Acoustics:
        """What it takes and what its labels mean."""
        return self._acoustics

    @property
    def sample_rate_hz(self) -> int:
        """Rate that it takes."""
        return self._acoustics.sample_rate_hz

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return self._engines.labels.description

    @property
    def notice(self) -> str:
        """Why another engine than the one asked for computes; empty where it is that one."""
        return self._engines.notice

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory."""
        return self._engines.labels.size_bytes + self._engines.frames.size_bytes

    @property
    def dimension(self) -> int:
        """Numbers of an embedding."""
        return self._acoustics.hidden_size

    @property
    def is_alive(self) -> bool:
        """Whether it still answers."""
        return self._labels.is_alive and self._frames.is_alive

    async def transcribe(self, samples: Samples, deadline_s: float | None = None) -> str:
        """Turn samples into text; empty for silence and for what is too short to hold a sound.

        Cancelling the call takes back what still waits.

        Raises:
            ThanosqlError: OVERLOADED, DEADLINE_EXCEEDED, or what the engine raised.
        """
        loop = asyncio.get_running_loop()
        windows = await loop.run_in_executor(self._pools[0], self._listen, samples)
        answers = await self._label_all(windows, deadline_s)
        pieces = [(window.first_frame, labels) for window, labels in zip(windows, answers, strict=True)]
        return await loop.run_in_executor(self._pools[0], self._write, pieces)

    async def label(self, samples: Samples, urgency: Urgency) -> list[int]:
        """Give the best label of every frame of one window; nothing is heard in silence.

        Cancelling the call takes back what still waits.

        Raises:
            ThanosqlError: OVERLOADED, or what the engine raised.
        """
        if not len(samples):
            return []
        host = self._pools[0]
        heard = await asyncio.get_running_loop().run_in_executor(host, self._normalised, samples)
        if is_silent(samples, self._hearing.silence_dbfs):
            return [self._acoustics.vocabulary.blank_id] * self._acoustics.geometry.frames(len(samples))
        return await self._labels.submit(heard, urgency=urgency)

    async def embed(self, samples: Samples, deadline_s: float | None = None) -> Vector:
        """Turn samples into a vector of length 1; cancelling the call takes back what still waits.

        Raises:
            ThanosqlError: AUDIO_EMPTY for silence, AUDIO_TOO_SHORT, or as for `transcribe`.
        """
        loop, host = asyncio.get_running_loop(), self._pools[0]
        windows = await loop.run_in_executor(host, self._hear, samples)
        if self._engines.read_frames:
            await loop.run_in_executor(self._reader, self._engines.read_frames)

        async def add_up(window: Window, counted: range) -> FrameSum:
            frames_fh = await self._frames.submit(window.samples, deadline_s)
            return await loop.run_in_executor(host, sum_frames, frames_fh, counted)

        pairs = zip(windows, frames_once(windows, self._acoustics.geometry), strict=True)
        return to_vector(
            await self._few_at_once([partial(add_up, *pair) for pair in pairs if pair[0].audible])
        )

    async def close(self) -> None:
        """Answer what waits, then end the threads."""
        await asyncio.gather(self._labels.drain(), self._frames.drain())
        for pool in self._pools:
            pool.shutdown(wait=False)

    def _listen(self, samples: Samples) -> list[Window]:
        """Find the parts that the model must see; what is silent stays as an empty window."""
        if self._is_too_short(samples) or is_silent(samples, self._hearing.silence_dbfs):
            return []
        return self._cut(with_margins(samples, self.sample_rate_hz))

    def _hear(self, samples: Samples) -> list[Window]:
        """Find the parts of a recording that must hold a sound; margins would count as part of it."""
        if self._is_too_short(samples):
            raise too_short_to_embed(len(samples), self.sample_rate_hz)
        windows = [] if is_silent(samples, self._hearing.silence_dbfs) else self._cut(samples)
        if not any(window.audible for window in windows):
            raise nothing_to_embed()
        return windows

    def _is_too_short(self, samples: Samples) -> bool:
        return len(samples) < self._hearing.shortest_s * self.sample_rate_hz

    def _cut(self, samples: Samples) -> list[Window]:
        geometry, quiet_dbfs = self._acoustics.geometry, self._hearing.silence_dbfs
        heard = self._normalised(samples)
        pairs = zip(split(samples, geometry), split(heard, geometry), strict=True)
        return [replace(window, audible=not is_silent(raw.samples, quiet_dbfs)) for raw, window in pairs]

    def _normalised(self, samples: Samples) -> Samples:
        return normalise_waveform(samples) if self._acoustics.do_normalize else samples

    def _write(self, pieces: list[tuple[int, list[int]]]) -> str:
        """Turn the labels of windows into text."""
        return greedy_decode(stitch(pieces, self._silent_ids), self._acoustics.vocabulary)

    async def _label_all(self, windows: list[Window], deadline_s: float | None) -> list[list[int]]:
        blank = [self._acoustics.vocabulary.blank_id]

        async def label(window: Window) -> list[int]:
            if not window.audible:
                return blank * self._acoustics.geometry.frames(len(window.samples))
            return await self._labels.submit(window.samples, deadline_s)

        return await self._few_at_once([partial(label, window) for window in windows])

    async def _few_at_once(self, steps: Sequence[Callable[[], Awaitable[_T]]]) -> list[_T]:
        """Take the steps, those of one recording that may wait in a queue together; none is left behind."""
        room = asyncio.Semaphore(self._hearing.windows_in_flight)

        async def take(step: Callable[[], Awaitable[_T]]) -> _T:
            async with room:
                return await step()

        tasks = [asyncio.ensure_future(take(step)) for step in steps]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
