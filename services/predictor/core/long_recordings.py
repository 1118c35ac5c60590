"""Recordings longer than a window, cut where live audio is cut: their text is that of all final results.

A voice detector follows the recording a few seconds at a time, in a thread; what nobody speaks in is never
heard by the model.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from services.predictor.core.acoustics import Acoustics
from services.predictor.core.decoding.types import LogProbabilities
from services.predictor.core.flow import answer_each
from services.predictor.core.live.endpointing import Endpointer, Utterance
from services.predictor.core.live.final_windows import FinalWindows
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.ports import VoiceDetector
from services.predictor.core.live.voice import STEP_SAMPLES
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_ctc.waveform import Samples

Frames = TypeVar("Frames", list[int], LogProbabilities)
_SAMPLES_AT_ONCE = 400 * STEP_SAMPLES
"""13 s, a fortieth of a second of work, after which other recordings have their turn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cutting:
    """How long recordings are cut.

    Attributes:
        limits: Those of live audio.
        new_voice: Makes a detector for one recording.
        sample_rate_hz: Rate that the detector takes; recordings at other rates go through in windows.
    """

    limits: LiveLimits
    new_voice: Callable[[], VoiceDetector]
    sample_rate_hz: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch(Generic[Frames]):
    """The frames of an utterance: the best label of each, or the scores of all labels."""

    first_frame: int
    frames: Frames


class Cutter:
    """Cuts recordings for one model.

    Args:
        cutting: See there.
        acoustics: Of the model.
        threads: Where voices are looked for.
        in_flight: Utterances of one recording that are heard at once.
    """

    def __init__(self, cutting: Cutting, acoustics: Acoustics, threads: Executor, in_flight: int) -> None:
        self._cutting = cutting
        self._acoustics = acoustics
        self._threads = threads
        self._in_flight = in_flight
        self._finals = FinalWindows(acoustics, cutting.limits)

    @property
    def manner(self) -> str:
        """All of it that a transcript depends on, in words."""
        limits = self._cutting.limits
        ends = f"{limits.endpoint_silence_s:g} {limits.max_utterance_s:g} {limits.cut_s:g}"
        return f"utterances {ends} {limits.before_s:g} {limits.after_s:g} {limits.context_s:g}"

    def takes(self, samples: Samples) -> bool:
        """Whether a recording is cut: what fits into one window stays whole."""
        return len(samples) > self._acoustics.geometry.window_samples

    async def stretches(
        self, samples: Samples, hear: Callable[[Samples], Awaitable[Frames]]
    ) -> list[Stretch[Frames]]:
        """Hear a recording utterance by utterance; gives them in order.

        Args:
            samples: The recording.
            hear: Answers a window with its frames.

        Raises:
            ThanosqlError: What `hear` raises.
        """

        async def heard(found: Utterance | Stretch[Frames]) -> Stretch[Frames]:
            return found if isinstance(found, Stretch) else await self._heard(samples, found, hear)

        # While the next one is looked for, and heard there if it is cut, one place is left for it.
        async with (
            aclosing(self._utterances(samples, hear)) as utterances,
            aclosing(answer_each(utterances, heard, self._in_flight)) as answers,
        ):
            stretches = [stretch async for stretch in answers]
        return sorted(stretches, key=lambda stretch: stretch.first_frame)

    async def _utterances(
        self, samples: Samples, hear: Callable[[Samples], Awaitable[Frames]]
    ) -> AsyncGenerator[Utterance | Stretch[Frames], None]:
        """Find utterances; one that is cut for its length is heard here, since that tells where it is cut."""
        rules = self._cutting.limits.endpointing(self._cutting.sample_rate_hz, STEP_SAMPLES)
        endpointer, voice = Endpointer(rules), self._cutting.new_voice()
        loop = asyncio.get_running_loop()
        for begin in range(0, len(samples), _SAMPLES_AT_ONCE):
            part = samples[begin : begin + _SAMPLES_AT_ONCE]
            for probability in await loop.run_in_executor(self._threads, voice.take, part):
                utterance = endpointer.step(probability)
                if utterance is None:
                    continue
                if utterance.is_cut:
                    rest, stretch = await self._cut(samples, utterance, hear)
                    endpointer.go_on_from(rest)
                    if stretch is not None:
                        yield stretch
                elif utterance.is_speech:
                    yield utterance
        last = endpointer.finish(len(samples))
        if last is not None and last.is_speech:
            yield last

    async def _cut(
        self, samples: Samples, utterance: Utterance, hear: Callable[[Samples], Awaitable[Frames]]
    ) -> tuple[int, Stretch[Frames] | None]:
        """Cut an utterance that is too long; says where the rest begins."""
        if not utterance.is_speech:
            return utterance.end, None
        stretch = await self._heard(samples, utterance, hear)
        end_frame = stretch.first_frame + len(stretch.frames)
        return self._finals.rest_begins(utterance, end_frame), stretch

    async def _heard(
        self, samples: Samples, utterance: Utterance, hear: Callable[[Samples], Awaitable[Frames]]
    ) -> Stretch[Frames]:
        frame_samples = self._acoustics.geometry.samples_per_frame
        first = max(0, self._finals.begin(utterance) // frame_samples)
        frames = await hear(samples[first * frame_samples : utterance.heard_until])
        counted = self._finals.counted(utterance, first, _best(frames))
        return Stretch(first_frame=first + counted.start, frames=frames[counted.start : counted.stop])


def join_labels(stretches: Sequence[Stretch[list[int]]], vocabulary: Vocabulary) -> list[int]:
    """Put the labels of utterances one behind the other, parted as words are."""
    return [label for stretch in stretches for label in (_parting(vocabulary), *stretch.frames)]


def join_scores(
    stretches: Sequence[Stretch[LogProbabilities]], silent_fv: LogProbabilities, vocabulary: Vocabulary
) -> LogProbabilities:
    """Put the scores of utterances where they were heard, parted as words are.

    Args:
        stretches: In order.
        silent_fv: The scores of a recording as long in which nothing is heard; it is written to.
        vocabulary: What labels mean.
    """
    parted_v = np.copy(silent_fv[:1])
    swapped = [vocabulary.blank_id, _parting(vocabulary)]
    parted_v[:, swapped] = parted_v[:, swapped[::-1]]
    for stretch in stretches:
        if stretch.first_frame:
            silent_fv[stretch.first_frame - 1] = parted_v
        silent_fv[stretch.first_frame : stretch.first_frame + len(stretch.frames)] = stretch.frames
    return silent_fv


def _parting(vocabulary: Vocabulary) -> int:
    return min(vocabulary.delimiter_ids, default=vocabulary.blank_id)


def _best(frames: list[int] | LogProbabilities) -> list[int]:
    if isinstance(frames, list):
        return frames
    labels: list[int] = frames.argmax(axis=-1).tolist()
    return labels
