"""What the model needs from a decoder."""

from collections.abc import Sequence
from typing import Protocol

from services.predictor.core.decoding.types import Hypothesis, LogProbabilities


class Decoder(Protocol):
    """Reads labels off the scores of frames; blocking, called from several threads at once."""

    def decode(self, log_probs_fv: LogProbabilities) -> Sequence[Hypothesis]:
        """Give the hypotheses, the best first: at least one, and no text twice.

        Args:
            log_probs_fv: Of a whole recording, windows put together; no frames where nothing is heard.
        """
        ...
