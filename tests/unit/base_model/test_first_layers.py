"""What an untrained network already hears: how loud each band is, whatever the microphone."""

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import Wav2Vec2ForCTC

from scripts.base_model import network
from thanosql_ctc.batch_invariant import padded_forward

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def model() -> Wav2Vec2ForCTC:
    return network.create(network.Shape(hidden=64, layers=2), seed=3).train(mode=False)


def tone(hertz: float, loudness: Tensor) -> Tensor:
    return loudness * torch.sin(2 * np.pi * hertz * torch.arange(len(loudness)) / RATE_HZ)


def swelling(turns_hz: float) -> Tensor:
    time_s = torch.arange(2 * RATE_HZ) / RATE_HZ
    return 0.6 + 0.4 * torch.sin(2 * np.pi * turns_hz * time_s)


def bands(model: Wav2Vec2ForCTC, samples: Tensor) -> Tensor:
    with torch.inference_mode():
        heard = model.wav2vec2.feature_extractor.conv_layers[0](samples[None, None])[0]
    return heard.reshape(network.BANDS, network.PHASES, -1)


def loudest_band(model: Wav2Vec2ForCTC, samples: Tensor) -> int:
    with torch.inference_mode():
        filtered = model.wav2vec2.feature_extractor.conv_layers[0].conv(samples[None, None])[0]
    return int(filtered.square().mean(-1).argmax()) // network.PHASES


def test_a_microphone_that_lifts_one_band_changes_nothing(model: Wav2Vec2ForCTC) -> None:
    low, high = tone(400, swelling(3)), tone(3000, swelling(5))
    flat, lifted = bands(model, low + high), bands(model, low + 3 * high)
    for band in (loudest_band(model, low), loudest_band(model, high)):
        torch.testing.assert_close(lifted[band], flat[band], atol=0.3, rtol=0.02)


def test_each_threshold_is_silenced_by_what_is_louder(model: Wav2Vec2ForCTC) -> None:
    ramp = torch.logspace(-2.5, 0, 2 * RATE_HZ)
    extractor = model.wav2vec2.feature_extractor
    with torch.inference_mode():
        heard = extractor.conv_layers[1](extractor.conv_layers[0](tone(1000, ramp)[None, None]))[0]
    units = heard.reshape(-1, network.BANDS, heard.shape[-1])
    band = int(units[-1].mean(-1).argmax())
    *thresholds, loudness = units[:, band]
    assert (loudness[1:] > loudness[:-1] - 1e-3).all()
    silenced_at = [int((unit < 0.05).float().argmax()) for unit in thresholds]
    assert silenced_at[0] > 0
    assert silenced_at[:-1] == sorted(set(silenced_at[:-1]))


def test_padding_does_not_change_what_a_new_network_hears(model: Wav2Vec2ForCTC) -> None:
    samples = torch.randn(2, RATE_HZ, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        alone, _ = padded_forward(model, samples[:1, : RATE_HZ // 2], [RATE_HZ // 2])
        batch, frames = padded_forward(model, samples, [RATE_HZ // 2, RATE_HZ])
    torch.testing.assert_close(batch[0, : int(frames[0])], alone[0], atol=1e-4, rtol=1e-3)
