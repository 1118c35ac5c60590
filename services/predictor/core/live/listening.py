"""Live audio of all callers: who is let in, and what they share."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from services.predictor.core.admission import Gate
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.ports import LiveModel, VoiceDetector
from services.predictor.core.live.session import Dictation, Surroundings, went_silent
from services.predictor.core.live.types import LiveConfig
from services.predictor.core.live.voice import VOICE_RATE_HZ
from services.predictor.core.ports import Clock
from thanosql_runtime.errors import Reason, ThanosqlError, error

_THREADS = 2
LOWEST_RATE_HZ = 8_000
HIGHEST_RATE_HZ = 96_000
SHORTEST_SILENCE_S = 0.2
LONGEST_SILENCE_S = 5.0
SHORTEST_UTTERANCE_S = 2.0

First = TypeVar("First")


class Listener:
    """Listens to streams; callers enter `streams` first.

    Args:
        limits: See there.
        clock: Time.
        stopping: Set once the server begins to stop.
        new_voice: Makes a detector for one stream.
    """

    def __init__(
        self,
        limits: LiveLimits,
        clock: Clock,
        stopping: asyncio.Event,
        new_voice: Callable[[], VoiceDetector],
    ) -> None:
        self.streams = Gate(limits.max_streams, "live streams")
        self._limits = limits
        self._new_voice = new_voice
        self._threads = ThreadPoolExecutor(_THREADS, "live")
        self._surroundings = Surroundings(
            limits=limits, clock=clock, threads=self._threads, endings={stopping: _server_stops}
        )

    async def first(self, reading: Coroutine[Any, Any, First]) -> First:
        """Wait for the first message of a stream, no longer than for its audio.

        Raises:
            ThanosqlError: PEER_UNAVAILABLE where the server stops, DEADLINE_EXCEEDED where nothing came for
                too long; what `reading` raises.
        """
        around, changed = self._surroundings, asyncio.Event()
        message = asyncio.ensure_future(reading)
        tasks = [message, *(asyncio.ensure_future(event.wait()) for event in around.endings)]
        for task in tasks:
            task.add_done_callback(lambda _task: changed.set())
        try:
            await around.clock.wait(changed, self._limits.idle_s)
            if message.done():
                return message.result()
            raise next(
                (why() for event, why in around.endings.items() if event.is_set()),
                went_silent(self._limits.idle_s),
            )
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def check(self, config: LiveConfig) -> None:
        """Refuse a configuration that cannot be followed, with INVALID_ARGUMENT."""
        _check_range("sample_rate_hz", config.sample_rate_hz, LOWEST_RATE_HZ, HIGHEST_RATE_HZ)
        if config.endpoint_silence_s is not None:
            _check_range("endpoint_silence", config.endpoint_silence_s, SHORTEST_SILENCE_S, LONGEST_SILENCE_S)
        if config.max_utterance_s is not None:
            longest_s = self._limits.longest_utterance_s
            _check_range("max_utterance", config.max_utterance_s, SHORTEST_UTTERANCE_S, longest_s)

    def listen(self, model: LiveModel, config: LiveConfig) -> Dictation:
        """Make what listens to one stream.

        Raises:
            ThanosqlError: NOT_AVAILABLE_YET for a model of another rate than 16 kHz.
        """
        rate_hz = model.acoustics.sample_rate_hz
        if rate_hz != VOICE_RATE_HZ:
            text = f"live audio needs a model that takes {VOICE_RATE_HZ} Hz; this one takes {rate_hz} Hz"
            raise error(Reason.NOT_AVAILABLE_YET, f"{text}; PREDICT works with it")
        return Dictation(model, self._new_voice(), config, self._surroundings)

    def close(self) -> None:
        """End the threads; no stream is open any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _check_range(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise error(Reason.INVALID_ARGUMENT, f"{name} must lie in {lowest:g} to {highest:g}, got {value:g}")


def _server_stops() -> ThanosqlError:
    return error(Reason.PEER_UNAVAILABLE, "the server is stopping; begin the dictation again")
