"""Where utterances begin and end, from how likely speech is in each step; a function of the audio alone."""

from dataclasses import dataclass, replace

_BEGINS_AT = 0.35
_GOES_ON_AT = 0.2
_CERTAIN_AT = 0.5
_CERTAIN_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class Endpointing:
    """When an utterance ends.

    Attributes:
        step_samples: Samples of a step.
        silence_samples: Silence that ends an utterance.
        longest_samples: Longest utterance.
        before_samples: What stands before the first speech belongs to the utterance up to this length.
        after_samples: What stands behind the last speech is listened to up to this length.
    """

    step_samples: int
    silence_samples: int
    longest_samples: int
    before_samples: int
    after_samples: int


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A part of the audio that holds speech, in samples from the start of the stream.

    Attributes:
        begin: First sample.
        end: Behind the last sample.
        heard_until: Behind the last sample that is listened to: the rest is silence.
        is_cut: Whether it was cut for its length, while somebody may be speaking.
        is_speech: False where so little spoke that it was rather a noise.
    """

    begin: int
    end: int
    heard_until: int
    is_cut: bool = False
    is_speech: bool = True


class Endpointer:
    """Follows one stream.

    Args:
        rules: When an utterance ends.
    """

    def __init__(self, rules: Endpointing) -> None:
        self._rules = rules
        self._position = 0
        self._earliest = 0
        self._begin: int | None = None
        self._last_voice = 0
        self._certain_steps = 0

    @property
    def begin(self) -> int | None:
        """Where the running utterance begins; None while nobody speaks."""
        return self._begin

    @property
    def earliest_heard_until(self) -> int:
        """What the utterance that comes next is listened to is not less than this."""
        return self._position if self._begin is None else self._last_voice

    @property
    def is_speech(self) -> bool:
        """Whether enough has spoken in the running utterance to be no noise."""
        return self._begin is not None and self._certain_steps >= _CERTAIN_STEPS

    @property
    def paused(self) -> Utterance | None:
        """The running utterance as it is if nobody speaks any more; None while somebody does."""
        if self._begin is None or self._position < self._last_voice + self._rules.after_samples:
            return None
        return self._until(self._position)

    def step(self, probability: float) -> Utterance | None:
        """Take the next step of the audio; answers the utterance that ends with it."""
        self._position += self._rules.step_samples
        self._certain_steps += probability >= _CERTAIN_AT
        if probability >= (_BEGINS_AT if self._begin is None else _GOES_ON_AT):
            self._last_voice = self._position
            if self._begin is None:
                first = self._position - self._rules.step_samples - self._rules.before_samples
                self._begin = max(self._earliest, first)
                self._certain_steps = int(probability >= _CERTAIN_AT)
        if self._begin is None:
            return None
        if self._position - self._last_voice >= self._rules.silence_samples:
            return self._end(self._position)
        if self._position - self._begin >= self._rules.longest_samples:
            # It goes on unless `go_on_from` says from where; what was heard so far counts for the rest too.
            return replace(self._until(self._position), heard_until=self._position, is_cut=True)
        return None

    def go_on_from(self, begin: int) -> None:
        """Say where the rest of an utterance begins that was cut for its length."""
        self._begin = self._earliest = begin

    def finish(self, end: int) -> Utterance | None:
        """End the running utterance here, if there is one.

        Args:
            end: Samples of the stream so far; the last of them may not fill a step.
        """
        if self._begin is None:
            self._earliest = end
            return None
        return self._end(end)

    def _end(self, end: int) -> Utterance:
        utterance = self._until(end)
        self._begin, self._earliest, self._certain_steps = None, end, 0
        return utterance

    def _until(self, end: int) -> Utterance:
        heard_until = min(end, max(self._last_voice + self._rules.after_samples, self._begin or 0))
        begin = min(self._begin or 0, end)
        return Utterance(begin=begin, end=end, heard_until=heard_until, is_speech=self.is_speech)
