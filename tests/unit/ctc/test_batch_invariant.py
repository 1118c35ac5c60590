"""A recording gives the same logits alone and beside longer ones."""

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2FeatureExtractor

from tests.fakes.predictor_checkpoints import tiny_model
from thanosql_ctc.batch_invariant import (
    batch_logits,
    output_frames,
    padded_forward,
    receptive_field,
    samples_per_frame,
)
from thanosql_ctc.waveform import normalise_waveform, with_margins


def recording(samples: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    loudness = np.abs(np.sin(np.arange(samples) / 3000 + seed))
    return normalise_waveform((generator.standard_normal(samples) * loudness).astype(np.float32))


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    return float((actual - expected).detach().norm() / expected.detach().norm())


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_padded_batch_equals_single_runs(norm: str) -> None:
    model = tiny_model(norm)
    samples = [recording(length, seed) for seed, length in enumerate([16_000, 5_001, 400, 32_017, 8_000])]
    together = batch_logits(model, samples)
    for waveform, logits in zip(samples, together, strict=True):
        with torch.inference_mode():
            alone = model(torch.from_numpy(waveform)[None]).logits[0]
        assert logits.shape == alone.shape
        assert relative_error(logits, alone) < 1e-5
        assert torch.equal(logits.argmax(-1), alone.argmax(-1))


def test_a_plain_padded_batch_does_not() -> None:
    # The reason for this module: should transformers mend it, the module can go.
    model = tiny_model()
    waveform = recording(16_000, 1)
    padded = torch.zeros(1, 64_000)
    padded[0, :16_000] = torch.from_numpy(waveform)
    with torch.inference_mode():
        alone = model(torch.from_numpy(waveform)[None]).logits[0]
        plain = model(padded).logits[0, : len(alone)]
    assert relative_error(plain, alone) > 1e-2


def test_what_stands_in_the_padding_does_not_matter() -> None:
    model = tiny_model()
    inputs = torch.zeros(2, 8_000)
    inputs[0] = torch.from_numpy(recording(8_000, 1))
    inputs[1, :4_000] = torch.from_numpy(recording(4_000, 2))
    noisy = inputs.clone()
    noisy[1, 4_000:] = 7.0
    with torch.inference_mode():
        quiet, frames = padded_forward(model, inputs, [8_000, 4_000])
        loud, _ = padded_forward(model, noisy, [8_000, 4_000])
    true_frames = int(frames[1])
    assert relative_error(loud[1, :true_frames], quiet[1, :true_frames]) < 1e-5


@pytest.mark.parametrize("norm", ["group", "layer"])
def test_gradients_of_a_padded_batch_equal_those_of_single_runs(norm: str) -> None:
    model = tiny_model(norm)
    waveforms = [recording(6_000, 1), recording(3_000, 2)]
    inputs = torch.zeros(2, 6_000)
    for row, waveform in zip(inputs, waveforms, strict=True):
        row[: len(waveform)] = torch.from_numpy(waveform)
    logits, frames = padded_forward(model, inputs, [6_000, 3_000])
    torch.cat([logits[row, : int(frames[row])] for row in range(2)]).square().sum().backward()  # type: ignore[no-untyped-call]
    together = [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]
    model.zero_grad()
    for waveform in waveforms:
        model(torch.from_numpy(waveform)[None]).logits.square().sum().backward()
    alone = [weight.grad for weight in model.parameters() if weight.grad is not None]
    assert len(together) == len(alone)
    for batched, single in zip(together, alone, strict=True):
        assert float((batched - single).norm()) <= 1e-3 * float(single.norm()) + 1e-4


def test_training_mode_masks_features() -> None:
    model = tiny_model().train()
    model.config.mask_time_prob = 0.5
    inputs = torch.from_numpy(np.stack([recording(16_000, 1)] * 2))
    first, _ = padded_forward(model, inputs, [16_000, 9_000])
    second, _ = padded_forward(model, inputs, [16_000, 9_000])
    assert relative_error(first, second) > 1e-3
    assert first.requires_grad


@pytest.mark.parametrize("length", [1, 80, 399])
def test_a_clip_shorter_than_the_receptive_field_gives_one_frame(length: int) -> None:
    logits = batch_logits(tiny_model(), [np.ones(length, dtype=np.float32), recording(5_000, 1)])
    assert logits[0].shape == (1, 32)


@pytest.mark.parametrize("length", [399, 400, 719, 720, 16_000, 160_001])
def test_frames_are_counted_as_the_model_gives_them(length: int) -> None:
    model = tiny_model()
    frames = output_frames(model.config, length)
    if length < 400:
        assert frames == 0
        return
    with torch.inference_mode():
        assert frames == model(torch.zeros(1, length)).logits.shape[1]


def test_the_shortest_input_and_the_step_are_those_of_wav2vec2() -> None:
    config = tiny_model().config
    assert (receptive_field(config), samples_per_frame(config)) == (400, 320)


@pytest.mark.parametrize("lengths", [[8_000], [8_001, 400], [8_000, 399]])
def test_lengths_that_do_not_fit_are_a_bug_of_the_caller(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="length"):
        padded_forward(tiny_model(), torch.zeros(2, 8_000), lengths)


def test_normalising_equals_hugging_face() -> None:
    samples = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1 + 0.3
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)  # type: ignore[no-untyped-call]
    theirs = extractor(samples, sampling_rate=16_000)["input_values"][0]
    assert np.abs(normalise_waveform(samples) - theirs).max() < 1e-4


def test_normalising_silence_gives_zeros() -> None:
    assert not normalise_waveform(np.full(100, 0.25, dtype=np.float32)).any()


def test_normalising_nothing_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        normalise_waveform(np.zeros(0, dtype=np.float32))


def test_normalising_a_long_recording_far_from_zero_is_exact() -> None:
    generator = np.random.default_rng(0)
    samples = (0.5 + 0.001 * generator.standard_normal(3_000_000)).astype(np.float32)
    normalised = normalise_waveform(samples)
    expected_deviation = np.sqrt(1e-6 / (1e-6 + 1e-7))
    assert abs(float(normalised.mean(dtype=np.float64))) < 1e-3
    assert float(normalised.std(dtype=np.float64)) == pytest.approx(expected_deviation, rel=1e-2)
    assert normalised.dtype == np.float32


@pytest.mark.parametrize(
    ("length", "expected"),
    [(1, 1), (319, 319), (320, 6_720), (6_000, 12_400), (15_999, 22_399), (16_000, 16_000)],
)
def test_only_what_is_shorter_than_a_second_gets_silence_around_it(length: int, expected: int) -> None:
    samples = recording(length, 1) + np.float32(0.5)
    heard = with_margins(samples, 16_000)
    assert len(heard) == expected
    assert heard.dtype == np.float32
    if expected > length:
        np.testing.assert_array_equal(heard[3_200:-3_200], samples)
        np.testing.assert_allclose(heard[[0, -1]], samples.mean(), rtol=1e-6)


def test_nothing_stays_nothing() -> None:
    assert len(with_margins(np.zeros(0, dtype=np.float32), 16_000)) == 0
