"""Live audio that a test can read: each letter is a level, which a model and a voice detector know."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from services.predictor.core.acoustics import Acoustics
from services.predictor.core.clock import SystemClock
from services.predictor.core.decoding.types import LogProbabilities
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.session import Dictation, Endings, Surroundings
from services.predictor.core.live.types import LiveConfig, LiveResult, Part
from services.predictor.core.live.voice import STEP_SAMPLES
from services.predictor.core.ports import Clock
from services.predictor.core.statistics import Counters
from services.predictor.core.waiting import Urgency
from services.predictor.core.windows import Geometry
from tests.fakes.predictor_checkpoints import tiny_vocabulary
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_ctc.waveform import Samples

RATE_HZ = 16_000
VOCABULARY: Vocabulary = tiny_vocabulary()
FRAME_SAMPLES = 320
_LETTER_SAMPLES = 3 * FRAME_SAMPLES
_QUIET, _STEP = 0.1, 0.02
_DELIMITER = VOCABULARY.tokens.index(VOCABULARY.word_delimiter)


def speech(text: str) -> Samples:
    """Say a text of words whose neighbouring letters differ, at 17 letters a second."""
    levels = [0.0 if letter == " " else _QUIET + _STEP * VOCABULARY.encode(letter)[0] for letter in text]
    return np.repeat(np.array(levels, dtype=np.float32), _LETTER_SAMPLES)


def silence(seconds: float) -> Samples:
    """Say nothing."""
    return np.zeros(round(seconds * RATE_HZ), dtype=np.float32)


def pcm(*samples: Samples) -> bytes:
    """Write samples as they travel."""
    return np.round(np.concatenate(samples) * 32_768).astype("<i2").tobytes()


def chunks_of(audio: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Cut audio into pieces of these sizes; what is left over comes last."""
    parts, begin = [], 0
    for size in sizes:
        parts.append(audio[begin : begin + size])
        begin += size
    return [part for part in [*parts, audio[begin:]] if part]


class FakeVoice:
    """Satisfies `live.ports.VoiceDetector`: what is not quiet is a voice."""

    def __init__(self) -> None:
        self.heard_samples = 0
        self._rest = np.zeros(0, dtype=np.float32)

    def take(self, samples: Samples) -> list[float]:
        self.heard_samples += len(samples)
        waiting = np.concatenate([self._rest, samples])
        steps = len(waiting) // STEP_SAMPLES
        self._rest = waiting[steps * STEP_SAMPLES :]
        loudest = waiting[: steps * STEP_SAMPLES].reshape(steps, STEP_SAMPLES).max(axis=1)
        return [0.9 if level > _QUIET else 0.0 for level in loudest]


class FakeLiveModel:
    """Satisfies `live.ports.LiveModel`: hears the letter in the middle of each frame.

    Where it is `touchy`, every letter depends on the length of the window, as with a real model.
    """

    def __init__(self, *, touchy: bool = False) -> None:
        self._touchy = touchy
        geometry = Geometry(
            receptive_field=400, samples_per_frame=320, window_frames=1500, overlap_frames=200
        )
        self.acoustics = Acoustics(
            vocabulary=VOCABULARY,
            sample_rate_hz=RATE_HZ,
            do_normalize=False,
            geometry=geometry,
            hidden_size=1,
        )
        self.counters = Counters()
        self.leaving = asyncio.Event()
        self.windows: list[tuple[Urgency, int]] = []
        self.failure: Exception | None = None
        self.waiting = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def label(self, samples: Samples, urgency: Urgency) -> list[int]:
        self.windows.append((urgency, len(samples)))
        self.waiting += 1
        try:
            await self.may_answer.wait()
        finally:
            self.waiting -= 1
        if self.failure is not None:
            raise self.failure
        frames = self.acoustics.geometry.frames(len(samples))
        middles = samples[FRAME_SAMPLES // 2 :: FRAME_SAMPLES][:frames]
        shift, labels = len(samples) % 17 if self._touchy else 0, len(VOCABULARY.tokens)
        return [
            _DELIMITER if level <= _QUIET else (round((level - _QUIET) / _STEP) + shift) % labels
            for level in middles.tolist()
        ]

    async def score_window(self, samples: Samples, urgency: Urgency) -> LogProbabilities:
        labels = await self.label(samples, urgency)
        scores_fv = np.full((len(labels), len(VOCABULARY)), -9.0, dtype=np.float32)
        scores_fv[np.arange(len(labels)), labels] = -0.001
        return scores_fv


def dictation(
    model: FakeLiveModel,
    *,
    interim_results: bool = False,
    word_times: bool = False,
    confidence: bool = False,
    limits: LiveLimits | None = None,
    endings: Endings | None = None,
    clock: Clock | None = None,
    voice: FakeVoice | None = None,
) -> Dictation:
    """What listens to a stream with the fakes."""
    surroundings = Surroundings(
        limits=limits or LiveLimits(),
        clock=clock or SystemClock(),
        threads=ThreadPoolExecutor(1),
        endings=endings or {},
    )
    config = LiveConfig(
        sample_rate_hz=RATE_HZ,
        interim_results=interim_results,
        word_times=word_times,
        confidence=confidence,
    )
    return Dictation(model, voice or FakeVoice(), config, surroundings)


async def all_at_once(parts: Sequence[Part]) -> AsyncIterator[Part]:
    for part in parts:
        yield part


async def hear(listener: Dictation, parts: Sequence[Part]) -> list[LiveResult]:
    """Everything that a stream answers."""
    return [result async for results in listener.results(all_at_once(parts)) for result in results]
