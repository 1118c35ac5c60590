"""What the model needs from a decoder."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from services.predictor.core.decoding.types import Hypothesis, LogProbabilities

Decode: TypeAlias = Callable[[LogProbabilities], Awaitable[Sequence[Hypothesis]]]
"""What a decoder does, for those that work in another process."""


class Decoder(Protocol):
    """Reads labels off the scores of frames; blocking, called from several threads at once."""

    def decode(self, log_probs_fv: LogProbabilities) -> Sequence[Hypothesis]:
        """Give the hypotheses, the best first: at least one, and no text twice.

        Args:
            log_probs_fv: Of a whole recording, windows put together; no frames where nothing is heard.
        """
        ...
