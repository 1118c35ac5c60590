"""From the tokens of a window to its words, and to where the next window begins.

A window mostly ends in the middle of a sentence. What the model has closed with a time counts; the next
window begins at the last of these times, and hears the rest of the sentence whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from services.predictor.core.whisper.types import SAMPLE_RATE_HZ, SAMPLES_PER_TIMESTAMP, WINDOW_SAMPLES

# A model that repeats itself closes fractions of a second; every window must get the recording on.
_LEAST_SAMPLES = SAMPLE_RATE_HZ


@dataclass(frozen=True, kw_only=True)
class Closed:
    """The tokens of a window that count, and the samples that they are the whole text of."""

    tokens: tuple[int, ...]
    samples: int


def close(tokens: Sequence[int], first_timestamp: int, *, is_last: bool) -> Closed:
    """Find what counts of a window.

    Args:
        tokens: What the model wrote for it.
        first_timestamp: The token of the time 0.
        is_last: Whether the recording ends in it, so that all of it counts.
    """
    whole = Closed(tokens=tuple(tokens), samples=WINDOW_SAMPLES)
    times = [token >= first_timestamp for token in tokens]
    # Two times side by side end one sentence and begin the next; one at the end closes the whole window.
    joints = [place for place, (one, next_one) in enumerate(pairwise(times)) if one and next_one]
    ends_closed = len(times) > 1 and times[-1] and not times[-2]
    if is_last or ends_closed or not joints:
        return whole
    last = joints[-1]
    samples = (tokens[last] - first_timestamp) * SAMPLES_PER_TIMESTAMP
    if samples < _LEAST_SAMPLES:
        return whole
    return Closed(tokens=tuple(tokens[: last + 1]), samples=min(samples, WINDOW_SAMPLES))
