"""The parts of the training loop, each alone."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2ForCTC

from services.trainer.core.augment import fitted_regularisation, mask_length
from services.trainer.core.batching import Batch, Pass, plan_batches, plan_passes, read_ahead
from services.trainer.core.dataset import Example
from services.trainer.core.messages import Progress
from services.trainer.core.meter import Meter
from services.trainer.core.optimising import Optimiser, schedule_factor
from services.trainer.core.scoring import ScoreCounter
from services.trainer.core.types import JobState
from tests.fakes.predictor_checkpoints import ARCHITECTURES, tiny_model, tiny_model_of

RATE_HZ = 16_000


def _examples(durations_s: Sequence[float]) -> list[Example]:
    return [
        Example(
            number=number,
            path=str(number),
            text="AB",
            labels=(6, 7),
            samples=int(duration_s * RATE_HZ),
            duration_s=duration_s,
        )
        for number, duration_s in enumerate(durations_s)
    ]


class Tones:
    """Audio of the right length by the row's number."""

    def __init__(self, examples: Sequence[Example]) -> None:
        self._examples = {example.path: example for example in examples}

    def read(self, path: str) -> np.ndarray:
        if path not in self._examples:
            raise OSError(f"no {path}")
        generator = np.random.default_rng(int(path))
        return generator.normal(size=self._examples[path].samples).astype(np.float32)


class TestBatches:
    def test_hold_every_row_once(self) -> None:
        batches = plan_batches(_examples([1.0] * 10), 4, seed=0)
        assert sorted(len(batch) for batch in batches) == [2, 4, 4]
        assert sorted(example.number for batch in batches for example in batch) == list(range(10))

    def test_are_of_like_length(self) -> None:
        batches = plan_batches(_examples([1.0, 9.0, 1.1, 9.1, 1.2, 9.2]), 3, seed=0)
        short, long = sorted(batches, key=lambda batch: batch[0].duration_s)
        assert {example.number for example in short} == {0, 2, 4}
        assert {example.number for example in long} == {1, 3, 5}

    def test_come_in_an_order_given_by_the_seed(self) -> None:
        examples = _examples([float(number + 1) for number in range(40)])
        assert plan_batches(examples, 4, seed=1) == plan_batches(examples, 4, seed=1)
        assert plan_batches(examples, 4, seed=1) != plan_batches(examples, 4, seed=2)

    def test_are_cut_into_passes_that_fit(self) -> None:
        passes = plan_passes(_examples([10.0, 1.0, 9.0, 1.0]), 20.0)
        assert [[example.duration_s for example in rows] for rows in passes] == [[10.0, 9.0], [1.0, 1.0]]
        assert len(plan_passes(_examples([50.0]), 20.0)) == 1

    def test_are_read_ahead_in_order(self) -> None:
        examples = _examples([0.1] * 6)
        batches = [tuple(examples[:4]), tuple(examples[4:])]
        loaded = list(read_ahead(batches, Tones(examples), 100.0))  # type: ignore[arg-type]
        assert [batch.rows for batch in loaded] == [4, 2]
        assert loaded[0].audio_s == pytest.approx(0.4)

    def test_a_failed_reading_is_raised_where_they_are_used(self) -> None:
        with pytest.raises(OSError, match="no 0"):
            list(read_ahead([tuple(_examples([0.1]))], Tones([]), 100.0))  # type: ignore[arg-type]

    def test_stop_being_read_when_they_are_not_wanted_any_more(self) -> None:
        examples = _examples([0.1] * 100)
        batches = read_ahead([(example,) for example in examples], Tones(examples), 100.0)  # type: ignore[arg-type]
        next(iter(batches))
        batches.close()  # type: ignore[attr-defined]


class TestTheLearningRate:
    def test_rises_over_a_tenth_and_falls_to_almost_nothing(self) -> None:
        factors = [schedule_factor(step, 100) for step in range(100)]
        assert factors[9] == max(factors) == 1.0
        assert factors[:10] == sorted(factors[:10])
        assert factors[9:] == sorted(factors[9:], reverse=True)
        assert factors[0] == pytest.approx(0.1)
        assert 0 < factors[-1] < 0.05

    @pytest.mark.parametrize("steps", [1, 2, 3, 5, 9])
    def test_is_never_nothing_in_a_short_run(self, steps: int) -> None:
        factors = [schedule_factor(step, steps) for step in range(steps)]
        assert max(factors) == 1.0
        assert min(factors) > 0


class TestMasks:
    @pytest.mark.parametrize(("frames", "expected"), [(1, 1), (20, 2), (100, 10), (1000, 10)])
    def test_are_short_where_the_recording_is(self, frames: int, expected: int) -> None:
        assert mask_length(10, frames) == expected

    def test_and_layer_drop_fit_the_model_only_while_it_learns(self) -> None:
        config = tiny_model().config
        config.layerdrop, config.mask_feature_length = 0.3, 99
        with fitted_regularisation(config):
            assert (config.layerdrop, config.mask_feature_length) == (0.0, 32)
        assert (config.layerdrop, config.mask_feature_length) == (0.3, 99)


def _batch(examples: Sequence[Example], max_pass_audio_s: float = 100.0) -> Batch:
    return next(iter(read_ahead([tuple(examples)], Tones(examples), max_pass_audio_s)))  # type: ignore[arg-type]


