"""A model in memory: its engines, their queues, its threads, and the way from samples to text or a vector."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from services.predictor.core.acoustics import Acoustics, Hearing
from services.predictor.core.batcher import Batcher, Executors
from services.predictor.core.decoding.ports import Decode, Decoder
from services.predictor.core.decoding.reading import read
from services.predictor.core.decoding.types import Hypothesis, LogProbabilities, Reading
from services.predictor.core.embedding import (
    FrameSum,
    nothing_to_embed,
    sum_frames,
    to_vector,
    too_short_to_embed,
)
from services.predictor.core.flow import few_at_once
from services.predictor.core.long_recordings import Cutter, Cutting, Stretch, join_labels, join_scores
from services.predictor.core.ports import Clock, Engine
from services.predictor.core.silence import is_silent
from services.predictor.core.statistics import Counters
from services.predictor.core.types import ModelRecord
from services.predictor.core.waiting import Urgency
from services.predictor.core.windows import Window, frames_once, split, stitch, stitch_scores
from thanosql_ctc.greedy import greedy_decode
from thanosql_ctc.waveform import Samples, margin_samples, normalise_waveform, with_margins

Vector = npt.NDArray[np.float32]
_T = TypeVar("_T")
_DECODERS = 2
# Of the blank in a window that is not computed, and of every other label there: as good as certain.
_SILENT_LOG_PROBABILITY = -100.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Engines:
    """What computes for a model.

    Attributes:
        labels: What transcripts are made of.
        scores: What hypotheses are made of: the log-probabilities of all labels, with the same weights.
        frames: What embeddings are made of.
        read_frames: Reads what `frames` computes with; called before each embedding, in one thread.
        notice: Why another engine than the one asked for gives the labels; empty where it is that one.
    """

    labels: Engine[Any, Any, list[int]]
    scores: Engine[Any, Any, LogProbabilities]
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
        cutting: How recordings longer than a window are cut; None for windows that overlap.
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
        cutting: Cutting | None = None,
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
        self._decoders = ThreadPoolExecutor(_DECODERS, f"decoder-{record.name}")
        self._pools = [host, device, self._reader, self._decoders]
        self._cutter = self._new_cutter(cutting)
        executors = Executors(host=host, device=device)
        self._labels = Batcher(engines.labels, executors, clock, counters, hearing.max_queue_size)
        self._scores = Batcher(engines.scores, executors, clock, counters, hearing.max_queue_size)
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
    def manner(self) -> str:
        """All of it that a transcript depends on, in words: those of equal manner write the same."""
        hearing = self._hearing
        parts = f"{hearing.window_s:g} {hearing.overlap_s:g} {hearing.silence_dbfs:g} {hearing.shortest_s:g}"
        if self._cutter is not None:
            parts += f" {self._cutter.manner}"
        return f"{self.record.full_name} {self.record.fingerprint} {self.description} {parts}"

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
        return all(queue.is_alive for queue in (self._labels, self._scores, self._frames))

    async def transcribe(self, samples: Samples, deadline_s: float | None = None) -> str:
        """Turn samples into text; empty for silence and for what is too short to hold a sound.

        Cancelling the call takes back what still waits.

        Raises:
            ThanosqlError: OVERLOADED, DEADLINE_EXCEEDED, or what the engine raised.
        """
        loop = asyncio.get_running_loop()
        if self._cutter is not None and self._cutter.takes(samples):
            hear = partial(self.label, urgency=Urgency.RECORDING, deadline_s=deadline_s)
            stretches = await self._cutter.stretches(samples, hear)
            return await loop.run_in_executor(self._decoders, self._write_utterances, stretches)
        windows = await loop.run_in_executor(self._pools[0], self._listen, samples)
        blank = [self._acoustics.vocabulary.blank_id]

        async def label(window: Window) -> list[int]:
            if not window.audible:
                return blank * self._acoustics.geometry.frames(len(window.samples))
            return await self._labels.submit(window.samples, deadline_s)

        pieces = await self._each(windows, label)
        return await loop.run_in_executor(self._pools[0], self._write, pieces)

    async def decode(
        self, samples: Samples, decoder: Decoder, deadline_s: float | None = None
    ) -> Sequence[Reading]:
        """Turn samples into readings, the best first; one without text where there is nothing to hear.

        Cancelling the call takes back what still waits.

        Raises:
            ThanosqlError: As for `transcribe`.
        """

        async def decode(scores_fv: LogProbabilities) -> Sequence[Hypothesis]:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._decoders, decoder.decode, scores_fv)

        return await self.decode_by(samples, decode, deadline_s)

    async def decode_by(
        self, samples: Samples, decode: Decode, deadline_s: float | None = None
    ) -> Sequence[Reading]:
        """Turn samples into readings as `decode` does, by what decodes somewhere else."""
        scores_fv = await self.score(samples, deadline_s)
        hypotheses = await decode(scores_fv)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._decoders, self._read, samples, hypotheses, scores_fv)

    async def score(self, samples: Samples, deadline_s: float | None = None) -> LogProbabilities:
        """Turn samples into the scores of frames, put together; none where there is nothing to hear.

        Frames are counted from the start of the recording with its margins. Cancelling and errors are as for
        `decode`.
        """
        loop = asyncio.get_running_loop()
        if self._cutter is not None and self._cutter.takes(samples):
            hear = partial(self.score_window, urgency=Urgency.RECORDING, deadline_s=deadline_s)
            heard = await self._cutter.stretches(samples, hear)
            return await loop.run_in_executor(self._decoders, self._join_utterances, samples, heard)
        windows = await loop.run_in_executor(self._pools[0], self._listen, samples)

        async def score(window: Window) -> LogProbabilities:
            if not window.audible:
                return self._silent_scores(self._acoustics.geometry.frames(len(window.samples)))
            return await self._scores.submit(window.samples, deadline_s)

        pieces = await self._each(windows, score)
        if not pieces:
            return self._silent_scores(0)
        return await loop.run_in_executor(self._decoders, stitch_scores, pieces, self._silent_ids)

    async def label(self, samples: Samples, urgency: Urgency, deadline_s: float | None = None) -> list[int]:
        """Give the best label of every frame of one window; nothing is heard in silence.

        Cancelling the call takes back what still waits.

        Raises:
            ThanosqlError: OVERLOADED, or what the engine raised.
        """
        heard = await self._heard(samples)
        if heard is None:
            return [self._acoustics.vocabulary.blank_id] * self._acoustics.geometry.frames(len(samples))
        return await self._labels.submit(heard, deadline_s, urgency)

    async def score_window(
        self, samples: Samples, urgency: Urgency, deadline_s: float | None = None
    ) -> LogProbabilities:
        """Give the scores of one window, as `label` gives its labels."""
        heard = await self._heard(samples)
        if heard is None:
            return self._silent_scores(self._acoustics.geometry.frames(len(samples)))
        return await self._scores.submit(heard, deadline_s, urgency)

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
        steps = [partial(add_up, *pair) for pair in pairs if pair[0].audible]
        return to_vector(await few_at_once(steps, self._hearing.windows_in_flight))

    async def close(self) -> None:
        """Answer what waits, then end the threads."""
        await asyncio.gather(self._labels.drain(), self._scores.drain(), self._frames.drain())
        for pool in self._pools:
            pool.shutdown(wait=False)

    async def _heard(self, samples: Samples) -> Samples | None:
        """One window as the model takes it; None where there is nothing to hear."""
        if not len(samples) or is_silent(samples, self._hearing.silence_dbfs):
            return None
        return await asyncio.get_running_loop().run_in_executor(self._pools[0], self._normalised, samples)

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

    def _write_utterances(self, stretches: Sequence[Stretch[list[int]]]) -> str:
        vocabulary = self._acoustics.vocabulary
        return greedy_decode(join_labels(stretches, vocabulary), vocabulary)

    def _join_utterances(
        self, samples: Samples, stretches: Sequence[Stretch[LogProbabilities]]
    ) -> LogProbabilities:
        silent_fv = self._silent_scores(self._acoustics.geometry.frames(len(samples)))
        return join_scores(stretches, silent_fv, self._acoustics.vocabulary)

    def _new_cutter(self, cutting: Cutting | None) -> Cutter | None:
        """What cuts long recordings, where there is a voice detector for the rate of the model."""
        if cutting is None or cutting.sample_rate_hz != self.sample_rate_hz:
            return None
        return Cutter(cutting, self._acoustics, self._decoders, self._hearing.windows_in_flight)

    def _read(
        self, samples: Samples, hypotheses: Sequence[Hypothesis], scores_fv: LogProbabilities
    ) -> Sequence[Reading]:
        acoustics = self._acoustics
        timeline = acoustics.timeline(margin_samples(len(samples), acoustics.sample_rate_hz))
        return read(hypotheses, scores_fv, acoustics.vocabulary, samples, timeline)

    def _silent_scores(self, frames: int) -> LogProbabilities:
        vocabulary = self._acoustics.vocabulary
        scores_fv = np.full((frames, len(vocabulary)), _SILENT_LOG_PROBABILITY, dtype=np.float32)
        scores_fv[:, vocabulary.blank_id] = 0.0
        return scores_fv

    async def _each(
        self, windows: list[Window], hear: Callable[[Window], Awaitable[_T]]
    ) -> list[tuple[int, _T]]:
        """Hear the windows, those of one recording that may wait in a queue together."""
        steps = [partial(hear, window) for window in windows]
        answers = await few_at_once(steps, self._hearing.windows_in_flight)
        return [(window.first_frame, answer) for window, answer in zip(windows, answers, strict=True)]
