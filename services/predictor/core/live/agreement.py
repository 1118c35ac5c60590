"""Interim words that do not flicker: what two hypotheses in a row agree on stays as it is."""

from collections.abc import Sequence

from services.predictor.core.live.words import Word


class Agreement:
    """The words of the running utterance, the first of them settled.

    Args:
        settling_frames: A word that ends less than this before the end of what was heard may still grow, and
            is not settled.
    """

    def __init__(self, settling_frames: int) -> None:
        self._settling_frames = settling_frames
        self._stable: list[Word] = []
        self._rest: list[Word] = []

    @property
    def stable(self) -> Sequence[Word]:
        """The settled words: this only grows."""
        return self._stable

    @property
    def rest(self) -> Sequence[Word]:
        """The words behind them, as the newest hypothesis has them."""
        return self._rest

    @property
    def settled_until(self) -> int:
        """The frame behind the last settled word; 0 where there is none."""
        return self._stable[-1].end if self._stable else 0

    def hear(self, words: Sequence[Word], begin: int, end: int) -> None:
        """Take a new hypothesis.

        Args:
            words: Its words; those that lie before what is settled do not count.
            begin: The frame from which on it was heard; words before it stay as they were.
            end: The frame at which it ends.
        """
        passed = [word for word in self._rest if word.end <= begin]
        self._stable += passed
        before = self._rest[len(passed) :]
        newest = [word for word in words if word.begin + 1 >= self.settled_until]
        agreed = 0
        for word, earlier in zip(newest, before, strict=False):
            if word.text != earlier.text or word.end + self._settling_frames > end:
                break
            agreed += 1
        self._stable += newest[:agreed]
        self._rest = newest[agreed:]
