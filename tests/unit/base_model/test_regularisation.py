"""Dropout and masks hide what they should, as often as they should, and only in training."""

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2ForCTC

from scripts.base_model import network
from scripts.base_model.regularise import (
    Dropout,
    OtherVoices,
    PooledDropout,
    SpecAugment,
    stretches,
    use_dropout,
)


@pytest.fixture(scope="module")
def model() -> Wav2Vec2ForCTC:
    return network.create(network.Shape(hidden=64, layers=2), seed=3)


@pytest.mark.parametrize("dropout", [PooledDropout(np.random.default_rng(1), size=1 << 18), Dropout()])
def test_dropout_zeroes_its_share_and_keeps_the_mean(dropout: Dropout) -> None:
    assert torch.equal(dropout(torch.ones(3)), torch.ones(3))
    dropout.set_share(0.2)
    heard = dropout(torch.ones(100, 1000))
    assert float((heard == 0).float().mean()) == pytest.approx(0.2, abs=0.01)
    assert float(heard.mean()) == pytest.approx(1.0, abs=0.02)
    assert not torch.equal(heard, dropout(torch.ones(100, 1000)))
    dropout.train(mode=False)
    assert torch.equal(dropout(heard), heard)


def test_every_dropout_of_the_model_is_replaced_and_its_weights_keep_their_names() -> None:
    model = network.create(network.Shape(hidden=64, layers=2), seed=3)
    names = set(model.state_dict())
    use_dropout(model, PooledDropout(np.random.default_rng(1)))
    assert set(model.state_dict()) == names
    kinds = {type(module) for module in model.modules()}
    assert PooledDropout in kinds
    assert torch.nn.Dropout not in kinds


def test_masks_change_what_is_heard_and_only_while_applied(model: Wav2Vec2ForCTC) -> None:
    model.train(mode=False)
    samples = torch.randn(2, 32_000)
    masks = SpecAugment(model, np.random.default_rng(1))
    masks.set_hardness(1.0)
    with torch.inference_mode():
        before = model(samples).logits
        with masks.applied():
            hidden = model(samples).logits
        after = model(samples).logits
    assert not torch.allclose(before, hidden)
    torch.testing.assert_close(after, before)


def test_hidden_bands_are_whole_bands_of_the_filter_bank(model: Wav2Vec2ForCTC) -> None:
    masks = SpecAugment(model, np.random.default_rng(1))
    masks.set_hardness(1.5)
    heard = masks._hide_bands(torch.nn.Identity(), None, torch.ones(30, network.BANDS * network.PHASES, 5))
    by_band = heard.reshape(30, network.BANDS, -1)
    assert ((by_band == 0).all(-1) | (by_band == 1).all(-1)).all()
    share = float((by_band[:, :, 0] == 0).float().mean())
    assert 0.1 < share < 0.4


def test_stretches_have_their_widths_and_lie_anywhere() -> None:
    widths = np.tile([[3, 0]], (400, 1))
    hidden = stretches(widths, 10, np.random.default_rng(1))
    assert (hidden.sum(axis=1) == 3).all()
    assert hidden.any(axis=0).all()
    whole = stretches(np.array([[12, 1]]), 10, np.random.default_rng(1))
    assert whole.all()


def test_other_voices_are_heard_for_a_while_and_never_stay() -> None:
    model = network.create(network.Shape(hidden=64, layers=2), seed=3).train(mode=False)
    names = list(model.state_dict())
    samples = torch.randn(1, 16_000).expand(3, -1)
    voices = OtherVoices(model, np.random.default_rng(1))
    assert list(model.state_dict()) == names
    with torch.inference_mode():
        before = model(samples).logits
        with voices.applied(3):
            torch.testing.assert_close(model(samples).logits, before, atol=1e-3, rtol=1e-3)
        voices.set_hardness(1.0)
        with voices.applied(3):
            one, other, third = model(samples).logits
        after = model(samples).logits
    assert not torch.allclose(one, before[0], atol=1e-2)
    assert not torch.allclose(one, other, atol=1e-2)
    assert not torch.allclose(other, third, atol=1e-2)
    torch.testing.assert_close(after, before)


def test_a_shifted_filter_bank_hears_higher(model: Wav2Vec2ForCTC) -> None:
    kernel = model.config.conv_kernel[0]
    plain = network.band_pass(kernel)[:: network.PHASES, 0]
    shifted = network.band_pass(kernel, torch.full((network.BANDS,), 0.18))[:: network.PHASES, 0]
    peaks, higher = (torch.fft.rfft(one, 16_000).abs().argmax(-1).float() for one in (plain, shifted))
    middle = slice(10, 30)
    torch.testing.assert_close(higher[middle] / peaks[middle], torch.full((20,), 1.197), atol=0.02, rtol=0)
