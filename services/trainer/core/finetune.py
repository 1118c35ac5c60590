"""The training loop: score the base, then for each epoch learn and score, and keep the best."""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from torch import Tensor

from services.trainer.core.audio import AudioReader
from services.trainer.core.augment import fitted_regularisation
from services.trainer.core.batching import plan_batches, read_ahead
from services.trainer.core.dataset import Dataset
from services.trainer.core.evaluating import HeldOutScores, score_held_out
from services.trainer.core.meter import Meter
from services.trainer.core.optimising import Optimiser, StepResult
from services.trainer.core.scoring import Scores
from services.trainer.core.types import JobState, TrainingOptions
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_runtime.errors import Reason, ThanosqlError, error

_MOST_BAD_STEPS = 3

_log = structlog.get_logger("finetune")


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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What training gave: the model now holds the best epoch's weights."""

    best: EpochResult
    epochs: tuple[EpochResult, ...]
    before: Scores | None


class FineTuning:
    """One run over one data set.

    Args:
        checkpoint: The base, on the device where it learns; it is changed.
        dataset: At least one row to learn from.
        audio: Reads the rows' recordings.
        options: What the statement asked for.
        meter: Told of everything.
        optimiser: Takes the steps.
        seed: Of the order of the batches.
        max_pass_audio_s: Most padded audio at once.
    """

    def __init__(  # noqa: PLR0913 - the parts of one loop, each given by name
        self,
        checkpoint: Checkpoint,
        dataset: Dataset,
        audio: AudioReader,
        *,
        options: TrainingOptions,
        meter: Meter,
        optimiser: Optimiser,
        seed: int,
        max_pass_audio_s: float,
    ) -> None:
        self._checkpoint = checkpoint
        self._dataset = dataset
        self._audio = audio
        self._options = options
        self._meter = meter
        self._optimiser = optimiser
        self._seed = seed
        self._max_pass_audio_s = max_pass_audio_s

    def run(self) -> Outcome:
        """Learn.

        Raises:
            ThanosqlError: TRAINING_DIVERGED.
        """
        before = self._score(evaluations_left=self._options.epochs)
        results: list[EpochResult] = []
        best_weights: Mapping[str, Tensor] = {}
        model = self._checkpoint.model
        with fitted_regularisation(model.config):
            for epoch in range(1, self._options.epochs + 1):
                results.append(self._epoch(epoch))
                _log.info("epoch", **vars(results[-1]))
                if min(results, key=lambda result: result.rank) is results[-1]:
                    best_weights = copy.deepcopy(model.state_dict()) if epoch < self._options.epochs else {}
        if best_weights:
            model.load_state_dict(best_weights)
        best = min(results, key=lambda result: result.rank)
        if before and before.scores.wer < 1 and best.silent:
            raise _fell_silent()
        return Outcome(best=best, epochs=tuple(results), before=before.scores if before else None)

    def _epoch(self, epoch: int) -> EpochResult:
        self._meter.enter(JobState.TRAINING, epoch)
        tally = _Tally()
        batches = plan_batches(self._dataset.training, self._options.batch_size, self._seed + epoch)
        step_begun_s = tally.begun_s
        for batch in read_ahead(batches, self._audio, self._max_pass_audio_s):
            result = self._optimiser.step(batch)
            now_s = time.monotonic()
            tally.add(result, batch.audio_s)
            self._meter.stepped(
                loss=result.loss if result.finite else None,
                learning_rate=result.learning_rate,
                audio_s=batch.audio_s,
                seconds=now_s - step_begun_s,
            )
            step_begun_s = now_s
        if not tally.losses:
            raise _diverged(tally.skipped)
        seconds = time.monotonic() - tally.begun_s
        held_out = self._score(evaluations_left=self._options.epochs - epoch)
        return EpochResult(
            epoch=epoch,
            loss=sum(tally.losses) / len(tally.losses),
            wer=held_out.scores.wer if held_out else None,
            cer=held_out.scores.cer if held_out else None,
            silent=held_out is not None and held_out.silent,
            seconds=seconds,
            audio_s_per_s=tally.audio_s / seconds,
            skipped_steps=tally.skipped,
        )

    def _score(self, *, evaluations_left: int) -> HeldOutScores | None:
        if not self._dataset.held_out:
            return None
        self._meter.enter(JobState.EVALUATING)
        begun_s = time.monotonic()
        held_out = score_held_out(
            self._checkpoint, self._dataset.held_out, self._audio, self._max_pass_audio_s
        )
        self._meter.evaluated(held_out.scores, time.monotonic() - begun_s, evaluations_left=evaluations_left)
        return held_out


class _Tally:
    """What one epoch adds up to; ends the training that learns nothing any more."""

    def __init__(self) -> None:
        self.begun_s = time.monotonic()
        self.losses: list[float] = []
        self.audio_s = 0.0
        self.skipped = 0
        self._bad_in_a_row = 0

    def add(self, result: StepResult, audio_s: float) -> None:
        self.audio_s += audio_s
        if result.finite:
            self.losses.append(result.loss)
            self._bad_in_a_row = 0
            return
        self.skipped += 1
        self._bad_in_a_row += 1
        if self._bad_in_a_row >= _MOST_BAD_STEPS:
            raise _diverged(self._bad_in_a_row)


def _diverged(steps: int) -> ThanosqlError:
    return error(
        Reason.TRAINING_DIVERGED,
        f"the loss was no number in {steps} steps in a row; try again with a smaller learning_rate",
    )


def _fell_silent() -> ThanosqlError:
    return error(
        Reason.TRAINING_DIVERGED,
        "the model has come to answer every held-out recording with no text at all; try again with a"
        " smaller learning_rate",
    )
