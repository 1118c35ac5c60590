"""Where a run stands between two steps: all that a checkpoint keeps of the loop, apart from weights."""

import time
from dataclasses import dataclass, field

from services.trainer.core.held_out import HeldOutScores
from services.trainer.core.optimising import StepResult
from thanosql_runtime.errors import Reason, ThanosqlError, error

_MOST_BAD_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class EpochResult:
    """Figures of one epoch; the rates are None without held-out rows, `silent` where no text came out."""

    epoch: int
    loss: float
    wer: float | None
    cer: float | None
    silent: bool
    seconds: float
    audio_s_per_s: float
    skipped_steps: int

    @property
    def rank(self) -> tuple[float, float]:
        """Better is smaller: by word error rate, then by loss."""
        return (0.0 if self.wer is None else self.wer, self.loss)


@dataclass(kw_only=True)
class Tally:
    """What one epoch adds up to; ends the training that learns nothing any more.

    Attributes:
        losses: Of the steps that counted.
        audio_s: Learned from.
        seconds: That it took.
        skipped: Steps whose loss was no number.
        bad_in_a_row: The newest of those.
    """

    losses: list[float] = field(default_factory=list)
    audio_s: float = 0.0
    seconds: float = 0.0
    skipped: int = 0
    bad_in_a_row: int = 0

    @property
    def batches(self) -> int:
        """Batches of the epoch's order that are done."""
        return len(self.losses) + self.skipped

    def add(self, result: StepResult, audio_s: float, seconds: float) -> None:
        """Count a step.

        Raises:
            ThanosqlError: TRAINING_DIVERGED.
        """
        self.audio_s += audio_s
        self.seconds += seconds
        if result.finite:
            self.losses.append(result.loss)
            self.bad_in_a_row = 0
            return
        self.skipped += 1
        self.bad_in_a_row += 1
        if self.bad_in_a_row >= _MOST_BAD_STEPS:
            raise _diverged(self.bad_in_a_row)

    def loss(self) -> float:
        """The mean.

        Raises:
            ThanosqlError: TRAINING_DIVERGED without a step that counted.
        """
        if not self.losses:
            raise _diverged(self.skipped)
        return sum(self.losses) / len(self.losses)


@dataclass(kw_only=True)
class Course:
    """One run so far.

    Attributes:
        max_pass_audio_s: Most padded audio at once; smaller after memory ran out.
        before: What the base scored.
        results: Of the epochs that are over.
        tally: Of the epoch that is not.
        seconds: That the run took until its newest checkpoint, held-out rows included.
        checkpoints: Begun so far.
        checkpoint_s: That they took, the newest one not included while it is written.
    """

    max_pass_audio_s: float
    before: HeldOutScores | None = None
    results: list[EpochResult] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    checkpoints: int = 0
    checkpoint_s: float = 0.0

    @property
    def epoch(self) -> int:
        """The epoch at work, from 1."""
        return len(self.results) + 1

    @property
    def best(self) -> EpochResult:
        """The best of the epochs that are over."""
        return min(self.results, key=lambda result: result.rank)

    @property
    def newest_is_best(self) -> bool:
        """Whether the weights, before the next step, are the best so far."""
        return bool(self.results) and self.best is self.results[-1] and self.tally.batches == 0


class Stopwatch:
    """Seconds from one look to the next."""

    def __init__(self) -> None:
        self._seen_s = time.monotonic()

    def lap(self) -> float:
        """Seconds since the look before."""
        before_s, self._seen_s = self._seen_s, time.monotonic()
        return self._seen_s - before_s


def _diverged(steps: int) -> ThanosqlError:
    return error(
        Reason.TRAINING_DIVERGED,
        f"the loss was no number in {steps} steps in a row; try again with a smaller learning_rate",
    )