class TestSteps:
    def _optimiser(self, learning_rate: float = 1e-3, seed: int = 0) -> tuple[Optimiser, torch.nn.Module]:
        torch.manual_seed(seed)
        np.random.seed(seed)
        model = tiny_model()
        model.config.apply_spec_augment = False
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        return Optimiser(model, 0, learning_rate=learning_rate, steps=40, bf16=False), model

    def test_lower_the_loss(self) -> None:
        optimiser, _model = self._optimiser()
        batch = _batch(_examples([0.5, 0.4]))
        losses = [optimiser.step(batch).loss for _ in range(40)]
        assert losses[-1] < losses[0] / 2

    @pytest.mark.parametrize("architecture", ARCHITECTURES)
    @pytest.mark.parametrize("bf16", [False, True])
    def test_teach_every_architecture(self, architecture: str, bf16: bool) -> None:
        torch.manual_seed(0)
        np.random.seed(0)
        model = tiny_model_of(architecture)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        optimiser = Optimiser(model, 0, learning_rate=1e-3, steps=30, bf16=bf16)
        batch = _batch(_examples([0.5, 0.4]))
        with fitted_regularisation(model.config):
            losses = [optimiser.step(batch).loss for _ in range(30)]
        assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
        unchanged = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
        assert unchanged >= {name for name in before if ".feature_extractor." in name or "running" in name}

    def test_leave_the_convolutions_over_samples_alone(self) -> None:
        optimiser, model = self._optimiser()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        optimiser.step(_batch(_examples([0.5])))
        changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
        assert changed
        assert not any("feature_extractor" in name for name in changed)

    def test_several_passes_give_the_loss_of_one(self) -> None:
        examples = _examples([0.5, 0.5, 0.4])
        whole = self._optimiser()[0].step(_batch(examples)).loss
        parts = self._optimiser()[0].step(_batch(examples, max_pass_audio_s=0.5)).loss
        assert parts == pytest.approx(whole, rel=1e-4)

    def test_a_gradient_that_is_no_number_changes_nothing(self) -> None:
        optimiser, model = self._optimiser()
        batch = _batch(_examples([0.5]))
        broken = Pass(
            examples=batch.passes[0].examples,
            inputs_bt=batch.passes[0].inputs_bt * float("nan"),
            lengths=batch.passes[0].lengths,
        )
        before = {name: value.clone() for name, value in model.state_dict().items()}
        result = optimiser.step(Batch(passes=(broken,), rows=1, audio_s=0.5))
        assert not result.finite
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    def test_masks_never_outgrow_the_shortest_recordings(self) -> None:
        model = tiny_model()
        model.config.mask_time_length = 10
        optimiser = Optimiser(model, 0, learning_rate=1e-3, steps=4, bf16=False)
        example = Example(number=0, path="0", text="A", labels=(6,), samples=800, duration_s=0.05)
        assert optimiser.step(_batch([example])).finite

    def test_work_with_every_kind_of_mask_and_dropped_layers(self) -> None:
        torch.manual_seed(0)
        config = tiny_model("layer").config
        config.num_hidden_layers, config.layerdrop = 12, 0.5
        config.mask_feature_prob, config.mask_feature_length = 0.5, 64
        model = Wav2Vec2ForCTC(config)
        optimiser = Optimiser(model, 0, learning_rate=1e-4, steps=3, bf16=True)
        batch = _batch(_examples([1.0, 0.3]))
        with fitted_regularisation(config):
            assert all(optimiser.step(batch).finite for _ in range(3))

    def test_are_the_same_for_the_same_seed(self) -> None:
        batch = _batch(_examples([0.5, 0.4]))

        def losses() -> list[float]:
            optimiser = self._optimiser(seed=1)[0]
            return [optimiser.step(batch).loss for _ in range(3)]

        assert losses() == losses()


class TestTheMeter:
    def _meter(self, sent: list[Progress], now: list[float]) -> Meter:
        return Meter(sent.append, epochs=2, steps_per_epoch=10, epoch_audio_s=100.0, clock=lambda: now[0])

    def test_tells_about_twice_a_second_and_always_the_last(self) -> None:
        sent: list[Progress] = []
        now = [0.0]
        meter = self._meter(sent, now)
        for _step in range(20):
            now[0] += 0.125
            meter.stepped(loss=1.0, learning_rate=1e-4, audio_s=10.0, seconds=0.1)
        assert [progress.step for progress in sent] == [1, 5, 9, 13, 17, 20]

    def test_foresees_the_end_by_the_audio_that_is_left(self) -> None:
        sent: list[Progress] = []
        meter = self._meter(sent, [0.0])
        meter.stepped(loss=1.0, learning_rate=1e-4, audio_s=50.0, seconds=5.0)
        assert (meter.progress.audio_s_per_s, meter.progress.seconds_left) == (10.0, 15.0)

    def test_smooths_the_loss_from_the_first_step_on(self) -> None:
        meter = self._meter([], [0.0])
        meter.stepped(loss=4.0, learning_rate=1e-4, audio_s=1.0, seconds=0.1)
        assert meter.progress.loss == pytest.approx(4.0)
        meter.stepped(loss=None, learning_rate=1e-4, audio_s=1.0, seconds=0.1)
        meter.stepped(loss=2.0, learning_rate=1e-4, audio_s=1.0, seconds=0.1)
        assert 2.9 < (meter.progress.loss or 0) < 3.1

    def test_keeps_the_first_scores_as_those_of_the_base(self) -> None:
        meter = self._meter([], [0.0])
        counter = ScoreCounter()
        counter.add("A B", "A")
        meter.enter(JobState.EVALUATING)
        meter.evaluated(counter.scores(), 1.0, evaluations_left=2)
        counter.add("A B", "A B")
        meter.evaluated(counter.scores(), 1.0, evaluations_left=1)
        assert (meter.progress.wer_before, meter.progress.wer) == (0.5, 0.25)
