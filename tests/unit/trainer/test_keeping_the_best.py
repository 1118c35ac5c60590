"""Which epoch is kept, and when a run is given up."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from services.trainer.core.batching import Batch
from services.trainer.core.dataset import Dataset, Example
from services.trainer.core.finetune import FineTuning, Outcome
from services.trainer.core.held_out import HeldOutScores
from services.trainer.core.meter import Meter
from services.trainer.core.optimising import StepResult
from services.trainer.core.scoring import ScoreCounter
from services.trainer.core.types import TrainingOptions
from tests.fakes.predictor_checkpoints import tiny_model, tiny_vocabulary
from thanosql_ctc.checkpoint import Checkpoint
from thanosql_runtime.errors import Reason, ThanosqlError

NAN = float("nan")


class Noise:
    """Audio of some length."""

    def read(self, path: str) -> np.ndarray:
        return np.ones(800, dtype=np.float32)


class CountingOptimiser:
    """Each step adds one to the bias of the head: the weights tell how many steps they saw."""

    def __init__(self, model: torch.nn.Module, losses: Sequence[float]) -> None:
        self._bias = model.get_parameter("lm_head.bias")
        self._losses = iter(losses)

    def step(self, _batch: Batch) -> StepResult:
        loss = next(self._losses)
        with torch.no_grad():
            self._bias.add_(1)
        return StepResult(loss=loss, learning_rate=1e-4, finite=loss == loss)


class NoKeeper:
    """Keeps nothing."""

    def resume(self) -> None:
        return None

    def after_step(self, *_args: object) -> None:
        pass

    def keep(self, *_args: object) -> None:
        pass

    def notify(self, _message: str) -> None:
        pass

    def seconds(self, _course: object) -> float:
        return 1.0


class Run:
    """A run of one step an epoch, with the losses and word errors that a test wants."""

    def __init__(self, losses: Sequence[float], *, held_out: bool) -> None:
        model = tiny_model()
        with torch.no_grad():
            model.lm_head.bias.zero_()
        self.checkpoint = Checkpoint(
            model=model, vocabulary=tiny_vocabulary(), sample_rate_hz=16_000, do_normalize=True
        )
        example = Example(number=0, path="a", text="A", labels=(6,), samples=800, duration_s=0.05)
        dataset = Dataset(
            training=(example,), held_out=(example,) if held_out else (), left_out=(), reasons={}
        )
        options = TrainingOptions(
            audio_col="a", text_col="t", epochs=len(losses), batch_size=1, learning_rate=1e-4
        )
        self._tuning = FineTuning(
            self.checkpoint,
            dataset,
            Noise(),  # type: ignore[arg-type]
            options=options,
            meter=Meter(lambda _progress: None, epochs=1, steps_per_epoch=1, epoch_audio_s=1.0),
            optimiser=CountingOptimiser(model, losses),  # type: ignore[arg-type]
            keeper=NoKeeper(),  # type: ignore[arg-type]
            seed=0,
            max_pass_audio_s=10.0,
        )

    def outcome(self) -> Outcome:
        return self._tuning.run()

    @property
    def steps_kept(self) -> float:
        return float(self.checkpoint.model.lm_head.bias.detach()[0])


def _errors(monkeypatch: pytest.MonkeyPatch, hypotheses: Sequence[str]) -> None:
    """Let the held-out rows be heard so: first by the base, then after each epoch."""
    heard = iter(hypotheses)

    def score(*_args: object) -> HeldOutScores:
        counter = ScoreCounter()
        hypothesis = next(heard)
        counter.add("A B C D", hypothesis)
        return HeldOutScores(scores=counter.scores(), silent=not hypothesis)

    monkeypatch.setattr("services.trainer.core.finetune.score_held_out", score)


def test_the_epoch_with_the_fewest_word_errors_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _errors(monkeypatch, ["A", "A B", "A B C", "A B"])
    run = Run([3.0, 2.0, 1.0], held_out=True)
    outcome = run.outcome()

    assert (outcome.best.epoch, outcome.best.wer) == (2, 0.25)
    assert outcome.before is not None
    assert outcome.before.wer == 0.75
    assert run.steps_kept == 2


def test_the_last_epoch_is_kept_where_it_is_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    _errors(monkeypatch, ["A", "A B", "A B C"])
    run = Run([3.0, 2.0], held_out=True)
    assert run.outcome().best.epoch == 2
    assert run.steps_kept == 2


def test_of_equal_word_errors_the_lower_loss_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    _errors(monkeypatch, ["A", "A B", "A B", "A B"])
    assert Run([3.0, 1.0, 2.0], held_out=True).outcome().best.epoch == 2


def test_without_held_out_rows_the_lowest_loss_is_kept() -> None:
    run = Run([3.0, 1.0, 2.0], held_out=False)
    outcome = run.outcome()
    assert (outcome.best.epoch, outcome.best.wer, outcome.before) == (2, None, None)
    assert run.steps_kept == 2


def test_a_model_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    _errors(monkeypatch, ["A B", "", ""])
    with pytest.raises(ThanosqlError) as raised:
        Run([2.0, 1.0], held_out=True).outcome()
    assert raised.value.reason is Reason.TRAINING_DIVERGED


def test_a_base_that_knows_nothing_may_be_silent_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    _errors(monkeypatch, ["X Y Z", "", ""])
    assert Run([2.0, 1.0], held_out=True).outcome().best.wer == 1.0


def test_an_epoch_without_a_finite_loss_is_given_up() -> None:
    with pytest.raises(ThanosqlError) as raised:
        Run([NAN], held_out=False).outcome()
    assert raised.value.reason is Reason.TRAINING_DIVERGED
