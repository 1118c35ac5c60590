"""Counts and cumulative times of each model since the start, as Triton's statistics give them."""

from dataclasses import dataclass, replace


# Not frozen: these numbers are counted up, from the event loop alone.
@dataclass(kw_only=True)
class Counters:
    """What happened with one version of a model.

    Attributes:
        rows_succeeded: Rows answered with a transcript.
        rows_failed: Rows answered with a reason.
        rows_cancelled: Rows dropped because their caller left.
        batches: Batches computed.
        audio_s: Seconds of audio transcribed.
        queue_s: Seconds waited in the queue, over all windows.
        decode_s: Seconds of reading and decoding, over all rows.
        compute_s: Seconds of computing, over all batches.
        utterances: Utterances of live audio in which words were heard.
        rows_reused: Rows answered with a transcript that was kept; not among `rows_succeeded`.
    """

    rows_succeeded: int = 0
    rows_failed: int = 0
    rows_cancelled: int = 0
    batches: int = 0
    audio_s: float = 0.0
    queue_s: float = 0.0
    decode_s: float = 0.0
    compute_s: float = 0.0
    utterances: int = 0
    rows_reused: int = 0


class Statistics:
    """The counters of every version that was ever asked for; they outlive its unloading."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, int], Counters] = {}

    def of(self, name: str, version: int) -> Counters:
        """The counters to count in."""
        return self._counters.setdefault((name, version), Counters())

    def snapshot(self, name: str = "") -> dict[tuple[str, int], Counters]:
        """Copies by name and version, sorted; of one model, or of all for an empty name."""
        return {key: replace(self._counters[key]) for key in sorted(self._counters) if name in ("", key[0])}
