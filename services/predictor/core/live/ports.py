"""What listening needs from a model and from a detector of voices."""

import asyncio
from typing import Protocol

from services.predictor.core.acoustics import Acoustics
from services.predictor.core.decoding.types import LogProbabilities
from services.predictor.core.statistics import Counters
from services.predictor.core.waiting import Urgency
from thanosql_ctc.waveform import Samples


class LiveModel(Protocol):
    """A model in memory, held by the stream."""

    @property
    def acoustics(self) -> Acoustics:
        """What it takes and what its labels mean."""
        ...

    @property
    def counters(self) -> Counters:
        """Where everything is counted."""
        ...

    @property
    def leaving(self) -> asyncio.Event:
        """Set once the model is to be unloaded: whoever holds it should let go soon."""
        ...

    async def label(self, samples: Samples, urgency: Urgency) -> list[int]:
        """Give the best label of every frame of one window; cancelling takes it back while it waits."""
        ...

    async def score_window(self, samples: Samples, urgency: Urgency) -> LogProbabilities:
        """Give the scores of all labels in every frame of one window, as `label` gives the best."""
        ...


class VoiceDetector(Protocol):
    """Tells speech from everything else; blocking, for one thread at a time, one for each stream."""

    def take(self, samples: Samples) -> list[float]:
        """Answer, for each step that is complete now, how likely it is that somebody speaks in it."""
        ...
