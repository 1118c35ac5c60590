"""The training loop: score the base, then for each epoch learn and score, and keep the best."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from torch import Tensor

from services.trainer.core.audio import AudioReader
from services.trainer.core.augment import fitted_regularisation
from services.trainer.core.batching import plan_batches, read_ahead, smaller_passes
from services.trainer.core.course import Course, EpochResult, Stopwatch, Tally
from services.trainer.core.dataset import Dataset, Example
from services.trainer.core.held_out import HeldOutScores, score_held_out
from services.trainer.core.keeping import Keeper
from services.trainer.core.memory import PassesTooLargeError, free_memory, passes_that_fit
from services.trainer.core.meter import Meter
from services.trainer.core.optimising import Optimiser
from services.trainer.core.scoring import Scores
from services.trainer.core.types import JobState, TrainingOptions
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_runtime.errors import Reason, ThanosqlError, error

_log = structlog.get_logger("finetune")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What training gave: the model now holds the best epoch's weights."""

    best: EpochResult
    epochs: tuple[EpochResult, ...]
    before: Scores | None
    seconds: float = 0.0
    checkpoints: int = 0
    checkpoint_s: float = 0.0


class FineTuning:
    """One run over one data set.

    Args:
        checkpoint: The base, on the device where it learns; it is changed.
        dataset: At least one row to learn from.
        audio: Reads the rows' recordings.
        options: What the statement asked for.
        meter: Told of everything.
        optimiser: Takes the steps.
        keeper: Keeps the run in checkpoints.
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
        keeper: Keeper,
        seed: int,
        max_pass_audio_s: float,
    ) -> None:
        self._checkpoint = checkpoint
        self._dataset = dataset
        self._audio = audio
        self._options = options
        self._meter = meter
        self._optimiser = optimiser
        self._keeper = keeper
        self._seed = seed
        self._course = Course(max_pass_audio_s=max_pass_audio_s)
        self._best_weights: Mapping[str, Tensor] = {}

    def run(self) -> Outcome:
        """Learn, from the newest checkpoint on where there is one.

        Raises:
            ThanosqlError: TRAINING_DIVERGED.
            StoppedError: The process was asked to end.
        """
        self._begin()
        course = self._course
        with fitted_regularisation(self._checkpoint.model.config):
            while len(course.results) < self._options.epochs:
                self._epoch()
        if self._best_weights:
            self._checkpoint.model.load_state_dict(self._best_weights)
        if course.before and course.before.scores.wer < 1 and course.best.silent:
            raise _fell_silent()
        return Outcome(
            best=course.best,
            epochs=tuple(course.results),
            before=course.before.scores if course.before else None,
            seconds=self._keeper.seconds(course),
            checkpoints=course.checkpoints,
            checkpoint_s=course.checkpoint_s,
        )

    def _begin(self) -> None:
        resumed = self._keeper.resume()
        if resumed is None:
            self._course.before = self._score(evaluations_left=self._options.epochs)
            return
        self._course = resumed.course
        self._best_weights = resumed.best_weights
        if self._course.newest_is_best:
            self._remember_best()

    def _epoch(self) -> None:
        course = self._course
        self._meter.enter(JobState.TRAINING, course.epoch)
        batches = plan_batches(self._dataset.training, self._options.batch_size, self._seed + course.epoch)
        self._learn(batches[course.tally.batches :])
        tally, loss = course.tally, course.tally.loss()
        held_out = self._score(evaluations_left=self._options.epochs - course.epoch)
        result = EpochResult(
            epoch=course.epoch,
            loss=loss,
            wer=held_out.scores.wer if held_out else None,
            cer=held_out.scores.cer if held_out else None,
            silent=held_out is not None and held_out.silent,
            seconds=tally.seconds,
            audio_s_per_s=tally.audio_s / tally.seconds if tally.seconds else 0.0,
            skipped_steps=tally.skipped,
        )
        _log.info("epoch", **vars(result))
        course.results.append(result)
        course.tally = Tally()
        if course.newest_is_best:
            self._remember_best()
        self._keeper.keep(course, self._best_weights)

    def _learn(self, batches: list[tuple[Example, ...]]) -> None:
        while left := self._left_over(batches):
            self._take_smaller_passes(left[0])
            batches = left

    def _left_over(self, batches: list[tuple[Example, ...]]) -> list[tuple[Example, ...]]:
        """Take steps; answers the batches that are left where memory ran out."""
        begun = self._course.tally.batches
        try:
            self._take_steps(batches)
        except PassesTooLargeError:
            return batches[self._course.tally.batches - begun :]
        return []

    def _take_steps(self, batches: list[tuple[Example, ...]]) -> None:
        course, watch = self._course, Stopwatch()
        for batch in read_ahead(batches, self._audio, course.max_pass_audio_s):
            result = self._optimiser.step(batch)
            seconds = watch.lap()
            course.tally.add(result, batch.audio_s, seconds)
            self._meter.stepped(
                loss=result.loss if result.finite else None,
                learning_rate=result.learning_rate,
                audio_s=batch.audio_s,
                seconds=seconds,
            )
            self._keeper.after_step(course, self._best_weights)
            watch.lap()  # a checkpoint is no part of a step

    def _remember_best(self) -> None:
        """Copy the weights; after the last epoch the model holds them."""
        last = len(self._course.results) == self._options.epochs
        self._best_weights = {} if last else copy.deepcopy(self._checkpoint.model.state_dict())

    def _score(self, *, evaluations_left: int) -> HeldOutScores | None:
        if not self._dataset.held_out:
            return None
        self._meter.enter(JobState.EVALUATING)
        watch = Stopwatch()
        while (held_out := self._try_to_score()) is None:
            self._take_smaller_passes(self._dataset.held_out)
        self._meter.evaluated(held_out.scores, watch.lap(), evaluations_left=evaluations_left)
        return held_out

    def _try_to_score(self) -> HeldOutScores | None:
        """The scores; None where memory ran out."""
        try:
            with passes_that_fit():
                return score_held_out(
                    self._checkpoint, self._dataset.held_out, self._audio, self._course.max_pass_audio_s
                )
        except PassesTooLargeError:
            return None

    def _take_smaller_passes(self, examples: Sequence[Example]) -> None:
        """Let no pass be larger than half of the largest one, and say so."""
        before_s = self._course.max_pass_audio_s
        limit_s = smaller_passes(examples, before_s)
        if limit_s is None:
            raise _too_long(max(example.duration_s for example in examples))
        free_memory()
        self._course.max_pass_audio_s = limit_s
        self._keeper.notify(
            f"memory ran out; from here on at most {limit_s:.3g} s of padded audio are computed at once, and"
            " gradients are added up over more passes, so that a batch counts as before"
        )


def _too_long(seconds: float) -> ThanosqlError:
    return error(
        Reason.TRAINING_FAILED,
        f"memory ran out over one recording of {seconds:.3g} s; leave longer ones out with"
        " THANOSQL_TRAINER__MAX_CLIP_S, or train where there is more memory",
    )


def _fell_silent() -> ThanosqlError:
    return error(
        Reason.TRAINING_DIVERGED,
        "the model has come to answer every held-out recording with no text at all; try again with a"
        " smaller learning_rate",
    )
