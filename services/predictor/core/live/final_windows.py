"""Which window is heard for an utterance, and which of its frames count: the same live and offline."""

from collections.abc import Sequence

from services.predictor.core.acoustics import Acoustics
from services.predictor.core.live.endpointing import Utterance
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.words import quietest_cut


class FinalWindows:
    """Windows of final results, in frames from the start of the audio: functions of the audio alone.

    Args:
        acoustics: Of the model.
        limits: How much is heard.
    """

    def __init__(self, acoustics: Acoustics, limits: LiveLimits) -> None:
        self._vocabulary = acoustics.vocabulary
        self._frame_samples = acoustics.geometry.samples_per_frame
        self._context = round(limits.context_s * acoustics.sample_rate_hz)
        self._searched_frames = round(limits.cut_s * acoustics.sample_rate_hz) // self._frame_samples

    def begin(self, utterance: Utterance) -> int:
        """The first sample that is wanted, which may lie before the audio; it is heard up to its end."""
        return min(utterance.begin, utterance.heard_until - self._context)

    def counted(self, utterance: Utterance, first_frame: int, labels: Sequence[int]) -> range:
        """The frames of a window that belong to the utterance; of one cut for its length up to its best cut.

        Args:
            utterance: What the window was heard for.
            first_frame: Where the window begins.
            labels: The best label of each of its frames.
        """
        skipped, end = self.frame_behind(utterance.begin) - first_frame, len(labels)
        if utterance.is_cut:
            # Never in the first half, so that every cut takes the audio a good way on.
            earliest = max((skipped + end) // 2, end - self._searched_frames)
            end = quietest_cut(labels, self._vocabulary, earliest)
        return range(skipped, max(skipped, end))

    def rest_begins(self, utterance: Utterance, end_frame: int) -> int:
        """The first sample of what follows an utterance that was cut before this frame.

        The frame of the cut, in which nothing is heard, belongs to neither, so that words part there.
        """
        return min((end_frame + 1) * self._frame_samples, utterance.end)

    def frame_behind(self, sample: int) -> int:
        """The first frame that begins at a sample or behind it."""
        return -(-sample // self._frame_samples)
