"""Where training stands: kept up to date by the loop, sent to the parent about twice a second."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.trainer.core.messages import Progress
from services.trainer.core.scoring import Scores
from services.trainer.core.types import JobState

_INTERVAL_S = 0.5
_SMOOTHING = 0.9
_WINDOW_STEPS = 20


@dataclass(frozen=True, kw_only=True)
class MeterState:
    """What the figures to come are reckoned from."""

    left_audio_s: float
    left_evaluations: int
    evaluation_s: float
    average: float
    weight: float
    progress: Progress


class Meter:
    """Collects figures and reports them.

    Args:
        report: Receives the progress.
        epochs: Epochs in all.
        steps_per_epoch: Steps of one epoch.
        epoch_audio_s: Audio of one epoch.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        report: Callable[[Progress], None],
        *,
        epochs: int,
        steps_per_epoch: int,
        epoch_audio_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._clock = clock
        self._left_audio_s = epochs * epoch_audio_s
        self._left_evaluations = 0
        self._evaluation_s = 0.0
        self._window: deque[tuple[float, float]] = deque(maxlen=_WINDOW_STEPS)
        self._average, self._weight = 0.0, 0.0
        self._reported_s = float("-inf")
        self._progress = Progress(
            state=JobState.PREPARING, step_total=epochs * steps_per_epoch, epoch_total=epochs
        )

    @property
    def progress(self) -> Progress:
        """The newest figures."""
        return self._progress

    def enter(self, state: JobState, epoch: int | None = None) -> None:
        """Begin a phase; told at once."""
        self._progress = replace(
            self._progress, state=state, epoch=self._progress.epoch if epoch is None else epoch
        )
        self._send()

    def evaluated(self, scores: Scores, seconds: float, *, evaluations_left: int) -> None:
        """Take the scores of the held-out rows; the first are those of the base."""
        self._evaluation_s, self._left_evaluations = seconds, evaluations_left
        before = self._progress.wer_before
        self._progress = replace(
            self._progress,
            wer=scores.wer,
            cer=scores.cer,
            wer_before=scores.wer if before is None else before,
        )
        self._send()

    def stepped(self, *, loss: float | None, learning_rate: float, audio_s: float, seconds: float) -> None:
        """Count one step; `loss` is None where it was skipped."""
        if loss is not None:
            self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * loss
            self._weight = _SMOOTHING * self._weight + (1 - _SMOOTHING)
        self._window.append((audio_s, seconds))
        self._left_audio_s = max(0.0, self._left_audio_s - audio_s)
        rate = self._rate()
        self._progress = replace(
            self._progress,
            step=self._progress.step + 1,
            loss=self._average / self._weight if self._weight else None,
            learning_rate=learning_rate,
            audio_s_per_s=rate,
            seconds_left=self._left_audio_s / rate + self._left_evaluations * self._evaluation_s
            if rate
            else None,
        )
        last = self._progress.step == self._progress.step_total
        if last or self._clock() - self._reported_s >= _INTERVAL_S:
            self._send()

    def state(self) -> MeterState:
        """All that counts, for a checkpoint."""
        return MeterState(
            left_audio_s=self._left_audio_s,
            left_evaluations=self._left_evaluations,
            evaluation_s=self._evaluation_s,
            average=self._average,
            weight=self._weight,
            progress=self._progress,
        )

    def put_back(self, state: MeterState) -> None:
        """Go on from a state taken before; the speed is measured anew."""
        self._left_audio_s = state.left_audio_s
        self._left_evaluations, self._evaluation_s = state.left_evaluations, state.evaluation_s
        self._average, self._weight = state.average, state.weight
        self._progress = replace(state.progress, audio_s_per_s=None, seconds_left=None)

    def _rate(self) -> float | None:
        seconds = sum(seconds for _audio_s, seconds in self._window)
        return sum(audio_s for audio_s, _seconds in self._window) / seconds if seconds > 0 else None

    def _send(self) -> None:
        self._reported_s = self._clock()
        self._report(self._progress)
